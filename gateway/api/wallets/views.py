"""Answers about wallets, entries and statements: a function for each shape."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from gateway.api.wallets.shapes import (
    AccountStatementView,
    BalanceView,
    EntryView,
    ExportedKeyView,
    StatementView,
    WalletFreezeView,
)
from gateway.chain.watcher.cursors import Cursor
from gateway.clock import rfc3339
from gateway.controls.wallet_freeze import Freeze
from gateway.custody.export import ExportedKey
from gateway.identity.wallet import Wallet
from gateway.ids import show
from gateway.ledger.account import Balance
from gateway.ledger.ledger import Entry
from gateway.money import Money
from gateway.payments.ends.report_unauthorized import DELAY
from gateway.statements.period import Period
from gateway.statements.statement import Summary, reference_of

#: The names in a statement of a payment's transfers.
_PAYMENT_PURPOSES = ("payment", "refund")


#: The warning to everybody who exports a key.
KEY_WARNING = (
    "Anybody who sees this key can take every token at the address, at any time, and this cannot be revoked. "
    "The gateway still has the key too. Keep it in a keystore that a password opens, and sign with nonces of "
    "32 random bytes."
)


def exported_key_view(key: ExportedKey) -> ExportedKeyView:
    return ExportedKeyView(key.address, "0x" + key.private_key.hex(), KEY_WARNING)


def balance_view(balance: Balance, cursor: Cursor | None) -> BalanceView:
    posted, pending, available = (money.amount for money in balance.money())
    token = balance.asset.kind == "token"
    block = cursor.number if token and cursor is not None else None
    return BalanceView(balance.asset.code, "token" if token else "fiat", posted, pending, available, block)


def past_balance_view(posted: Money) -> BalanceView:
    """A balance at a past time, of which only the posted part is known."""
    kind: Literal["fiat", "token"] = "token" if posted.asset.kind == "token" else "fiat"
    return BalanceView(posted.asset.code, kind, posted.amount, None, None, None)


def freeze_view(of: Freeze) -> WalletFreezeView:
    """A freeze that is in force. The operators' reason is not shown."""
    is_own = of.payment is not None
    return WalletFreezeView(
        placed_at=rfc3339(of.placed_at),
        by="owner" if is_own else "operators",
        payment=show("pay", of.payment) if of.payment else None,
        unfreezes_at=rfc3339(of.placed_at + DELAY) if is_own else None,
        expires_at=rfc3339(of.expires_at) if of.expires_at else None,
    )


def entry_view(entry: Entry, ends: tuple[str, str] | None = None) -> EntryView:
    """An entry of the statement. `ends` are the sender and the receiver of an observation's tokens."""
    reference = reference_of(entry)
    return EntryView(
        number=entry.number,
        asset=entry.amount.asset.code,
        amount=entry.amount.amount,
        side=entry.side.value,
        balance=entry.balance.amount,
        payment_id=reference if entry.purpose in _PAYMENT_PURPOSES else None,
        purpose=entry.purpose,
        reference=reference,
        from_=ends[0] if ends else None,
        to=ends[1] if ends else None,
        posted_at=rfc3339(entry.posted_at),
    )


def statement_view(of: Wallet, period: Period, made_at: datetime, found: Sequence[Summary]) -> StatementView:
    return StatementView(
        *(of.handle, show("wal", of.id), rfc3339(period.begins), rfc3339(period.ends), period.time_zone),
        rfc3339(made_at),
        [
            AccountStatementView(
                asset=one.asset.code,
                opening=one.opening.amount,
                paid_in=one.paid_in.amount,
                paid_out=one.paid_out.amount,
                closing=one.closing.amount,
                entries=one.entries,
            )
            for one in found
        ],
    )
