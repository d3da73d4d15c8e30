"""The verbs of the book. Each takes a connection first, inside the caller's transaction, and many things at once.

Order inside a transaction, so that nobody waits in a ring: pending transfers are locked first, in id order, then
accounts, in id order; `write` does both once, so a use case calls it once with all it has to write.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gateway.errors import CaptureExceedsHold, GatewayError, InsufficientFunds, Misconfigured, TransferNotFound
from gateway.ids import AccountId, TransferId
from gateway.ledger.account import Balance, Side, kind_of
from gateway.ledger.transfer import End, Event, State, Transfer, after
from gateway.money import Asset, Assets, Money
from gateway.postgres import Connection, Record, Statements

sql = Statements(__package__, "book.sql")

#: What became of one item of a batch: the state it is in now, or why it was refused.
Result = State | GatewayError


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a statement. `amount` and `balance` (after it) are of the account's asset."""

    number: int
    side: Side
    amount: Money
    balance: Money
    purpose: str
    subject: UUID
    posted_at: datetime


# ---- accounts -------------------------------------------------------------------------------------------------------


async def declare(connection: Connection, assets: Assets) -> None:
    """Make the configured assets known to the book. An asset once known keeps its decimals for ever.

    An asset that is no longer configured stays in the book. Raises Misconfigured for one that was known otherwise.
    """
    for asset in assets:
        known = await connection.fetchrow(sql.declare_asset, asset.code, asset.kind, asset.decimals, asset.backing)
        if known is not None and tuple(known) != (asset.kind, asset.decimals, asset.backing):
            raise Misconfigured(
                f"{asset.code} is in the book as a {known['kind']} with {known['decimals']} decimals; configure it so"
            )


async def open_accounts(connection: Connection, accounts: Iterable[tuple[str, Asset]]) -> None:
    """Open the accounts with these codes; one that is open already is left as it is."""
    for code, asset in accounts:
        kind = kind_of(code)
        await connection.execute(sql.open_account, code, asset.code, kind.normal.value, kind.guarded)


async def account_ids(connection: Connection, codes: Iterable[str]) -> dict[str, AccountId]:
    """The ids of the accounts with these codes. An id never changes, so it may be kept. All must be open."""
    wanted = list(codes)
    found = {row["code"]: AccountId(row["id"]) for row in await connection.fetch(sql.account_ids, wanted)}
    assert len(found) == len(set(wanted)), f"not open: {set(wanted) - set(found)}"
    return found


async def balances(connection: Connection, assets: Assets, codes: Iterable[str]) -> dict[str, Balance]:
    """The balance of each account, by code, as of one moment. One row an account, however many entries it has."""
    rows = await connection.fetch(sql.balances, list(codes))
    return {row["code"]: Balance(assets[row["asset"]], row["posted"], row["pending"]) for row in rows}


async def balance_at(connection: Connection, assets: Assets, code: str, at: datetime) -> Money:
    """What was posted to the account up to and including the time `at`. Found by bisection of the entries' numbers,
    since times never go back along them: the same cost at fifty entries and at five million.
    """
    row = await connection.fetchrow(sql.balance_at, code, at)
    assert row is not None, f"not open: {code}"
    return Money(row["balance"], assets[row["asset"]])


async def statement(connection: Connection, asset: Asset, code: str, before: int | None, limit: int) -> list[Entry]:
    """Up to `limit` entries of the account, newest first, numbered below `before` (None: from the newest)."""
    rows = await connection.fetch(sql.statement_page, code, before if before is not None else 2**63 - 1, limit)
    return [
        Entry(
            row["number"],
            Side(row["side"]),
            Money(row["amount"], asset),
            Money(row["balance"], asset),
            row["purpose"],
            row["subject"],
            row["posted_at"],
        )
        for row in rows
    ]


# ---- writing --------------------------------------------------------------------------------------------------------


async def post(connection: Connection, transfers: Sequence[Transfer], at: datetime) -> list[Result]:
    """Write transfers for good. Per transfer: POSTED, or InsufficientFunds, in order; a refused one leaves no trace."""
    return await write(connection, transfers, (), at)


async def hold(connection: Connection, transfers: Sequence[Transfer], at: datetime) -> list[Result]:
    """Set money aside. Per transfer: PENDING, or InsufficientFunds."""
    return await write(connection, (), transfers, at)


async def capture(connection: Connection, ends: Sequence[End], at: datetime) -> list[Result]:
    """Post what was held, or a part of it. Per end: POSTED, or TransferEnded, TransferNotFound, CaptureExceedsHold."""
    assert all(end.event is Event.CAPTURE for end in ends)
    return await write(connection, (), (), at, ends)


async def void(connection: Connection, ids: Sequence[TransferId], at: datetime) -> list[Result]:
    """Give back what was held. Per id: VOIDED, or TransferEnded, TransferNotFound."""
    return await write(connection, (), (), at, [End(id, Event.VOID) for id in ids])


async def expire(connection: Connection, ids: Sequence[TransferId], at: datetime) -> list[Result]:
    """Give back what was held because its time is over. Per id: EXPIRED, or TransferEnded, TransferNotFound."""
    return await write(connection, (), (), at, [End(id, Event.EXPIRE) for id in ids])


async def write(
    connection: Connection,
    posts: Sequence[Transfer],
    holds: Sequence[Transfer],
    at: datetime,
    ends: Sequence[End] = (),
) -> list[Result]:
    """All verbs in one: first the ends, then the posts, then the holds, each tried in order after those before it.

    Returns a result per item in that same order: ends, posts, holds. A transfer whose id is in the book already is
    answered as it was the first time and written no second time.
    """
    prepared = await _prepare_ends(connection, ends)
    items = [item for item in prepared if isinstance(item, _Item)]
    items += [_Item.of(transfer, State.POSTED) for transfer in posts]
    items += [_Item.of(transfer, State.PENDING) for transfer in holds]
    assert len({item.id for item in items}) == len(items), "one transfer is named twice in a batch"

    written = iter(await _write(connection, items, at)) if items else iter(())
    refused = [item for item in prepared if not isinstance(item, _Item)]
    if not refused:
        return list(written)
    return [item if not isinstance(item, _Item) else next(written) for item in prepared] + list(written)


def only(results: list[Result]) -> State:
    """The result of a batch of one; raises it when it is a refusal."""
    (result,) = results
    if isinstance(result, GatewayError):
        raise result
    return result


def all_done(results: list[Result]) -> None:
    """Raise the first refusal: for a batch that stands or falls together, in a transaction that then rolls back."""
    for result in results:
        if isinstance(result, GatewayError):
            raise result


@dataclass(frozen=True, slots=True)
class _Item:
    """A line of the batch as `book_write` takes it: `legs` are (debit, credit, posted, pending)."""

    id: TransferId
    new: bool
    state: State
    fact: bool
    purpose: str
    subject: UUID | None
    expires_at: datetime | None
    legs: tuple[tuple[AccountId, AccountId, int, int], ...]

    @staticmethod
    def of(transfer: Transfer, state: State) -> "_Item":
        held = state is State.PENDING
        legs = tuple(
            (leg.debit, leg.credit, 0 if held else leg.units, leg.units if held else 0) for leg in transfer.legs
        )
        assert legs, "a transfer has at least one leg"
        return _Item(
            transfer.id, True, state, transfer.fact, transfer.purpose, transfer.subject, transfer.expires_at, legs
        )


async def _prepare_ends(connection: Connection, ends: Sequence[End]) -> list[_Item | GatewayError]:
    """Lock the transfers to end and turn each into an item, or into the reason why it cannot end so."""
    if not ends:
        return []
    rows = await connection.fetch(sql.lock_transfers, [end.id for end in ends])
    legs = await connection.fetch(sql.hold_legs, [end.id for end in ends])
    states = {row["id"]: State(row["state"]) for row in rows}
    legs_of: dict[UUID, list[Record]] = {}
    for leg in legs:
        legs_of.setdefault(leg["transfer_id"], []).append(leg)

    prepared: list[_Item | GatewayError] = []
    for end in ends:
        try:
            if end.id not in states:
                raise TransferNotFound(str(end.id))
            states[end.id] = after(states[end.id], end.event)
            prepared.append(_end(end, states[end.id], legs_of[end.id]))
        except GatewayError as refusal:
            prepared.append(refusal)
    return prepared


def _end(end: End, state: State, held: list[Record]) -> _Item:
    captured = end.units or tuple(leg["amount"] if end.event is Event.CAPTURE else 0 for leg in held)
    assert len(captured) == len(held), "a capture names an amount for each leg"
    legs = []
    for leg, units in zip(held, captured, strict=True):
        if not 0 <= units <= leg["amount"]:
            asset = Asset(leg["asset"], leg["kind"], leg["decimals"], leg["backing"])
            raise CaptureExceedsHold(Money(units, asset), Money(leg["amount"], asset))
        legs.append((AccountId(leg["debit_id"]), AccountId(leg["credit_id"]), units, -leg["amount"]))
    return _Item(end.id, False, state, False, "", None, None, tuple(legs))


async def _write(connection: Connection, items: Sequence[_Item], at: datetime) -> list[Result]:
    accounts = sorted({id for item in items for leg in item.legs for id in leg[:2]})
    slots = {id: slot for slot, id in enumerate(accounts, start=1)}
    legs = [(number, *leg) for number, item in enumerate(items, start=1) for leg in item.legs]
    row = await connection.fetchrow(
        sql.book_write,
        at,
        accounts,
        [item.id for item in items],
        [item.new for item in items],
        [item.state.value for item in items],
        [item.fact for item in items],
        [item.purpose for item in items],
        [item.subject for item in items],
        [item.expires_at for item in items],
        [leg[0] for leg in legs],
        [slots[leg[1]] for leg in legs],
        [slots[leg[2]] for leg in legs],
        [leg[3] for leg in legs],
        [leg[4] for leg in legs],
    )
    assert row is not None
    if all(outcome in ("done", "exists") for outcome in row["outcome"]):
        return [item.state for item in items]
    return [await _result(connection, item, number, row) for number, item in enumerate(items)]


async def _result(connection: Connection, item: _Item, number: int, row: Record) -> Result:
    outcome = row["outcome"][number]
    if outcome == "ended":
        raise AssertionError(f"transfer {item.id} was locked and pending, and ended all the same")
    if outcome != "short":
        return item.state
    account = await connection.fetchrow(sql.account_by_id, row["short_account"][number])
    assert account is not None
    asset = Asset(account["asset"], account["kind"], account["decimals"], account["backing"])
    asked = sum(
        posted + pending
        for debit, credit, posted, pending in item.legs
        if account["id"] == (debit if account["normal"] == "credit" else credit)
    )
    available = row["short_available"][number]
    return InsufficientFunds(account["code"], Money(asked, asset), Money(available, asset))
