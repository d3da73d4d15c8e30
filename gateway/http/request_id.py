"""X-Request-Id: the caller's own, if it is safe in a header and a log, or a generated one."""

import random
import re
from typing import Any, Final

from litestar.types import Scope

_MAY_STAND = re.compile(rb"[!-~]{1,128}")

#: Where a request stores its generated id, so that its answer and the log have the same.
_KEPT: Final = "gateway.request_id"


def request_id(scope: Scope) -> bytes:
    """Return the request's id, which is sent back with the answer."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _MAY_STAND.fullmatch(value):
            return value
    kept: dict[str, Any] = scope  # type: ignore[assignment] # which may have keys of ours
    if _KEPT not in kept:
        kept[_KEPT] = b"%016x" % random.getrandbits(64)  # nosec B311
    made: bytes = kept[_KEPT]
    return made
