"""The services of a worker's jobs, built once, in `assembly.py`."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from gateway.chain.deployment import deploy
from gateway.chain.node import Node
from gateway.clock import Clock
from gateway.keys.signer import Signer
from gateway.keys.vault import Vault
from gateway.notifications.notifier import Notifier
from gateway.payments.model.settings import PaymentSettings
from gateway.postgres.pool import Connection, Database
from gateway.reconciliation.monitor import Schedule
from gateway.tracing.tracer import Tracer
from gateway.webhooks.dispatcher import Dispatcher
from gateway.worker import intervals
from gateway.worker.block_time import BlockTime
from gateway.worker.catch_up import CatchUp, FinalityWait
from gateway.worker.job_runs import JobRuns


@dataclass(frozen=True, slots=True)
class Worker:
    """The services of the jobs. `signers` are the relayers that it has keys for. `finality` is as in the configuration.
    A relayer is low on gas if its balance is less than `gas_batches_min` full batches may cost. intervals.py says how
    often each job runs.
    """

    database: Database
    node: Node
    settings: PaymentSettings
    vault: Vault
    signers: Sequence[Signer]
    finality: int | None
    clock: Clock
    webhooks: Dispatcher
    notifications: Notifier
    gas_batches_min: int = 10
    batch_wait: timedelta = timedelta()
    tracer: Tracer | None = None
    resend_every: timedelta = intervals.RESEND_EVERY
    gas_every: timedelta = intervals.GAS_EVERY
    schedule: Schedule = intervals.RECONCILIATION
    catch_up: CatchUp = field(default_factory=CatchUp)
    finality_wait: FinalityWait = field(default_factory=FinalityWait)
    block_time: BlockTime = field(default_factory=BlockTime)
    runs: JobRuns = field(default_factory=JobRuns)

    @property
    def addresses(self) -> list[str]:
        """The addresses of its relayers."""
        return [signer.address for signer in self.signers]

    async def settings_now(self, connection: Connection) -> PaymentSettings:
        """Return the payment settings with every contract that is deployed by now. Raises Misconfigured."""
        return replace(self.settings, contracts=await deploy.all_contracts(connection, self.settings.assets))
