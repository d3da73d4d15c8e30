"""The gateway's health: queues and their age, how far the chain was read, and the sizes of the tables.

All of it is read from the database in a few statements, each of which counts up to a limit or reads an index. No node
is called.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.chain.relayer import batches
from gateway.chain.watcher import cursors
from gateway.events import log
from gateway.notifications import delivery as notification_delivery
from gateway.payments.model.settings import PaymentSettings
from gateway.postgres.pool import Connection, Database, Statements
from gateway.postgres.sizes import Sizes, sizes
from gateway.reconciliation import diagnosis, monitor
from gateway.reconciliation.diagnosis import Result
from gateway.webhooks import delivery

sql = Statements(__package__, "health.sql")


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many are waiting, counted up to a limit, and since when the oldest is."""

    count: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class Chain:
    """The final block that the ledger is read up to, its time, and the block up to which the ledger was reconciled."""

    block: int
    block_at: datetime
    reconciled: int | None


@dataclass(frozen=True, slots=True)
class Health:
    """The gateway's health.

    `queued`: token payments, by token. `submitted`: chain transactions that are in no final block.
    `webhooks_due_since`: the oldest webhook that is due, at endpoints that are not failing. `webhooks_behind` and
    `notifications_behind`: how many events are not processed yet. `stopped`, `refused` and `low`: numbers of relayers.
    """

    queued: dict[str, Waiting]
    submitted: Waiting
    chain: Chain | None
    endpoints: dict[str, int]
    webhooks_due_since: datetime | None
    webhooks_behind: int
    notifications: dict[str, Waiting]
    notifications_behind: int
    events: int
    stopped: int
    refused: int
    low: int
    worker_seen: datetime | None
    sizes: Sizes


async def health(connection: Connection, settings: PaymentSettings) -> Health:
    """Return the gateway's health as it is now."""
    position = await log.last(connection)
    submitted = await connection.fetchrow(sql.submitted)
    relayers = await connection.fetchrow(sql.relayers)
    assert submitted is not None
    assert relayers is not None
    webhooks, told = await delivery.backlog(connection), await notification_delivery.backlog(connection)
    return Health(
        queued={code: Waiting(*waiting) for code, waiting in (await batches.queue(connection)).items()},
        submitted=Waiting(submitted["count"], submitted["oldest"]),
        chain=await _chain(connection, settings),
        endpoints={str(state): count for state, count in webhooks.endpoints.items()},
        webhooks_due_since=webhooks.due_since,
        webhooks_behind=max(position - webhooks.reached, 0),
        notifications={channel: Waiting(one.count, one.oldest) for channel, one in told.waiting.items()},
        notifications_behind=max(position - told.reached, 0),
        events=position,
        stopped=relayers["stopped"],
        refused=relayers["refused"],
        low=relayers["low"],
        worker_seen=relayers["seen"],
        sizes=await sizes(connection),
    )


async def _chain(connection: Connection, settings: PaymentSettings) -> Chain | None:
    chain_id = next((contract.chain_id for contract in settings.contracts.values()), None)
    cursor = None if chain_id is None else await cursors.read(connection, chain_id)
    if cursor is None:
        return None
    reconciled = await monitor.reconciled_to(connection, cursor.chain_id)
    return Chain(cursor.number, datetime.fromtimestamp(cursor.timestamp, UTC), reconciled)


async def checks(database: Database, settings: PaymentSettings) -> Sequence[tuple[str, Result]]:
    """Run the diagnostics of `gateway doctor` that this process can make. Returns them by their names there."""
    return [
        ("durability", await diagnosis.durability(database)),
        ("clock", await diagnosis.clock(database)),
        ("worker", await diagnosis.worker(database, settings)),
        ("recovery", await diagnosis.recovery(database, settings)),
        ("checkpoints", await diagnosis.checkpoints(database)),
    ]
