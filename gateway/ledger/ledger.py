"""The ledger's operations. Each takes a connection first, inside the caller's transaction, and many things at once.

Lock order: holds in id order, then accounts in id order. `write` takes both once, so a use case calls it once with all
that it writes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from gateway.errors import GatewayError, Misconfigured
from gateway.ids import AccountId, TransferId
from gateway.ledger.account import Balance, Side, kind_of
from gateway.ledger.errors import CaptureExceedsHold, InsufficientFunds, TransferNotFound
from gateway.ledger.transfer import End, Event, State, Transfer, after
from gateway.money import Asset, Assets, Money
from gateway.postgres.pool import Connection, Record, Statements

sql = Statements(__package__, "ledger.sql")

#: The least difference between two times in PostgreSQL.
_TICK: Final = timedelta(microseconds=1)

#: The result of one step of a batch: the transfer's state now, or why it was refused.
Result = State | GatewayError


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a statement. `amount` and `balance` (after it) are in the account's asset."""

    number: int
    side: Side
    amount: Money
    balance: Money
    purpose: str
    subject: UUID
    posted_at: datetime


# ---- accounts -------------------------------------------------------------------------------------------------------


async def declare(connection: Connection, assets: Assets) -> None:
    """Register the configured assets in the ledger. The decimals of an asset never change.

    An asset that is no longer configured stays in the ledger. Raises Misconfigured if one was registered differently.
    """
    for asset in assets:
        known = await connection.fetchrow(sql.declare_asset, asset.code, asset.kind, asset.decimals, asset.backing)
        if known is not None:
            _check_same(asset, Asset(asset.code, known["kind"], known["decimals"], known["backing"]))


async def with_former(connection: Connection, assets: Assets) -> Assets:
    """Return the configured assets, and the others that the ledger has. Raises Misconfigured if a configured asset is
    not registered, or was registered differently.
    """
    rows = await connection.fetch(sql.known_assets)
    known = {row["code"]: Asset(row["code"], row["kind"], row["decimals"], row["backing"]) for row in rows}
    for asset in assets:
        if asset.code not in known:
            raise Misconfigured(f"{asset.code} is configured and not in the ledger yet: run 'gateway migrate'")
        _check_same(asset, known[asset.code])
    return Assets(assets, known.values())


def _check_same(asset: Asset, known: Asset) -> None:
    if asset == known:
        return
    was = f"{asset.code} is in the ledger as a {known.kind} with {known.decimals} decimals"
    if asset.kind == known.kind == "fiat":
        raise Misconfigured(
            f"{was}, and ISO 4217 gives it {asset.decimals} now: take it out of GATEWAY_CURRENCIES; what people have "
            "of it can still be paid and withdrawn"
        )
    raise Misconfigured(f"{was}; configure it so")


async def accounts(
    connection: Connection, wanted: Iterable[tuple[str, Asset]], if_open: Iterable[str] = ()
) -> dict[str, AccountId]:
    """Return the ids of the accounts with these codes. Accounts that are not open yet are opened, in the order of their
    codes. Those of `if_open` are not opened: one that is not open is left out.
    """
    asset_of = dict(wanted)
    codes = [*asset_of, *if_open]
    found = {row["code"]: AccountId(row["id"]) for row in await connection.fetch(sql.account_ids, codes)}
    closed = sorted(asset_of.keys() - found.keys())
    if closed:
        kinds = [kind_of(code) for code in closed]
        await connection.execute(
            sql.open_accounts,
            closed,
            [asset_of[code].code for code in closed],
            [kind.normal.value for kind in kinds],
            [kind.guarded for kind in kinds],
        )
        found = {row["code"]: AccountId(row["id"]) for row in await connection.fetch(sql.account_ids, codes)}
    return found


async def lock(connection: Connection, accounts: Iterable[AccountId]) -> None:
    """Lock accounts in the order that every writer uses, before several writes in one transaction."""
    await connection.execute(sql.lock_accounts, list(accounts))


async def balances(connection: Connection, assets: Assets, codes: Iterable[str]) -> dict[str, Balance]:
    """Return the balance of each account, by code, at one moment. Reads one row per account, however many entries it
    has.
    """
    rows = await connection.fetch(sql.balances, list(codes))
    return {row["code"]: Balance(assets[row["asset"]], row["posted"], row["pending"]) for row in rows}


async def balances_at(connection: Connection, codes: Mapping[str, Asset], at: datetime) -> dict[str, Money]:
    """Return the posted balance of each account at the time `at`, inclusive, by code. It bisects the entries' numbers,
    so it costs the same with fifty entries as with five million. What was pending then is not known.
    """
    found = await last_before(connection, [(code, at + _TICK) for code in codes])
    return {code: Money(balance, asset) for (code, asset), (_, balance) in zip(codes.items(), found, strict=True)}


async def last_before(connection: Connection, asked: Sequence[tuple[str, datetime]]) -> list[tuple[int, int]]:
    """Per account code and time: return the number of the last entry before the time, and the balance after it in
    units. (0, 0) if there is none, or the account is not open.
    """
    rows = await connection.fetch(sql.last_before, [code for code, _ in asked], [at for _, at in asked])
    found = {row["place"]: (row["number"], row["balance"]) for row in rows}
    return [found.get(place, (0, 0)) for place in range(1, len(asked) + 1)]


async def numbers_between(
    connection: Connection, code: str, begins: datetime | None, ends: datetime | None
) -> tuple[int, int | None]:
    """Return the range of the account's entries posted from `begins` on and before `ends`: numbered above the first
    number and below the second. None for either time, and for the second number, means open.
    """
    asked = [(code, at) for at in (begins, ends) if at is not None]
    numbers = [number for number, _ in await last_before(connection, asked)] if asked else []
    after = numbers.pop(0) if begins is not None else 0
    return after, numbers[0] + 1 if numbers else None


async def statement(connection: Connection, asset: Asset, code: str, before: int | None, limit: int) -> list[Entry]:
    """Return up to `limit` entries of the account, newest first, numbered below `before` (None: from the newest)."""
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


async def write(connection: Connection, steps: Sequence[Transfer | End], at: datetime) -> list[Result]:
    """Post, hold, capture, void and expire, in the order given; each step sees the balances that the steps before it
    left.

    Returns a result per step: the transfer's state now, or InsufficientFunds (a new transfer), TransferEnded,
    TransferNotFound or CaptureExceedsHold (an end). A refused step writes nothing and does not affect the others. A
    transfer whose id is in the ledger already gets its first result again, and is not written a second time.
    """
    prepared = await _prepare(connection, steps)
    ready = [step for step in prepared if isinstance(step, _Step)]
    assert len({step.id for step in ready}) == len(ready), "one transfer is named twice in a batch"
    written = iter(await _write(connection, ready, at) if ready else ())
    return [next(written) if isinstance(step, _Step) else step for step in prepared]


async def post(connection: Connection, transfers: Sequence[Transfer], at: datetime) -> list[Result]:
    """Post transfers. Per transfer: POSTED, or InsufficientFunds."""
    assert not any(transfer.hold for transfer in transfers)
    return await write(connection, transfers, at)


async def hold(connection: Connection, transfers: Sequence[Transfer], at: datetime) -> list[Result]:
    """Hold money. Per transfer: PENDING, or InsufficientFunds."""
    return await write(connection, [replace(transfer, hold=True) for transfer in transfers], at)


async def capture(connection: Connection, ends: Sequence[End], at: datetime) -> list[Result]:
    """Post all or part of each hold. Per end: POSTED, or TransferEnded, TransferNotFound, CaptureExceedsHold."""
    assert all(end.event is Event.CAPTURE for end in ends)
    return await write(connection, ends, at)


async def void(connection: Connection, ids: Sequence[TransferId], at: datetime) -> list[Result]:
    """Release holds. Per id: VOIDED, or TransferEnded, TransferNotFound."""
    return await write(connection, [End(id, Event.VOID) for id in ids], at)


async def expire(connection: Connection, ids: Sequence[TransferId], at: datetime) -> list[Result]:
    """Release holds that have expired. Per id: EXPIRED, or TransferEnded, TransferNotFound."""
    return await write(connection, [End(id, Event.EXPIRE) for id in ids], at)


def only(results: list[Result]) -> State:
    """Return the result of a batch of one, or raise it if it is an error."""
    (result,) = results
    if isinstance(result, GatewayError):
        raise result
    return result


def all_done(results: list[Result]) -> None:
    """Raise the first error, for a batch that is all or nothing: the caller's transaction then rolls back."""
    for result in results:
        if isinstance(result, GatewayError):
            raise result


@dataclass(frozen=True, slots=True)
class _Step:
    """A step of the batch as `ledger_write` takes it: `legs` are (debit, credit, posted, pending)."""

    id: TransferId
    new: bool
    state: State
    unconditional: bool
    purpose: str
    subject: UUID
    legs: tuple[tuple[AccountId, AccountId, int, int], ...]

    @staticmethod
    def of(transfer: Transfer) -> "_Step":
        posted, pending = (0, 1) if transfer.hold else (1, 0)
        legs = tuple((leg.debit, leg.credit, leg.units * posted, leg.units * pending) for leg in transfer.legs)
        assert legs, "a transfer has at least one leg"
        state = State.PENDING if transfer.hold else State.POSTED
        return _Step(transfer.id, True, state, transfer.unconditional, transfer.purpose, transfer.subject, legs)


async def _prepare(connection: Connection, steps: Sequence[Transfer | End]) -> list[_Step | GatewayError]:
    """Lock the holds that are to end. Returns each step ready to be written, or why it is refused."""
    ending = [step.id for step in steps if isinstance(step, End)]
    legs_of: dict[UUID, list[Record]] = {}
    for leg in await connection.fetch(sql.lock_holds, ending) if ending else ():
        legs_of.setdefault(leg["id"], []).append(leg)
    states = {id: State(legs[0]["state"]) for id, legs in legs_of.items()}

    prepared: list[_Step | GatewayError] = []
    for step in steps:
        if isinstance(step, Transfer):
            prepared.append(_Step.of(step))
            continue
        try:
            if step.id not in states:
                raise TransferNotFound(str(step.id))
            ended = after(states[step.id], step.event)
            prepared.append(await _end(connection, step, ended, legs_of[step.id]))
            states[step.id] = ended
        except GatewayError as refusal:
            prepared.append(refusal)
    return prepared


async def _end(connection: Connection, end: End, state: State, held: list[Record]) -> _Step:
    captured = end.units or tuple(leg["amount"] if end.event is Event.CAPTURE else 0 for leg in held)
    assert len(captured) == len(held), "a capture names an amount for each leg"
    legs = []
    for leg, units in zip(held, captured, strict=True):
        if not 0 <= units <= leg["amount"]:
            row = await connection.fetchrow(sql.accounts_by_id, [leg["debit_id"]])
            assert row is not None
            asset = Asset(row["asset"], row["kind"], row["decimals"], row["backing"])
            raise CaptureExceedsHold(Money(units, asset), Money(leg["amount"], asset))
        legs.append((AccountId(leg["debit_id"]), AccountId(leg["credit_id"]), units, -leg["amount"]))
    return _Step(end.id, False, state, False, held[0]["purpose"], held[0]["subject"], tuple(legs))


async def _write(connection: Connection, steps: Sequence[_Step], at: datetime) -> list[Result]:
    """Write the steps. Ends are cheaper if no new transfer in the batch shares an account with one of them, as with gas
    beside the captures of a block range: nothing has to be decided for them, and either can be written first.
    """
    ends, new = [step for step in steps if not step.new], [step for step in steps if step.new]
    ended, touched = _accounts(ends), _accounts(new)
    if not ends or ended & touched:
        return await _write_in_order(connection, steps, at)
    if not new:
        return await _write_ends(connection, ends, at)
    if max(touched) > min(ended):  # otherwise those of the new transfers come first in the order in which both lock
        await lock(connection, ended | touched)
    done = dict(zip((step.id for step in new), await _write_in_order(connection, new, at), strict=True))
    done |= zip((step.id for step in ends), await _write_ends(connection, ends, at), strict=True)
    return [done[step.id] for step in steps]


def _accounts(steps: Iterable[_Step]) -> set[AccountId]:
    return {id for step in steps for leg in step.legs for id in leg[:2]}


async def _write_in_order(connection: Connection, steps: Sequence[_Step], at: datetime) -> list[Result]:
    """Write any mixture: each step is decided with the balances that the steps before it left."""
    accounts = sorted(_accounts(steps))
    slots = {id: slot for slot, id in enumerate(accounts, start=1)}
    legs = [(number, *leg) for number, step in enumerate(steps, start=1) for leg in step.legs]
    row = await connection.fetchrow(
        sql.ledger_write,
        at,
        accounts,
        [step.id for step in steps],
        [step.new for step in steps],
        [step.state.value for step in steps],
        [step.unconditional for step in steps],
        [step.purpose for step in steps],
        [step.subject for step in steps],
        [leg[0] for leg in legs],
        [slots[leg[1]] for leg in legs],
        [slots[leg[2]] for leg in legs],
        [leg[3] for leg in legs],
        [leg[4] for leg in legs],
    )
    assert row is not None
    if all(outcome in ("done", "exists") for outcome in row["outcome"]):
        return [step.state for step in steps]
    short = {account for account in row["short_account"] if account is not None}
    by_id = {found["id"]: found for found in await connection.fetch(sql.accounts_by_id, list(short))}
    return [
        _result(step, outcome, by_id.get(account), available)
        for step, outcome, account, available in zip(
            steps, row["outcome"], row["short_account"], row["short_available"], strict=True
        )
    ]


async def _write_ends(connection: Connection, steps: Sequence[_Step], at: datetime) -> list[Result]:
    """Write the ends of holds that are locked and pending, so none can be refused."""
    legs = [(step, number, leg[2]) for step in steps for number, leg in enumerate(step.legs, start=1)]
    await connection.execute(
        sql.ledger_end,
        at,
        [step.id for step, _, _ in legs],
        [number for _, number, _ in legs],
        [step.state.value for step, _, _ in legs],
        [units for _, _, units in legs],
    )
    return [step.state for step in steps]


def _result(step: _Step, outcome: str, short: Record | None, available: int | None) -> Result:
    if outcome == "ended":
        raise AssertionError(f"transfer {step.id} was locked and pending, and ended all the same")
    if outcome != "short":
        return step.state
    assert short is not None
    assert available is not None
    asset = Asset(short["asset"], short["kind"], short["decimals"], short["backing"])
    asked = sum(
        posted + pending
        for debit, credit, posted, pending in step.legs
        if short["id"] == (debit if short["normal"] == "credit" else credit)
    )
    return InsufficientFunds(short["code"], Money(asked, asset), Money(available, asset))
