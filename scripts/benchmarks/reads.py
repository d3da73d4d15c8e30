"""How long PostgreSQL takes to read balances, statements and payments, in a small ledger and in a big one, in turns.

These are the gateway's own statements, prepared, over one connection and with nothing else going on. A page has fifty
lines. Of an account with a long past, pages from all over it are read.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any
from uuid import UUID

import msgspec

from benchmarks.rig import Connection, Ledger
from gateway.ledger.ledger import sql as of_ledger
from gateway.payments.records.records import sql as of_payments

CALLS = 2_000
_PLANNED = 10  #: By then PostgreSQL has settled on a plan.
_ASKED = _PLANNED + CALLS
_EXPLAINED = 100
_LIMIT = 50
_NEWEST, _LATEST = 2**63 - 1, UUID(int=2**128 - 1)


@dataclass(frozen=True)
class Read:
    """A statement, and the arguments of each of its calls."""

    name: str
    statement: str
    asked: list[tuple[Any, ...]]


async def prepare(connection: Connection, ledger: Ledger, turn: int) -> list[Read]:
    """What is read of the ledger in a turn: at random handles, payments and places in the past of handle 0. No turn
    reads what an earlier one has read, which is still in PostgreSQL's buffers.
    """
    draw = random.Random(turn)  # nosec B311 # noqa: S311 - the same questions in every run
    handles = [f"h{draw.randrange(1, ledger.handles):07}" for _ in range(_ASKED)]
    found = await connection.fetch("SELECT handle, id FROM wallet WHERE handle = ANY ($1)", [*handles, "h0000000"])
    wallets: dict[str, UUID] = {row["handle"]: row["id"] for row in found}
    percent = min(100.0, 300.0 * _ASKED / max(ledger.loaded, 1))
    payments = await connection.fetch(
        f"""
        SELECT paid.id, account.owner AS payer
        FROM ledger_payment AS paid TABLESAMPLE BERNOULLI ({percent}) REPEATABLE ({turn})
        JOIN account ON account.id = debit_id
        """  # noqa: S608
    )
    long = "wallet:h0000000:EUR"
    entries = await connection.fetchval("SELECT entries FROM account WHERE code = $1", long)
    places = [draw.randint(_LIMIT, entries) for _ in range(_ASKED)]
    own = await connection.fetch(
        """
        SELECT coalesce(paid.id, got.id) AS id
        FROM account, unnest($1::bigint[]) AS place
        LEFT JOIN LATERAL (
            SELECT id FROM ledger_payment WHERE debit_id = account.id AND debit_number = place
        ) AS paid ON true
        LEFT JOIN LATERAL (
            SELECT id FROM ledger_payment WHERE credit_id = account.id AND credit_number = place
        ) AS got ON true
        WHERE code = $2
        """,
        *(places, long),
    )
    cursors = draw.choices([row["id"] for row in own if row["id"] is not None], k=_ASKED)
    chosen = draw.choices(payments, k=_ASKED)
    return [
        Read("balance", of_ledger.balances, [([f"wallet:{handle}:EUR"],) for handle in handles]),
        Read("statement", of_ledger.statement_page, [(f"wallet:{h}:EUR", _NEWEST, _LIMIT) for h in handles]),
        Read("payments", of_payments.payments_page, [(wallets[h], _LATEST, _LIMIT) for h in handles]),
        Read("payment by id", of_payments.payment_of_party, [(one["id"], one["payer"]) for one in chosen]),
        Read("balance, long past", of_ledger.balances, [([long],)] * _ASKED),
        Read("statement, long past", of_ledger.statement_page, [(long, place, _LIMIT) for place in places]),
        Read("payments, long past", of_payments.payments_page, [(wallets["h0000000"], id, _LIMIT) for id in cursors]),
        Read(
            *("payments, before another's", of_payments.payments_page),
            [(wallets["h0000000"], one["id"], _LIMIT) for one in chosen],
        ),
    ]


async def milliseconds(connection: Connection, read: Read) -> tuple[float, float]:
    """Median and p99 of all its calls, as the driver sees them."""
    prepared = await connection.prepare(read.statement)
    for asked in read.asked[:_PLANNED]:
        await prepared.fetch(*asked)
    took = []
    for asked in read.asked[_PLANNED:]:
        started = time.perf_counter()
        await prepared.fetch(*asked)
        took.append((time.perf_counter() - started) * 1e3)
    return median(took), quantiles(took, n=100)[-1]


async def blocks(connection: Connection, read: Read) -> tuple[float, float]:
    """How many blocks of 8 KiB a call finds in PostgreSQL's buffers, and how many it has to fetch into them, in the
    median, by EXPLAIN (ANALYZE, BUFFERS) of the plan that is kept.
    """
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    await connection.execute(f"PREPARE explained AS {read.statement}")
    hits: list[int] = []
    fetched: list[int] = []
    for asked in read.asked[:_EXPLAINED]:
        arguments = ", ".join(_literal(one) for one in asked)
        text = await connection.fetchval(
            f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) EXECUTE explained ({arguments})"
        )
        (told,) = msgspec.json.decode(text)
        hits.append(told["Plan"]["Shared Hit Blocks"])
        fetched.append(told["Plan"]["Shared Read Blocks"])
    await connection.execute("DEALLOCATE explained")
    await connection.execute("RESET plan_cache_mode")
    return median(hits), median(fetched)


def _literal(argument: Sequence[str] | str | int | UUID) -> str:
    """Only for our own arguments: handles, ids and numbers."""
    if isinstance(argument, int):
        return str(argument)
    if isinstance(argument, str | UUID):
        return f"'{argument}'"
    return "ARRAY[" + ", ".join(f"'{one}'" for one in argument) + "]"
