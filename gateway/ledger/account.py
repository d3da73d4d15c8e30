"""Accounts: their kinds, the normal side of each, and what a balance means. Pure.

An account's code names its kind, its handle and its asset: `wallet:alice:EUR`, `bank:EUR`, `reserve:USD`. A code never
changes.

    wallet:<handle>:<asset>  liability  the handle's balance
    bank:<fiat>              asset      money at the bank
    reserve:<fiat>           liability  backs every token issued against that fiat
    supply:<token>           asset      tokens issued: a mint debits it, a burn credits it
    outside:<token>          liability  tokens at addresses that belong to no wallet
    escrow:<asset>           liability  paid to a handle that is not claimed yet, or held until delivery
    clearing:<asset>         liability  left a wallet, not yet arrived
    liquidity:<asset>        equity     the operator's side of an exchange, and of the gas it pays
    fees:<asset>             income     fees, and every rounding remainder
    gas:<native>             expense    the cost of relaying
"""

from dataclasses import dataclass
from enum import Enum

from gateway.money import Asset, Money


class Side(Enum):
    DEBIT = "debit"
    CREDIT = "credit"


@dataclass(frozen=True, slots=True)
class Kind:
    """`normal` is the side that increases the balance. A conditional transfer cannot overdraw a `guarded` account."""

    normal: Side
    guarded: bool


#: By the first word of an account's code.
KINDS = {
    "wallet": Kind(Side.CREDIT, guarded=True),
    "bank": Kind(Side.DEBIT, guarded=True),
    "reserve": Kind(Side.CREDIT, guarded=False),  # paid from unconditionally; reconciliation names a shortage
    "supply": Kind(Side.DEBIT, guarded=True),
    "outside": Kind(Side.CREDIT, guarded=True),
    "escrow": Kind(Side.CREDIT, guarded=True),
    "clearing": Kind(Side.CREDIT, guarded=True),
    "liquidity": Kind(Side.CREDIT, guarded=False),  # the operator may owe itself
    "fees": Kind(Side.CREDIT, guarded=True),
    "gas": Kind(Side.DEBIT, guarded=True),
}


def wallet(handle: str, asset: Asset) -> str:
    """The code of the account of `handle` in `asset`."""
    return f"wallet:{handle}:{asset.code}"


def system_account(kind: str, asset: Asset) -> str:
    """The code of the system account of `kind` in `asset`."""
    assert kind in KINDS
    assert kind != "wallet"
    return f"{kind}:{asset.code}"


def kind_of(code: str) -> Kind:
    return KINDS[code.partition(":")[0]]


@dataclass(frozen=True, slots=True)
class Balance:
    """An account's balance: `posted` is in the ledger, `pending` is the part of it that is on hold, `available` is the
    rest.

    All three in whole units. `available` is below zero only if an unconditional transfer overdrew the account.
    """

    asset: Asset
    posted: int
    pending: int

    @property
    def available(self) -> int:
        return self.posted - self.pending

    def money(self) -> tuple[Money, Money, Money]:
        """(posted, pending, available)"""
        return Money(self.posted, self.asset), Money(self.pending, self.asset), Money(self.available, self.asset)
