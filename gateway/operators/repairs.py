"""Repairs of the gateway itself, after a restore or a mistake, by two operators, or by one person at the machine if
there are no two operators.

    recovery.confirm   losses of a restore are reviewed: token payments, conversions, withdrawals and claims continue
    handle.return      a handle that was lost may be claimed again, with the tokens at its address
    ledger.correct     a transfer that corrects the ledger, stored with its reason

A correction is a transfer like any other: between two accounts of one asset, append-only, refused if a wallet has
insufficient funds. It changes and removes nothing, and the next reconciliation shows whether it was right.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, get_args
from uuid import UUID

from gateway.audit import log as audit
from gateway.audit.log import AuditEvent, By
from gateway.errors import Forbidden, InvalidRequest, StateConflict
from gateway.events import log
from gateway.identity import wallet as wallets
from gateway.identity.errors import UnknownHandle
from gateway.ids import TransferId, new_id
from gateway.ledger import account, ledger
from gateway.ledger.transfer import Leg, Transfer
from gateway.money import Asset, Assets, Money
from gateway.operators.roles import Repair
from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "repairs.sql")

#: The prefix of correction ids.
PREFIX: Final = "cor"

#: The kinds of repairs.
REPAIRS: Final[tuple[Repair, ...]] = get_args(Repair)


@dataclass(frozen=True, slots=True)
class Correction:
    """`money` is debited to one account and credited to the other, each named by its code (`wallet:alice:USD`). A debit
    decreases a wallet, a reserve and the outside account, and increases the bank and the supply.
    """

    debit: str
    credit: str
    money: Money

    @property
    def terms(self) -> str:
        """The correction in words."""
        return f"{self.money}: debit {self.debit}, credit {self.credit}"


@dataclass(frozen=True, slots=True)
class Posted:
    """A correction in the ledger, and who made it."""

    id: UUID
    correction: Correction
    reason: str
    by: Sequence[str]
    at: datetime


# ---- recovery -------------------------------------------------------------------------------------------------------


async def to_confirm(connection: Connection) -> tuple[UUID, str]:
    """The recovery that can be confirmed, and its findings in words. Raises StateConflict if there is none, or if it
    has not read everything yet.
    """
    row = await connection.fetchrow(sql.recovery_to_confirm)
    if row is None:
        raise StateConflict("the gateway", "not in recovery", "confirmed")
    if row["read_at"] is None:
        raise StateConflict("recovery", "still reading the chain: a worker has to run", "confirmed")
    return row["id"], f"{row['payments']} payments restored from the chain, {row['addresses']} addresses of no wallet"


async def confirm(connection: Connection, id: UUID, by: By, now: datetime) -> None:
    """End the recovery. Raises StateConflict if the gateway is not in recovery, or if there is more to read since."""
    if await connection.fetchval(sql.confirm_recovery, id, now, by.id) is None:
        raise StateConflict("recovery", "ended, or reading the chain again", "confirmed")
    await _append_events(connection, "recovery.ended", id, by, {}, now)


# ---- a handle that was lost -----------------------------------------------------------------------------------------


async def lost(connection: Connection, address: str | None, handle: str) -> str:
    """The address of a handle that was lost and not returned yet. Raises StateConflict."""
    found: str | None = await connection.fetchval(sql.lost_address, address)
    if found is None:
        raise StateConflict(f"@{handle}", "not known to be lost, or given back already", "returned")
    return found


async def give_back(connection: Connection, address: str, by: By, now: datetime) -> None:
    """Let the handle of this address be claimed again. Raises StateConflict."""
    if await connection.fetchval(sql.return_address, address, now) is None:
        raise StateConflict(address, "given back already", "returned")
    await _append_events(connection, "handle.returned", None, by, {"address": address}, now)


# ---- a correction ---------------------------------------------------------------------------------------------------


async def check(connection: Connection, correction: Correction) -> None:
    """Check a correction. Raises InvalidRequest for an account that does not exist, and UnknownHandle."""
    if correction.debit == correction.credit:
        raise InvalidRequest("correction", "debit and credit are the same account; name two")
    for code in (correction.debit, correction.credit):
        await _check_code(connection, code, correction.money.asset)


async def _check_code(connection: Connection, code: str, asset: Asset) -> None:
    kind, _, rest = code.partition(":")
    handle, _, of = rest.rpartition(":")
    if kind not in account.KINDS or of != asset.code or bool(handle) != (kind == "wallet"):
        raise InvalidRequest(
            "correction", f"{code[:80]!r} is no account of {asset.code}; write wallet:alice:{asset.code}, for example"
        )
    if handle:
        of_handle = await wallets.by_handles(connection, [handle])
        if not of_handle:
            raise UnknownHandle(handle[:60])
        if asset.kind == "fiat" and await wallets.closed(connection, [of_handle[handle].id]):
            raise InvalidRequest(
                "correction", f"@{handle} was closed by its owner, and is never paid again; correct a system account"
            )
    if not handle and code not in await ledger.accounts(connection, (), if_open=[code]):
        raise InvalidRequest("correction", f"{code[:80]!r} was never used; correct one that was")


async def correct(
    connection: Connection, correction: Correction, reason: str, by: By, who: Sequence[str], now: datetime
) -> UUID:
    """Post the correction, with its reason and the people who decided it. Returns its id. Raises InsufficientFunds, and
    as `check`.

    Both logs record it, with an event of each wallet that it touches.
    """
    await check(connection, correction)
    asset, id = correction.money.asset, TransferId(new_id(now))
    ids = await ledger.accounts(connection, [(correction.debit, asset), (correction.credit, asset)])
    leg = Leg(ids[correction.debit], ids[correction.credit], correction.money.units)
    ledger.only(await ledger.post(connection, [Transfer(id, "correction", id, (leg,))], now))
    await connection.execute(
        *(sql.add_correction, id, correction.debit, correction.credit, asset.code, correction.money.units),
        *(reason, list(who), now),
    )
    details = {
        "debit": correction.debit,
        "credit": correction.credit,
        "amount": correction.money.amount,
        "asset": asset.code,
        "reason": reason,
    }
    handles = [code.split(":")[1] for code in (correction.debit, correction.credit) if code.startswith("wallet:")]
    touched = (await wallets.by_handles(connection, handles)).values() if handles else ()
    await log.append(connection, [log.Event("ledger.corrected", one.id, id, details) for one in touched], now)
    await _append_events(connection, "ledger.corrected", id, by, details, now)
    return id


async def corrections(connection: Connection, assets: Assets) -> list[Posted]:
    """All corrections, newest first."""
    return [
        Posted(
            row["id"],
            Correction(row["debit"], row["credit"], Money(int(row["amount"]), assets[row["asset"]])),
            row["reason"],
            row["by"],
            row["posted_at"],
        )
        for row in await connection.fetch(sql.corrections)
    ]


# ---- alone ----------------------------------------------------------------------------------------------------------


async def begin_alone(connection: Connection, kind: Repair, what: str, reason: str, by: By, now: datetime) -> None:
    """Let one person at the machine begin an operation that needs two operators, because there are no two. Both logs
    record it. Raises Forbidden if there are two.
    """
    if await connection.fetchval(sql.enrolled) >= 2:
        raise Forbidden(f"two operators do this: one proposes {kind} at /v1/operator/proposals, another approves it")
    details = {"what": kind, "of": what, "by": by.id, "reason": reason}
    await _append_events(connection, "operator.break_glass", None, by, details, now)


async def _append_events(
    connection: Connection, kind: str, subject: UUID | None, by: By, details: dict[str, str], now: datetime
) -> None:
    """Append an audit event, and an event of the gateway."""
    await log.append(connection, [log.Event(kind, None, subject, details)], now)
    await audit.append(connection, [AuditEvent(kind, None, by, subject, details)], now)
