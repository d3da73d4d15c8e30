"""Requests on the fast path, parsed like those of the ordinary handlers, before a handler is chosen."""

import re
from typing import Final, TypeVar, cast

from msgspec import Struct

from gateway.api.payments.fast.head import Head
from gateway.api.payments.idempotency import fingerprint_of
from gateway.api.payments.payments import payment_id
from gateway.api.payments.shapes import AmountRequest, NothingRequest, PaymentRequest, RefundRequest
from gateway.errors import GatewayError
from gateway.http.request import body
from gateway.ids import PaymentId
from gateway.money import Money, is_decimal
from gateway.payments.ends.plain_ends import EndKind
from gateway.payments.model.memo import check_memo
from gateway.payments.model.route import rail_of
from gateway.payments.model.settings import PaymentSettings

_PAY: Final = "POST /v1/payments"
_END: Final = re.compile(r"/v1/payments/(pay_[0-9a-z]+)/(capture|void|refund)")


class Request(Struct, frozen=True):
    """The common part of all requests. A request that is not `is_plain` has to pass the checks, whoever the
    caller is.
    """

    head: Head
    fingerprint: bytes
    is_plain: bool

    @property
    def rail(self) -> str | None:
        """The rail of a new payment."""
        return None


AnyRequest = TypeVar("AnyRequest", bound=Request)


class PaymentRequested(Request, frozen=True):
    """A payment: the parsed `money`, and the body for the rest."""

    asked: PaymentRequest
    money: Money

    @property
    def rail(self) -> str | None:
        return rail_of(self.money.asset)


class EndRequested(Request, frozen=True):
    """A capture, void or refund of a payment. `amount` is the part, as text; None is all of it."""

    end: EndKind
    payment: PaymentId
    amount: str | None


def read_payment(settings: PaymentSettings, head: Head, path: str, whole: bytes) -> PaymentRequested | None:
    """Parse a payment; None if the ordinary handler has to answer."""
    try:
        asked = body.read(whole, PaymentRequest)
        money = settings.assets.of_wallet(asked.asset).parse_positive(asked.amount)
        check_memo(asked.memo)
    except GatewayError:
        return None
    is_plain = asked.reference is None and asked.metadata is None and asked.request is None
    return PaymentRequested(head, fingerprint_of(_PAY, asked, settings.payees), is_plain, asked, money)


def read_end(settings: PaymentSettings, head: Head, path: str, whole: bytes) -> EndRequested | None:
    """Parse a capture, void or refund from path and body; None if the ordinary handler has to answer."""
    named = _END.fullmatch(path)
    if named is None:
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
    has_fee = end == "capture" and settings.ledger_fee_basis_points > 0
    is_plain = not has_fee and (amount is None or is_decimal(amount))
    fingerprint = fingerprint_of(f"POST {path}", asked, settings.payees)
    return EndRequested(head, fingerprint, is_plain, end, payment, amount)
