"""Payments by API keys and sessions to which no check applies: one statement processes many of them. Pure.

Each rail has its own class and its own statement (rails/ledger.py, rails/chain.py), which authenticates the callers,
claims the idempotency keys and pays.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from gateway.clock import rfc3339
from gateway.errors import Unauthenticated
from gateway.identity.handle import is_folded
from gateway.ledger import account
from gateway.ledger.errors import InsufficientFunds
from gateway.money import Money


class PlainPayment(Struct, frozen=True):
    """One request. `token_hash` is the SHA-256 of the caller's API key, or of a session's token if `of_session`; `key`
    is the idempotency key, and no two requests in one batch may have the same; the payee is a handle.
    """

    token_hash: bytes
    idempotency_key: str
    fingerprint: bytes
    payee_handle: str
    money: Money
    memo: str | None

    @property
    def key(self) -> tuple[bytes, str]:
        return self.token_hash, self.idempotency_key


class Undecided:
    """Not handled on this path: nothing was written, and `pay` decides."""


class NeedsChecks(Undecided):
    """The payment has to pass the checks, which `pay` runs. `always`: every payment of this API key has to."""

    def __init__(self, always: bool) -> None:
        self.always = always


#: Why a request was not carried out here: it is refused, or left to `pay`.
NotDone = InsufficientFunds | Unauthenticated | Undecided


def handle_of(to: str) -> str | None:
    """The handle in `to` if it is in its stored spelling; None for addresses and other spellings, left to `pay`."""
    handle = to.removeprefix("@")
    return handle if is_folded(handle) and not to.startswith("0x") else None


def columns_of(asked: Sequence[PlainPayment]) -> tuple[list[Any], ...]:
    """The parameters that the statements for many payments have in common: a column for each field."""
    return (
        [one.token_hash for one in asked],
        [one.idempotency_key for one in asked],
        [one.fingerprint for one in asked],
        [one.payee_handle for one in asked],
        [one.money.asset.code for one in asked],
        [one.money.units for one in asked],
        [one.memo for one in asked],
    )


def payload_of(one: PlainPayment, expires_at: datetime | None = None) -> str:
    """The payload of the payment's event without the payer, as in `payment_events.events`. No value needs escaping."""
    expires = "" if expires_at is None else f',"expires_at":"{rfc3339(expires_at)}"'
    return f'{{"to":"@{one.payee_handle}","amount":"{one.money.amount}","asset":"{one.money.asset.code}"{expires}}}'


def not_done(
    money: Money, outcome: str, payer_handle: str, fee: Money, available: int | None, of_session: bool
) -> NotDone:
    """The reason that a statement gives for a payment of `money` that it has not carried out."""
    if of_session and outcome not in ("unauthenticated", "used", "own_key"):  # the path with checks gives the reason
        return NeedsChecks(always=False)
    if outcome == "short":
        assert available is not None
        asset = money.asset
        return InsufficientFunds(account.wallet(payer_handle, asset), money + fee, Money(available, asset))
    if outcome == "unauthenticated":
        return Unauthenticated()
    return NeedsChecks(always=outcome == "checks") if outcome in ("checks", "caps") else Undecided()
