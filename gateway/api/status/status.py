"""The public status of the gateway: solvency and health."""

import asyncio

from litestar import get
from litestar.datastructures import State

from gateway.api.status.shapes import HealthView, ReadyView, SolvencyPage
from gateway.api.status.views import frozen_views, solvency_view
from gateway.http.errors import ShuttingDown
from gateway.http.services import Services
from gateway.payments.checks import withdrawal_freeze
from gateway.reconciliation import monitor
from gateway.reconciliation.readiness import Probe
from gateway.reconciliation.solvency import solvency

#: How long one answer is cached, since it adds up all wallets and anybody may request it.
_SOLVENCY_SECONDS = 2.0


@get("/v1/solvency", tags=["Status"], summary="Get solvency", needs="nothing", counts=None)
async def get_solvency(services: Services, state: State) -> SolvencyPage:
    """Returns per token its supply, its holders, its reserve, the final block, and any difference.

    `checked_block` is the final block up to which the ledger was reconciled with the chain. Where they differ twice in
    a row, withdrawals of the asset are listed in `frozen` until an operator unfreezes them.
    """
    return await solvency_now(services, state)


async def solvency_now(services: Services, state: State) -> SolvencyPage:
    """The same, for routes with other callers."""
    age = asyncio.get_running_loop().time() - state.solvency_at
    if state.solvency is None or age > _SOLVENCY_SECONDS:
        async with services.database.snapshot() as connection:
            totals = await solvency(connection, services.settings)
            frozen = await withdrawal_freeze.frozen(connection)
            checked = {
                contract.asset.code: await monitor.reconciled_to(connection, contract.chain_id)
                for contract in services.settings.contracts.values()
            }
        items = [solvency_view(one, checked.get(one.asset.code)) for one in totals]
        state.solvency = SolvencyPage(items, frozen_views(frozen))
        state.solvency_at = asyncio.get_running_loop().time()
    page: SolvencyPage = state.solvency
    return page


@get("/health/live", tags=["Status"], summary="Check that the process is up", needs="nothing", counts=None)
async def get_liveness() -> HealthView:
    """Returns 200 as long as the process can answer."""
    return HealthView("ok")


@get("/health/ready", tags=["Status"], summary="Check that payments are accepted", needs="nothing", counts=None)
async def get_readiness(services: Services, state: State) -> ReadyView:
    """Returns 200 while a payment would be accepted: the database commits. Returns 503 otherwise, if the machine's
    clock is off by more than a second, and once the process is stopping; either within two seconds. The state of the
    node and of the workers is reported, but does not change the status: ledger payments need neither, and token
    payments wait in the queue.
    """
    if services.stopping.is_set():
        raise ShuttingDown
    probe: Probe = state.probe
    there = await probe.readiness()
    return ReadyView("ok", there.node, there.worker, there.relayers, there.reason, there.recovery)
