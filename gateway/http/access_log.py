"""The access log: a line for each request that is answered, where that is configured.

It has the route's template and never the path, which may name somebody; no query, header or address of a client. What
it says of a payment or a wallet is an id, of which only the database knows whose it is. A payment that was answered
before the router has only its own.
"""

import logging
import re
from time import monotonic
from typing import Any, Final

from gateway.http.request_id import request_id
from gateway.logs import with_fields

log = logging.getLogger(__name__)

_PAYMENT: Final = r"pay_[0-7][0-9a-hjkmnp-tv-z]{25}"
_IN_PATH: Final = re.compile(rf"/v1/payments/({_PAYMENT})(?:/[a-z]+)?")
_IN_ANSWER: Final = re.compile(rb'\{"id":"(%b)"' % _PAYMENT.encode())


def write(
    scope: Any, method: str, route: str, status: int, begun: float, answer: bytes, wallet: str | None = None
) -> None:
    """Log a request whose time began then, by the monotonic clock, and how its answer's body begins."""
    fields: dict[str, object] = {
        "request_id": request_id(scope).decode(),
        "method": method,
        "route": route,
        "status": status,
        "duration_seconds": round(monotonic() - begun, 6),
    }
    if wallet is not None:
        fields["wallet_id"] = wallet
    if (payment := _payment(scope["path"], answer)) is not None:
        fields["payment_id"] = payment
    said = " ".join(f"{name}={value}" for name, value in fields.items())
    log.info("%s", said, extra=with_fields(fields))


def _payment(path: str, answer: bytes) -> str | None:
    """The payment that is answered, or else the one that the path names."""
    if answered := _IN_ANSWER.match(answer):
        return answered[1].decode()
    named = _IN_PATH.fullmatch(path)
    return named[1] if named else None
