"""Escape other people's text where it is printed: on a terminal, in a log, a spreadsheet, a command. Pure.

A memo, a passkey's name, a token's symbol, a node's message or a file's name may contain control characters, which move
a terminal's cursor and overwrite its screen; line ends, which forge a line of a log; and marks of writing direction,
which show letters in another order (Unicode TR 36, section 2.5; CVE-2021-42574). Each of them is shown as a visible
escape, such as \\x1b or \\u202e. Letters of every script stay as they are.

A spreadsheet runs a cell that begins like a formula (OWASP, "CSV injection"), so such a cell gets a quote in front.

The pages do not need this for control characters: they write text into elements of their own and never HTML. They
isolate the direction of other people's text (`bdi`).
"""

import json
import logging
import re
import shlex

#: Joiners inside words of Persian, Hindi and others, and inside emoji. They are invisible.
_JOINERS = "\u200c\u200d"

#: The beginning of a formula, after quotes that were put in front of it and after spaces that a spreadsheet ignores. In
#: Japanese and Chinese it may be the wide form of the sign, too.
_FORMULA = re.compile(r"['\s]*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")

#: A handle begins with a sign of formulas and is harmless.
_HANDLE = re.compile(r"@[A-Za-z0-9_]+", re.ASCII)


def for_terminal(text: str) -> str:
    """Return the text as one line that shows all of it and controls nothing. Escaping it twice changes nothing."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in _JOINERS else _shown(letter) for letter in text)


def json_for_terminal(value: object) -> str:
    """Return an indented JSON document that shows all of its texts and controls nothing; its meaning is the same."""
    return "\n".join(map(_harmless, json.dumps(value, indent=2, ensure_ascii=False).split("\n")))


def json_line_for_terminal(value: object) -> str:
    """Return the same in one line, as in JSON Lines."""
    return _harmless(json.dumps(value, separators=(",", ":"), ensure_ascii=False))


def for_shell(text: str) -> str:
    """Return the text as one word of a printed command: a path with a space in it, a key with a quote."""
    return shlex.quote(text)


def for_csv(text: str) -> str:
    """Return the text as a one-line cell that no spreadsheet runs. `from_csv` removes the quote."""
    shown = for_terminal(text)
    return f"'{shown}" if _FORMULA.match(shown) and not _HANDLE.fullmatch(shown) else shown


def from_csv(cell: str) -> str:
    """Return the text of a cell that `for_csv` wrote, or that was written without it."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


class LogFormatter(logging.Formatter):
    """Keeps each log message on one line, and marks a traceback's lines as its own, so that nobody can forge a line."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return for_terminal(super().formatMessage(record))

    def formatException(self, ei: object) -> str:
        return "\n".join(map(for_terminal, super().formatException(ei).split("\n")))  # type: ignore[arg-type] # its own


def _harmless(line: str) -> str:
    """Return a line of JSON in which every character is visible."""
    return "".join(one if one.isprintable() or one in _JOINERS else json.dumps(one)[1:-1] for one in line)


def _shown(letter: str) -> str:
    if letter in "\u00a0\u202f\u2007\u3000":
        return " "  # wide and narrow spaces that do not break a line
    return (
        letter.encode("unicode_escape").decode() if letter < "\ud800" or letter > "\udfff" else f"\\u{ord(letter):04x}"
    )
