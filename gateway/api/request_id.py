"""X-Request-Id: the caller's own, when it may stand in a header and a log, or one of ours."""

import random
import re

from litestar.types import Scope

_MAY_STAND = re.compile(rb"[!-~]{1,128}")


def request_id(scope: Scope) -> bytes:
    """The id of the request, to be given back with the answer."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _MAY_STAND.fullmatch(value):
            return value
    return b"%016x" % random.getrandbits(64)  # nosec B311
