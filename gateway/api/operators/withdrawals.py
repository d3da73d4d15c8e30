"""Frozen withdrawals: list them with their causes, and unfreeze them once everything agrees again."""

from typing import Annotated

from litestar import get, post
from litestar.params import PathParameter

from gateway.api.operators.views import (
    DifferenceView,
    FrozenWithdrawalsPage,
    FrozenWithdrawalsView,
    UnfrozenWithdrawalsView,
)
from gateway.audit.log import By
from gateway.bank import full_reconciliation
from gateway.chain.errors import NodeUnavailable
from gateway.clock import rfc3339
from gateway.http.services import Services
from gateway.operators import operators
from gateway.operators.operators import Operator
from gateway.payments.checks import withdrawal_freeze
from gateway.postgres.pool import Connection
from gateway.reconciliation import unfreeze
from gateway.reconciliation.solvency import Difference


def difference_view(one: Difference) -> DifferenceView:
    return DifferenceView(one.account, one.ledger.amount, one.other.amount, one.amount.amount, one.where)


@get("/v1/operator/withdrawals", tags=["Operators"], summary="List frozen withdrawals", needs="operator")
async def list_frozen_withdrawals(services: Services, operator: Operator) -> FrozenWithdrawalsPage:
    """Lists every asset whose withdrawals are frozen, and the confirmed differences that froze them."""
    async with services.database.snapshot() as connection:
        frozen = await withdrawal_freeze.frozen(connection)
        found = (await unfreeze.differences(connection, services.settings.assets)).values()
    return FrozenWithdrawalsPage(
        [
            FrozenWithdrawalsView(
                code,
                rfc3339(since),
                [difference_view(one) for one in found if one.asset.code == code],
            )
            for code, since in frozen.items()
        ]
    )


@post(
    "/v1/operator/withdrawals/{asset:str}/unfreeze",
    tags=["Operators"],
    summary="Unfreeze withdrawals of an asset",
    status_code=200,
    needs="operator",
    task="withdrawals.unfreeze",
    problems=("not_found", "unknown_asset", "freeze_stays"),
)
async def unfreeze_withdrawals(
    asset: Annotated[str, PathParameter(description="The asset's code.", schema_extra={"examples": ["USDX"]})],
    services: Services,
    operator: Operator,
) -> UnfrozenWithdrawalsView:
    """Unfreezes withdrawals of an asset, after it has recounted the ledger and reconciled it with the chain and the
    bank. Refused while anything of the asset differs. If the ledger is too large for a request, use `gateway
    withdrawals unfreeze`.
    """

    async def authorize(connection: Connection) -> By:
        await operators.authorize(connection, operator, "withdrawals.unfreeze")
        return operator.by

    if services.node is None:
        raise NodeUnavailable("no node is configured")
    of = services.settings.assets[asset]
    since = await full_reconciliation.unfreeze_withdrawals(
        services.database, services.node, services.settings, of, authorize, services.clock
    )
    return UnfrozenWithdrawalsView(of.code, rfc3339(since))


ROUTES = (list_frozen_withdrawals, unfreeze_withdrawals)
