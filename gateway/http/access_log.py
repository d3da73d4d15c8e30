"""The access log: one line per answered request, if it is turned on.

A line has the route's template, never the path, which may contain a handle, and no query, header or client's address.
Payments and wallets appear by their ids, which only the database can resolve. A request on the fast path has only the
id of its payment.
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
    scope: Any, method: str, route: str, status: int, started: float, answer: bytes, wallet: str | None = None
) -> None:
    """Log a request. `started` is by the monotonic clock; `answer` is the beginning of the answer's body."""
    fields: dict[str, object] = {
        "request_id": request_id(scope).decode(),
        "method": method,
        "route": route,
        "status": status,
        "duration_seconds": round(monotonic() - started, 6),
    }
    if wallet is not None:
        fields["wallet_id"] = wallet
    if (payment := payment_of(scope["path"], answer)) is not None:
        fields["payment_id"] = payment
    said = " ".join(f"{name}={value}" for name, value in fields.items())
    log.info("%s", said, extra=with_fields(fields))


def payment_of(path: str, answer: bytes) -> str | None:
    """Return the payment in the answer, or else the one that the path names."""
    if answered := _IN_ANSWER.match(answer):
        return answered[1].decode()
    return named_by(path)


def named_by(path: str) -> str | None:
    """Return the payment that the path names."""
    named = _IN_PATH.fullmatch(path)
    return named[1] if named else None
