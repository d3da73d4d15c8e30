"""Handles: fold and validate. Pure.

A handle is 2 to 30 of lower case a-z, 0-9 and `_`, shown with `@`. Input is folded first (Unicode NFKC and case, UAX
#31), so `@Alice` and full-width letters become alice. Any other character is refused, not guessed: a look-alike such as
a Cyrillic `а` would be another person. So is the long s, which folds to s and looks like f: of all characters that fold
to these letters, it alone looks like another of them (UTS 39; a test checks all of Unicode).

Handles that look alike within these letters, in any capitalization, are kept apart by the database
(`confusable_skeleton` in schema/02_wallets.sql): only one of them can be claimed. A claim of `@AIice` is one of
`@aiice`, and because that can be written with a capital I, it looks like `@alice` however it is typed.
"""

import re
import unicodedata

from gateway.identity.errors import InvalidHandle

_HANDLE = re.compile(r"[a-z0-9_]{2,30}", re.ASCII)

_LONG_S = "\u017f"

#: The longest input that is folded: no handle of 30 needs more, and cutting it could change its meaning.
_TYPED_MAX = 200


def fold(text: str) -> str:
    """Return the handle that `text` means, without the `@`. Raises InvalidHandle, with the reason."""
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
    """Return whether the text is a handle as `fold` returns it. Stored handles are, and most input is."""
    return _HANDLE.fullmatch(text) is not None
