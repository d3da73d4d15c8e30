"""Deposits and withdrawals: each one line at the bank and one transfer in the book, in one transaction."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gateway.bank import sandbox
from gateway.bank.sandbox import sql
from gateway.errors import NotAtTheBank
from gateway.events import log
from gateway.ids import BankMovementId, TransferId, new_id, show
from gateway.ledger import account, book
from gateway.ledger.transfer import Leg, Transfer
from gateway.money import Assets, Money
from gateway.payments.solvency import Difference
from gateway.postgres import Connection
from gateway.wallets.wallet import Wallet

Direction = Literal["deposit", "withdrawal"]

#: How the ids of each are shown.
PREFIX: dict[Direction, str] = {"deposit": "dep", "withdrawal": "wdr"}


@dataclass(frozen=True, slots=True)
class BankMovement:
    """A deposit or a withdrawal. The sandbox books at once, so its state is `settled` from the start."""

    id: BankMovementId
    direction: Direction
    state: str
    money: Money
    created_at: datetime


async def deposit(connection: Connection, assets: Assets, owner: Wallet, money: Money, now: datetime) -> BankMovement:
    """Money that came in at the bank, credited to the wallet. Raises NotAtTheBank."""
    return await _move(connection, assets, "deposit", owner, money, now)


async def withdraw(connection: Connection, assets: Assets, owner: Wallet, money: Money, now: datetime) -> BankMovement:
    """Money paid out by the bank, debited to the wallet. Raises NotAtTheBank, InsufficientFunds."""
    return await _move(connection, assets, "withdrawal", owner, money, now)


async def reconcile(connection: Connection, assets: Assets) -> list[Difference]:
    """Every `bank:<fiat>` against the bank's own statement. Call it inside a snapshot."""
    fiats = [asset for asset in assets if asset.kind == "fiat"]
    told = await sandbox.balances(connection, assets)
    codes = {asset.code: account.house("bank", asset) for asset in fiats}
    kept = await book.balances(connection, assets, codes.values())
    differences = []
    for asset in fiats:
        in_book = Money(kept[codes[asset.code]].posted if codes[asset.code] in kept else 0, asset)
        at_bank = told.get(asset.code, Money(0, asset))
        if in_book != at_bank:
            differences.append(Difference(codes[asset.code], str(in_book), str(at_bank), "the bank's statement"))
    return differences


async def _move(
    connection: Connection, assets: Assets, direction: Direction, owner: Wallet, money: Money, now: datetime
) -> BankMovement:
    """The transfer, the bank's line, the row that ties them, and the event."""
    if money.asset.kind != "fiat":
        raise NotAtTheBank(money.asset.code, tuple(asset.code for asset in assets if asset.kind == "fiat"))
    moved = BankMovement(BankMovementId(new_id(now)), direction, "settled", money, now)
    reference = show(PREFIX[direction], moved.id)

    bank, wallet = account.house("bank", money.asset), account.wallet(owner.handle, money.asset)
    ids = await book.accounts(connection, [(bank, money.asset), (wallet, money.asset)])
    incoming = direction == "deposit"
    leg = Leg(ids[bank if incoming else wallet], ids[wallet if incoming else bank], money.units)
    transfer = Transfer(TransferId(new_id(now)), direction, moved.id, (leg,))
    book.only(await book.post(connection, [transfer], now))
    await sandbox.book_line(connection, reference, money, 1 if incoming else -1, now)

    await connection.execute(
        sql.insert_movement, moved.id, direction, owner.id, money.asset.code, money.units, transfer.id, reference, now
    )
    facts = {"id": reference, "amount": money.amount, "asset": money.asset.code}
    await log.append(connection, [log.Event(f"{direction}.settled", owner.id, moved.id, facts)], now)
    return moved
