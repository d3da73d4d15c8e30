"""Tables and fields for people.

Amounts are aligned at their last digit, with all the decimals that their asset has. Other people's text is escaped.
"""

from collections.abc import Sequence

from gateway.escape import for_terminal


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Lines of a plain table: two spaces between columns, the columns in `right` aligned at their right."""
    shown = [list(map(for_terminal, row)) for row in [heads, *rows]]
    widths = [max(len(row[column]) for row in shown) for column in range(len(heads))]
    lines = []
    for row in shown:
        cells = [
            text.rjust(width) if column in right else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def fields(pairs: Sequence[tuple[str, str | None]]) -> list[str]:
    """A line per field, its name first; a field without a value is left out."""
    known = [(name, for_terminal(value)) for name, value in pairs if value]
    width = max(len(name) for name, _ in known)
    return [f"{name.ljust(width)}  {value}" for name, value in known]


def when(time: str | None) -> str:
    """An RFC 3339 time to the second, in a readable form."""
    return "" if time is None else f"{time[:10]} {time[11:19]} UTC"
