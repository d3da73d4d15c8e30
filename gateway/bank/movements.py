"""Deposits and withdrawals: each one line at the bank and one transfer in the ledger, in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gateway.bank import sandbox
from gateway.bank.errors import NotAtTheBank
from gateway.bank.sandbox import Line, sql
from gateway.errors import GatewayError
from gateway.events import log
from gateway.identity.wallet import Wallet
from gateway.ids import AccountId, BankMovementId, TransferId, new_id, show
from gateway.ledger import account, ledger
from gateway.ledger.errors import InsufficientFunds
from gateway.ledger.transfer import Leg, Transfer
from gateway.money import Asset, Assets, Money
from gateway.payments.checks import wallet_freeze, withdrawal_freeze
from gateway.postgres.pool import Connection
from gateway.reconciliation.solvency import Difference

Direction = Literal["deposit", "withdrawal"]

#: The id prefix of each.
PREFIX: dict[Direction, str] = {"deposit": "dep", "withdrawal": "wdr"}


@dataclass(frozen=True, slots=True)
class BankRequest:
    """A request to credit money that came in at the bank, or to pay money out by it."""

    direction: Direction
    owner: Wallet
    money: Money


@dataclass(frozen=True, slots=True)
class BankMovement:
    """A deposit or a withdrawal. The sandbox books at once, so its state is `settled` from the start."""

    id: BankMovementId
    direction: Direction
    state: str
    owner: Wallet
    money: Money
    transfer_id: TransferId
    created_at: datetime

    @property
    def reference(self) -> str:
        """The shown id, which is the bank's reference."""
        return show(PREFIX[self.direction], self.id)


async def settle_all(
    connection: Connection, assets: Assets, asked: Sequence[BankRequest], now: datetime
) -> list[BankMovement | GatewayError]:
    """Settle deposits and withdrawals, in order and independently, in a fixed number of statements: the transfers, the
    bank's lines, the rows that link them, and the events.

    Returns per request the settled movement, or NotAtTheBank, AssetClosed (a deposit), WithdrawalsFrozen, WalletFrozen
    or InsufficientFunds.

    Lock order: accounts that are not open yet are opened in the order of their codes; then all of them are locked in id
    order, in the one call of the ledger. `bank:<fiat>` is among them, so that the bank's lines are written one at a
    time.
    """
    moved = [_movement(one, now) for one in asked]
    refused = {one.id: refusal for one in moved if (refusal := _misplaced(assets, one))}
    refused |= await _frozen(connection, [one for one in moved if one.id not in refused])
    ids = await _account_ids(connection, [one for one in moved if one.id not in refused])
    refused |= {one.id: refusal for one in moved if one.id not in refused and (refusal := _closed(one, ids))}

    possible = [one for one in moved if one.id not in refused]
    posted = await ledger.post(connection, [_transfer(one, ids) for one in possible], now)
    refused |= {
        one.id: result for one, result in zip(possible, posted, strict=True) if isinstance(result, GatewayError)
    }
    await _write(connection, [one for one in moved if one.id not in refused], now)
    return [refused.get(one.id, one) for one in moved]


async def reconcile(connection: Connection, assets: Assets) -> list[Difference]:
    """Compare every `bank:<fiat>` with the bank's own statement. Call it in a snapshot."""
    fiats = [asset for asset in assets if asset.kind == "fiat"]
    told = await sandbox.balances(connection, assets)
    codes = {asset.code: account.system_account("bank", asset) for asset in fiats}
    kept = await ledger.balances(connection, assets, codes.values())
    differences = []
    for asset in fiats:
        in_ledger = Money(kept[codes[asset.code]].posted if codes[asset.code] in kept else 0, asset)
        at_bank = told.get(asset.code, Money(0, asset))
        if in_ledger != at_bank:
            differences.append(Difference(codes[asset.code], in_ledger, at_bank, "the bank's statement"))
    return differences


def _misplaced(assets: Assets, moved: BankMovement) -> GatewayError | None:
    """Return why the movement is refused: the bank does not have this asset, or it takes no new money. None if it is
    not refused.
    """
    try:
        if moved.money.asset.kind != "fiat":
            fiats = tuple(one.code for one in assets if one.kind == "fiat" and assets.takes_new(one))
            raise NotAtTheBank(moved.money.asset.code, fiats)
        if moved.direction == "deposit":
            assets.check_takes_new(moved.money.asset)
    except GatewayError as refusal:
        return refusal
    return None


async def _frozen(connection: Connection, moved: Sequence[BankMovement]) -> dict[BankMovementId, GatewayError]:
    """Return the withdrawals among these that are frozen, and why."""
    leaving = [one for one in moved if one.direction == "withdrawal"]
    refusals = await withdrawal_freeze.refusals(connection, {one.money.asset for one in leaving})
    wallets = await wallet_freeze.frozen(connection, [one.owner.id for one in leaving]) if leaving else {}
    why = [(one, refusals.get(one.money.asset) or wallets.get(one.owner.id)) for one in leaving]
    return {one.id: refusal for one, refusal in why if refusal is not None}


def _movement(asked: BankRequest, now: datetime) -> BankMovement:
    """Return the settled movement."""
    return BankMovement(
        id=BankMovementId(new_id(now)),
        direction=asked.direction,
        state="settled",
        owner=asked.owner,
        money=asked.money,
        transfer_id=TransferId(new_id(now)),
        created_at=now,
    )


def _accounts(moved: BankMovement) -> list[tuple[str, Asset]]:
    """Return the account that the money leaves and the one that it goes to."""
    asset = moved.money.asset
    accounts = [(account.system_account("bank", asset), asset), (account.wallet(moved.owner.handle, asset), asset)]
    return accounts if moved.direction == "deposit" else accounts[::-1]


async def _account_ids(connection: Connection, moved: Sequence[BankMovement]) -> dict[str, AccountId]:
    """Return the account ids. A deposit opens its accounts. A withdrawal does not, because it may be refused, and a
    refusal writes nothing.
    """
    paid_in = [account for one in moved if one.direction == "deposit" for account in _accounts(one)]
    return await ledger.accounts(connection, paid_in, if_open=[code for one in moved for code, _ in _accounts(one)])


def _closed(moved: BankMovement, ids: Mapping[str, AccountId]) -> InsufficientFunds | None:
    """Return the error for an account that is not open, which has no money; None if both are open."""
    closed = [code for code, _ in _accounts(moved) if code not in ids]
    return InsufficientFunds(closed[0], moved.money, Money(0, moved.money.asset)) if closed else None


def _transfer(moved: BankMovement, ids: Mapping[str, AccountId]) -> Transfer:
    debit, credit = (ids[code] for code, _ in _accounts(moved))
    return Transfer(moved.transfer_id, moved.direction, moved.id, (Leg(debit, credit, moved.money.units),))


async def _write(connection: Connection, settled: Sequence[BankMovement], now: datetime) -> None:
    """Write what accompanies the transfers: the bank's lines, the rows that link both, and the events."""
    if not settled:
        return
    lines = [Line(one.reference, one.money, 1 if one.direction == "deposit" else -1) for one in settled]
    await sandbox.ledger_lines(connection, lines, now)
    await connection.execute(
        sql.insert_movements,
        [one.id for one in settled],
        [one.direction for one in settled],
        [one.owner.id for one in settled],
        [one.money.asset.code for one in settled],
        [one.money.units for one in settled],
        [one.transfer_id for one in settled],
        [one.reference for one in settled],
        now,
    )
    events = [
        log.Event(
            f"{one.direction}.settled",
            one.owner.id,
            one.id,
            {"id": one.reference, "amount": one.money.amount, "asset": one.money.asset.code},
        )
        for one in settled
    ]
    await log.append(connection, events, now)
