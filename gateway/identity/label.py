"""Names and descriptions that people give to things, made safe for lists and logs."""


def label(text: str, maximum: int) -> str | None:
    """Return the text as one line of 1 to `maximum` printable characters with single spaces, or None."""
    line = " ".join(text.split())
    return line if 1 <= len(line) <= maximum and line.isprintable() else None
