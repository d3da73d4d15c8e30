"""What a handle may be. Pure.

Lower case a-z, 0-9 and `_`, 2 to 30 of them, shown with `@`. What people type is folded first (Unicode NFKC and case,
UAX #31), so `@Alice` and full-width letters are alice; what then still lies outside is refused rather than guessed at,
because a look-alike such as a Cyrillic `а` would be somebody else. So is the long s, which folds to s and looks like f:
of all signs that fold to these letters it alone looks like another of them (UTS 39; a test walks all of Unicode).

What looks alike within these letters, in whatever case they are spelled, the database keeps apart
(`confusable_skeleton`): of such handles one is claimed. A claim of `@AIice` is one of `@aiice`, and since that can be
spelled with a capital I, it looks like `@alice` however it is typed.
"""

import re
import unicodedata

from gateway.identity.errors import InvalidHandle

_HANDLE = re.compile(r"[a-z0-9_]{2,30}", re.ASCII)

_LONG_S = "\u017f"

#: Longest text that is folded: no handle of 30 needs more, and what is cut off could have said something else.
_TYPED_MAX = 200


def fold(text: str) -> str:
    """The handle that `text` means, without the `@`. Raises InvalidHandle, saying what is wrong with it."""
    if len(text) > _TYPED_MAX:
        raise InvalidHandle(text[:60], "it must have 2 to 30 characters")
    folded = unicodedata.normalize("NFKC", text).strip().removeprefix("@").casefold()
    if _HANDLE.fullmatch(folded) and _LONG_S not in text:
        return folded
    if not folded.isascii() or _LONG_S in text:
        raise InvalidHandle(text[:60], "it has letters outside a-z, which could pass for other letters")
    if not 2 <= len(folded) <= 30:
        raise InvalidHandle(text[:60], "it must have 2 to 30 characters")
    raise InvalidHandle(text[:60], "it may have only a-z, 0-9 and _")


def is_folded(text: str) -> bool:
    """Whether the text is a handle as `fold` gives it: what is kept, and what most people type."""
    return _HANDLE.fullmatch(text) is not None
