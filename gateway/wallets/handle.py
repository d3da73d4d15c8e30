"""What a handle may be. Pure.

Lower case a-z, 0-9 and `_`, 2 to 30 of them, shown with `@`. What people type is folded first (Unicode NFKC and case,
UAX #31), so `@Alice` and full-width letters are alice; what then still lies outside is refused rather than guessed at,
because a look-alike such as a Cyrillic `а` would be somebody else. What looks alike within these letters (`l` and `1`,
`o` and `0`, `m` and `rn`, `w` and `vv`, one `_` and several) the database keeps apart: of such handles one is claimed.
"""

import re
import unicodedata

from gateway.errors import InvalidHandle

_HANDLE = re.compile(r"[a-z0-9_]{2,30}", re.ASCII)

#: Longest text that is folded: no handle of 30 needs more, and what is cut off could have said something else.
_TYPED_MAX = 200


def fold(text: str) -> str:
    """The handle that `text` means, without the `@`. Raises InvalidHandle, saying what is wrong with it."""
    if len(text) > _TYPED_MAX:
        raise InvalidHandle(text[:60], "it must have 2 to 30 characters")
    folded = unicodedata.normalize("NFKC", text).strip().removeprefix("@").casefold()
    if _HANDLE.fullmatch(folded):
        return folded
    if not folded.isascii():
        raise InvalidHandle(text[:60], "it has letters outside a-z, which could pass for other letters")
    if not 2 <= len(folded) <= 30:
        raise InvalidHandle(text[:60], "it must have 2 to 30 characters")
    raise InvalidHandle(text[:60], "it may have only a-z, 0-9 and _")


def is_folded(text: str) -> bool:
    """Whether the text is a handle as `fold` gives it: what is kept, and what most people type."""
    return _HANDLE.fullmatch(text) is not None
