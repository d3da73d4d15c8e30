"""Captures, voids and refunds on the fast path: what each request asks for, as its ordinary handler reads it.

Those of API keys are done by one statement for many of them where no rule has anything to say (ends/plain_ends.py).
The others are found, checked and written many together, as payments that have to pass the checks are
(fast_payments.py). What is refused, a refund with a note, and refunds by payers who sign with their own key are the
ordinary handlers'.
"""

import re
from collections.abc import Container, Iterable
from typing import cast

from msgspec import Struct

from gateway.api.payments.fast_request import head_of
from gateway.api.payments.idempotency import fingerprint_of
from gateway.api.payments.payments import payment_id
from gateway.api.payments.shapes import AmountRequest, NothingRequest, RefundRequest
from gateway.errors import GatewayError
from gateway.http.request import body
from gateway.http.request.framing import Field
from gateway.http.services import Services
from gateway.idempotency import Claim
from gateway.identity.credential import Credential
from gateway.identity.sign_in.ceremony import Party
from gateway.money import is_decimal
from gateway.payments.ends.capture_void import EndRequest
from gateway.payments.ends.plain_ends import EndKind, PlainEnd
from gateway.payments.ends.refund import Refund

_PATH = re.compile(r"/v1/payments/(pay_[0-9a-z]+)/(capture|void|refund)")


class CheckedEnd(Struct, frozen=True):
    """A request that has to pass the checks, of an API key or of a session's token. `asked.amount` is as of EndRequest
    and Refund.
    """

    asked: PlainEnd
    of_session: bool

    @property
    def token_hash(self) -> bytes:
        return self.asked.token_hash

    @property
    def key(self) -> tuple[bytes, str]:
        return self.asked.key


def read(
    services: Services,
    party: Party,
    path: str,
    headers: Iterable[Field],
    whole: bytes,
    need_checks: Container[bytes],
) -> PlainEnd | CheckedEnd | None:
    """What the request asks for; None where the ordinary handler is to answer. Of the API keys `need_checks`, payments
    have to pass the checks and count against limits, and so does what becomes of them.
    """
    named, head = _PATH.fullmatch(path), head_of(party, headers)
    if named is None or head is None:
        return None
    end = cast("EndKind", named[2])
    asked: AmountRequest | NothingRequest | RefundRequest
    amount = None
    try:
        payment = payment_id(named[1])
        if end == "capture":
            asked = body.read(whole, AmountRequest)
            amount = asked.amount
        elif end == "void":
            asked = body.read(whole, NothingRequest)
        else:
            asked = body.read(whole, RefundRequest)
            if asked.reference is not None or asked.metadata is not None:
                return None
            amount = asked.amount
    except GatewayError:
        return None
    fingerprint = fingerprint_of(f"POST {path}", asked, services.settings.payees)
    request = PlainEnd(head.token_hash, head.idempotency_key, fingerprint, end, payment, amount)
    has_fees = end == "capture" and services.settings.ledger_fee_basis_points > 0
    if head.of_session or has_fees or head.token_hash in need_checks or not (amount is None or is_decimal(amount)):
        return CheckedEnd(request, head.of_session)
    return request


def ended(one: CheckedEnd, by: Credential) -> tuple[Claim, EndRequest] | None:
    """The capture or void and its idempotency key; None where its caller may not."""
    asked = one.asked
    if "pay" not in by.scopes or asked.end == "refund":
        return None
    claim = Claim(by.wallet.id, asked.idempotency_key, asked.fingerprint)
    return claim, EndRequest(asked.end, asked.payment, by.wallet.id, asked.amount)


def refunded(one: CheckedEnd, by: Credential) -> tuple[Claim, Refund] | None:
    """The refund and its idempotency key; None where its caller may not, or may have to sign it."""
    if "refund" not in by.scopes or by.wallet.signs_itself:
        return None
    asked = one.asked
    claim = Claim(by.wallet.id, asked.idempotency_key, asked.fingerprint)
    return claim, Refund(by.wallet, asked.payment, asked.amount, by, claim=claim)
