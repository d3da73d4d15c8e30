"""Captures, voids and refunds on the fast path: what each request asks for, as its ordinary handler reads it.

They are found, checked and written many together, as payments that have to pass the checks are (fast_payments.py). What
is refused, a refund with a note, and refunds by payers who sign with their own key are the ordinary handlers'.
"""

import re
from collections.abc import Iterable
from typing import Literal, cast

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
from gateway.ids import PaymentId
from gateway.payments.capture_void import EndRequest
from gateway.payments.refund import Refund

End = Literal["capture", "void", "refund"]

_PATH = re.compile(r"/v1/payments/(pay_[0-9a-z]+)/(capture|void|refund)")


class CheckedEnd(Struct, frozen=True):
    """One request, of an API key or of a session's token, by its SHA-256. `amount` is as of EndRequest and Refund."""

    token_hash: bytes
    of_session: bool
    idempotency_key: str
    fingerprint: bytes
    end: End
    payment: PaymentId
    amount: str | None

    @property
    def key(self) -> tuple[bytes, str]:
        return self.token_hash, self.idempotency_key


def read(services: Services, party: Party, path: str, headers: Iterable[Field], whole: bytes) -> CheckedEnd | None:
    """What the request asks for; None where the ordinary handler is to answer."""
    named, head = _PATH.fullmatch(path), head_of(party, headers)
    if named is None or head is None:
        return None
    end = cast("End", named[2])
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
    return CheckedEnd(head.token_hash, head.of_session, head.idempotency_key, fingerprint, end, payment, amount)


def ended(one: CheckedEnd, by: Credential) -> tuple[Claim, EndRequest] | None:
    """The capture or void and its idempotency key; None where its caller may not."""
    if "pay" not in by.scopes or one.end == "refund":
        return None
    claim = Claim(by.wallet.id, one.idempotency_key, one.fingerprint)
    return claim, EndRequest(one.end, one.payment, by.wallet.id, one.amount)


def refunded(one: CheckedEnd, by: Credential) -> tuple[Claim, Refund] | None:
    """The refund and its idempotency key; None where its caller may not, or may have to sign it."""
    if "refund" not in by.scopes or by.wallet.signs_itself:
        return None
    claim = Claim(by.wallet.id, one.idempotency_key, one.fingerprint)
    return claim, Refund(by.wallet, one.payment, one.amount, by, claim=claim)
