"""The acts: appended in the transaction that does them, numbered as the event log is, and never changed.

Writers do not wait for each other. As in events/log.py, a number may be there while a lesser one is still being
written, so a writer announces what the last number was before it is given any, with an advisory lock that ends with its
transaction; whoever reads in order stops before what is announced.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from gateway.ids import WalletId
from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "audit.sql")

#: What announced numbers are counted from; those of events are counted from 1 << 62.
ANNOUNCED = (1 << 62) + (1 << 61)


@dataclass(frozen=True, slots=True)
class By:
    """Who did it: the kind of what they showed, and its id as people see it (`psk_…`, an operator's name, who was
    logged in at the machine); none for whoever needs to show nothing, and for the worker.
    """

    kind: Literal["anyone", "api_key", "session", "passkey", "recovery", "operator", "worker", "command"]
    id: str = ""


#: Whoever asked: what they did needs no credential.
ANYONE = By("anyone")

#: The worker, by itself.
WORKER = By("worker")


@dataclass(frozen=True, slots=True)
class Act:
    """An act to append. `wallet` is whose it concerns (None: the house), `by` who did it, `subject` the id of what it
    was done to; `facts` are plain JSON values: no secrets, and nothing that people wrote to each other.
    """

    kind: str
    wallet: WalletId | None
    by: By
    subject: UUID | None
    facts: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class LoggedAct:
    """An act of the log: its number, which only grows, and when it was done."""

    number: int
    kind: str
    wallet: WalletId | None
    by: By
    subject: UUID | None
    facts: Any
    at: datetime


async def append(connection: Connection, acts: Sequence[Act], at: datetime) -> None:
    """Write the acts, in order, as part of the caller's transaction."""
    if acts:
        await connection.execute(sql.announce_acts, ANNOUNCED)
        await connection.execute(
            sql.append_acts,
            [act.kind for act in acts],
            [act.wallet for act in acts],
            [act.by.kind for act in acts],
            [act.by.id for act in acts],
            [act.subject for act in acts],
            [msgspec.json.encode(act.facts).decode() for act in acts],
            at,
        )


async def read(
    connection: Connection,
    wallet: WalletId | None = None,
    kind: str | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[LoggedAct]:
    """Up to `limit` acts, newest first: all, or those of a wallet, of a kind (`wallet` means `wallet.created` too),
    numbered below `before`.
    """
    rows = await connection.fetch(sql.acts, wallet, kind, before, limit)
    return [
        LoggedAct(
            number=row["id"],
            kind=row["kind"],
            wallet=WalletId(row["wallet_id"]) if row["wallet_id"] else None,
            by=By(row["by_kind"], row["by_id"]),
            subject=row["subject"],
            facts=msgspec.json.decode(row["facts"]),
            at=row["at"],
        )
        for row in rows
    ]
