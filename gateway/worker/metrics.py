"""The metrics of a worker (metrics/catalogue.py).

Its jobs are counted as they run. Everything else is read from the database and the node at each scrape, and is the same
from every worker of a database. Values that could not be read are left out.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from gateway.chain.block import Block, Fees
from gateway.chain.deployment import deploy
from gateway.chain.errors import ChainReplaced, NodeUnavailable
from gateway.chain.relayer import batches, gas_balance, relayers
from gateway.chain.relayer.relayers import Relayer
from gateway.chain.watcher import same_chain
from gateway.chain.watcher.cursors import Cursor
from gateway.errors import GatewayError
from gateway.events import log
from gateway.metrics.exporter import Exporter, Samples, by_label, single
from gateway.money import Money
from gateway.notifications import delivery as notification_delivery
from gateway.payments.checks import withdrawal_freeze
from gateway.reconciliation import monitor
from gateway.settlement import gas
from gateway.webhooks import delivery
from gateway.webhooks.delivery import Backlog
from gateway.worker.worker import Worker


@dataclass(slots=True)
class _InDatabase:
    """Values read from the database. `cursor` is None if no contract is deployed yet."""

    position: int
    cursor: Cursor | None
    relayers: list[str]
    queue: dict[str, tuple[int, datetime | None]]
    differences: dict[str, tuple[int, int]]
    frozen: set[str]
    webhooks: Backlog
    notifications: notification_delivery.Backlog


@dataclass(slots=True)
class _AtNode:
    """Values read from the node."""

    head: Block | None
    fees: Fees
    relayers: list[Relayer] = field(default_factory=list)


class WorkerMetrics:
    """Reads the metrics of a worker's database and node."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._database: _InDatabase | None = None
        self._node: _AtNode | None = None
        self._node_up = False

    def export(self, exporter: Exporter) -> None:
        """Register these metrics."""
        exporter.refreshing(self.refresh)
        runs = self._worker.runs
        exporter.register("gateway_worker_job_runs_total", lambda: list(runs.counts.items()))
        exporter.register(
            "gateway_worker_job_last_success_timestamp_seconds",
            lambda: [((job,), at.timestamp()) for job, at in runs.succeeded_at.items()],
        )
        exporter.register("gateway_webhook_attempts_total", lambda: by_label(self._worker.webhooks.attempts))
        exporter.register(
            "gateway_notification_attempts_total", lambda: list(self._worker.notifications.attempts.items())
        )
        exporter.register("gateway_notifications_total", lambda: list(self._worker.notifications.ended.items()))
        exporter.register("gateway_database_up", lambda: single(self._database is not None))
        exporter.register("gateway_node_up", lambda: single(self._node_up))
        self._export_database(exporter)
        self._export_chain(exporter)
        self._export_relayers(exporter)

    async def refresh(self) -> None:
        """Read both once. The database's values are exported even if the node is unavailable."""
        self._database = self._node = None
        self._node_up = False
        worker = self._worker
        try:
            found = await self._read_database()
            self._database = found
            if found.cursor is not None:
                await same_chain.check_cursor(worker.node, found.cursor)
            at_node = _AtNode(await worker.node.block("latest"), await worker.node.fees())
            account_states = await worker.node.account_states(found.relayers)
            async with worker.database.reading() as connection:
                at_node.relayers = await relayers.read(connection, account_states)
            self._node, self._node_up = at_node, True
        except (NodeUnavailable, ChainReplaced):
            return
        except GatewayError:
            self._database = None

    async def _read_database(self) -> _InDatabase:
        async with self._worker.database.reading() as connection:
            chain = await deploy.chain(connection, self._worker.settings.assets)
            return _InDatabase(
                position=await log.last(connection),
                cursor=chain.cursor,
                relayers=chain.relayers,
                queue=await batches.queue(connection),
                differences=await monitor.differences(connection),
                frozen=set(await withdrawal_freeze.frozen(connection)),
                webhooks=await delivery.backlog(connection),
                notifications=await notification_delivery.backlog(connection),
            )

    def _export_database(self, exporter: Exporter) -> None:
        def register(name: str, read: Callable[[_InDatabase], Samples]) -> None:
            exporter.register(name, lambda: [] if self._database is None else read(self._database))

        register("gateway_event_log_position", lambda found: single(found.position))
        register(
            "gateway_token_payments_queued",
            lambda found: [((code,), count) for code, (count, _) in found.queue.items()],
        )
        register(
            "gateway_token_payments_queued_oldest_seconds",
            lambda found: [((code,), self._since(oldest)) for code, (_, oldest) in found.queue.items()],
        )
        register("gateway_reconciliation_differences", self._differences)
        register("gateway_webhook_endpoints", lambda found: by_label(found.webhooks.endpoints))
        register("gateway_webhook_overdue_seconds", lambda found: single(self._since(found.webhooks.due_since)))
        register(
            "gateway_webhook_log_lag_events",
            lambda found: single(max(found.position - found.webhooks.reached, 0)),
        )
        register("gateway_notification_addresses", lambda found: list(found.notifications.addresses.items()))
        register("gateway_notifications_waiting", self._waiting(lambda waits: waits.count))
        register("gateway_notifications_waiting_oldest_seconds", self._waiting(lambda waits: self._since(waits.oldest)))
        register("gateway_notification_overdue_seconds", self._waiting(lambda waits: self._since(waits.due_since)))
        register(
            "gateway_notification_log_lag_events",
            lambda found: single(max(found.position - found.notifications.reached, 0)),
        )
        register("gateway_withdrawals_frozen", lambda found: [((code,), code in found.frozen) for code in self._assets])

    def _waiting(self, read: Callable[[notification_delivery.Waiting], float]) -> Callable[[_InDatabase], Samples]:
        """Return a sample per channel of the waiting notifications."""
        none, channels = notification_delivery.Waiting(), self._worker.notifications.channels
        return lambda found: [((one,), read(found.notifications.waiting.get(one, none))) for one in channels]

    def _differences(self, found: _InDatabase) -> Samples:
        for code in self._assets:
            suspected, confirmed = found.differences.get(code, (0, 0))
            yield (code, "suspected"), suspected
            yield (code, "confirmed"), confirmed

    def _export_chain(self, exporter: Exporter) -> None:
        def head(read: Callable[[Block], float]) -> Samples:
            return [] if self._node is None or self._node.head is None else single(read(self._node.head))

        def cursor(read: Callable[[Cursor], float]) -> Samples:
            found = None if self._database is None else self._database.cursor
            return [] if found is None else single(read(found))

        exporter.register("gateway_node_block_number", lambda: head(lambda block: block.number))
        exporter.register("gateway_node_block_age_seconds", lambda: head(lambda block: self._age(block.timestamp)))
        exporter.register("gateway_ledger_block_number", lambda: cursor(lambda block: block.number))
        exporter.register("gateway_ledger_block_age_seconds", lambda: cursor(lambda block: self._age(block.timestamp)))

    def _export_relayers(self, exporter: Exporter) -> None:
        def register(name: str, read: Callable[[Relayer, Fees], float]) -> None:
            def samples() -> Samples:
                found = self._node
                return [] if found is None else [((one.address,), read(one, found.fees)) for one in found.relayers]

            exporter.register(f"gateway_relayer_{name}", samples)

        coin, minimum = gas.coin_of(self._worker.settings.assets), self._worker.gas_batches_min
        register("gas_balance_coins", lambda relayer, _: float(Money(max(relayer.left_wei, 0), coin).amount))
        register("payments_left", gas_balance.payments_left)
        register("low", lambda relayer, fees: gas_balance.is_low(relayer, fees, minimum))
        register("stopped", lambda relayer, _: relayer.stopped is not None)
        register("refused", lambda relayer, _: relayer.refused is not None)
        register("transactions_open", lambda relayer, _: relayer.open)
        register("transactions_not_final", lambda relayer, _: relayer.unfinished)
        register("oldest_not_final_seconds", lambda relayer, _: self._since(relayer.oldest_at))

    @property
    def _assets(self) -> list[str]:
        return [asset.code for asset in self._worker.settings.assets if asset.kind != "native"]

    def _since(self, at: datetime | None) -> float:
        return 0.0 if at is None else max((self._worker.clock() - at).total_seconds(), 0.0)

    def _age(self, timestamp: int) -> float:
        return max(self._worker.clock().timestamp() - timestamp, 0.0)
