"""What people call things and say of them, as it may stand in lists and in logs."""


def label(text: str, most: int) -> str | None:
    """One line without space to spare, of 1 to `most` letters that can be seen; None where the text is no such line."""
    line = " ".join(text.split())
    return line if 1 <= len(line) <= most and line.isprintable() else None
