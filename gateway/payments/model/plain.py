"""Payments of API keys and sessions to which no check applies: one statement takes many of them. Pure.

Each rail has its own kind and its own statement (rails/ledger.py, rails/chain.py), which finds out who is calling,
claims the key and pays, for all who are in it.
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
    """One request: who asks, by the SHA-256 of an API key, or of a session's token if it is `of_session`
    (`token_hash`); its idempotency key; whom it pays, by handle. No two in one batch may have the same `key`.
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
    """Not for this path: nothing was written, and `pay` decides."""


class NeedsChecks(Undecided):
    """The payment has to pass the checks, which `pay` asks. `always`: every payment of this API key has to."""

    def __init__(self, always: bool) -> None:
        self.always = always


#: Why a request was not done here: it is refused, or to be decided by `pay`.
NotDone = InsufficientFunds | Unauthenticated | Undecided


def handle_of(to: str) -> str | None:
    """The handle that `to` says in the way it is kept; None for addresses and odd spellings, which are `pay`'s."""
    handle = to.removeprefix("@")
    return handle if is_folded(handle) and not to.startswith("0x") else None


def columns_of(asked: Sequence[PlainPayment]) -> tuple[list[Any], ...]:
    """What the statements that take many payments have in common, as they take it: a column for each field."""
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
    """The payload of its event without the payer, as in `payment_events.events`. No value needs escaping."""
    expires = "" if expires_at is None else f',"expires_at":"{rfc3339(expires_at)}"'
    return f'{{"to":"@{one.payee_handle}","amount":"{one.money.amount}","asset":"{one.money.asset.code}"{expires}}}'


def not_done(
    money: Money, outcome: str, payer_handle: str, fee: Money, available: int | None, of_session: bool
) -> NotDone:
    """What a statement says of a payment of `money` that it has not done."""
    if of_session and outcome not in ("unauthenticated", "used", "own_key"):  # the checks say why, and open accounts
        return NeedsChecks(always=False)
    if outcome == "short":
        assert available is not None
        asset = money.asset
        return InsufficientFunds(account.wallet(payer_handle, asset), money + fee, Money(available, asset))
    if outcome == "unauthenticated":
        return Unauthenticated()
    return NeedsChecks(always=outcome == "checks") if outcome in ("checks", "caps") else Undecided()
