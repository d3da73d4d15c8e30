"""Other people's words, made harmless where they are printed: on a terminal, in a log, a spreadsheet, a command. Pure.

A memo, a passkey's name, a token's symbol, a node's message or a file's name may hold control characters, which move a
terminal's cursor and write its screen; line ends, which forge a line of a log; and marks of writing direction, which
show letters in another order than they stand in (Unicode TR 36, section 2.5; CVE-2021-42574). Each of them is shown as
an escape that can be seen, such as \\x1b or \\u202e. Letters of every script stay as they are.

A spreadsheet runs a cell that begins like a formula (OWASP, "CSV injection"), so such a cell gets a quote in front.

The pages need none of this for control characters: they write text into elements of their own and never HTML. They
isolate the direction of what others have written (`bdi`).
"""

import json
import logging
import re
import shlex

#: Joiners inside words of Persian, Hindi and others, and inside emoji. They show nothing by themselves.
_JOINERS = "\u200c\u200d"

#: What a spreadsheet takes for the beginning of a formula, behind quotes that were put in front of it and behind spaces
#: that it leaves out. In Japanese and Chinese it may be the wide form of the sign, too.
_FORMULA = re.compile(r"['\s]*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")

#: A handle begins with a sign of formulas and calls nothing.
_HANDLE = re.compile(r"@[A-Za-z0-9_]+", re.ASCII)


def for_terminal(text: str) -> str:
    """The text as one line that shows all of it and does nothing. Escaping it once more changes nothing."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in _JOINERS else _shown(letter) for letter in text)


def json_for_terminal(value: object) -> str:
    """A JSON document, indented, that shows all of its texts and does nothing; it means the same."""
    return "\n".join(map(_harmless, json.dumps(value, indent=2, ensure_ascii=False).split("\n")))


def json_line_for_terminal(value: object) -> str:
    """The same in one line, as JSON Lines has it."""
    return _harmless(json.dumps(value, separators=(",", ":"), ensure_ascii=False))


def for_shell(text: str) -> str:
    """The text as one word of a command that is printed to be typed: a path with a space in it, a key with a quote."""
    return shlex.quote(text)


def for_csv(text: str) -> str:
    """The text as a cell that no spreadsheet runs, in one line. `from_csv` takes the quote away again."""
    shown = for_terminal(text)
    return f"'{shown}" if _FORMULA.match(shown) and not _HANDLE.fullmatch(shown) else shown


def from_csv(cell: str) -> str:
    """The text of a cell that `for_csv` wrote, or that was written without it."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


class LogFormatter(logging.Formatter):
    """Every line of a log is one that we have begun: a message is one line, and a traceback's lines are its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return for_terminal(super().formatMessage(record))

    def formatException(self, ei: object) -> str:
        return "\n".join(map(for_terminal, super().formatException(ei).split("\n")))  # type: ignore[arg-type] # its own


def _harmless(line: str) -> str:
    """A line of JSON in which every letter can be seen."""
    return "".join(one if one.isprintable() or one in _JOINERS else json.dumps(one)[1:-1] for one in line)


def _shown(letter: str) -> str:
    if letter in "\u00a0\u202f\u2007\u3000":
        return " "  # wide and narrow spaces that do not break a line
    return (
        letter.encode("unicode_escape").decode() if letter < "\ud800" or letter > "\udfff" else f"\\u{ord(letter):04x}"
    )
