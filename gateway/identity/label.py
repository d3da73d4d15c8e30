"""Names and descriptions that people give to things, made safe for lists and logs."""


def label(text: str, most: int) -> str | None:
    """Return the text as one line of 1 to `most` printable characters, with single spaces; None if it is not that."""
    line = " ".join(text.split())
    return line if 1 <= len(line) <= most and line.isprintable() else None
