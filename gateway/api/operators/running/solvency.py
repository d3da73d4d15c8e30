"""The solvency of each token, now and over time."""

from datetime import timedelta
from typing import Annotated

from litestar import get
from litestar.datastructures import State
from litestar.params import QueryParameter

from gateway.api.operators.running.shapes import OperatorSolvencyPage
from gateway.api.operators.running.views import solvency_over_time_view
from gateway.api.operators.withdrawals import difference_view
from gateway.api.status.status import solvency_now
from gateway.api.status.views import frozen_views
from gateway.http.services import Services
from gateway.ledger import ledger
from gateway.operators.operators import Operator
from gateway.payments.checks import withdrawal_freeze
from gateway.reconciliation import history
from gateway.reconciliation.unfreeze import differences

Days = Annotated[int, QueryParameter(ge=1, le=400, description="How many days back the points go.")]


@get("/v1/operator/solvency", tags=["Operators"], summary="Get solvency over time", needs="operator")
async def get_solvency_over_time(
    services: Services, state: State, operator: Operator, days: Days = 30
) -> OperatorSolvencyPage:
    """Returns per token the totals now, the confirmed differences, and a point per hour that the worker records as it
    reconciles. The node is not called.
    """
    page, settings, now = await solvency_now(services, state), services.settings, services.clock()
    async with services.database.snapshot() as connection:
        assets = await ledger.with_former(connection, settings.assets)
        found = list((await differences(connection, assets)).values())
        frozen = await withdrawal_freeze.frozen(connection)
        items = []
        for one in page.items:
            token = settings.assets[one.asset]
            backing = settings.backing(token)
            points = await history.points(connection, token, backing, now - timedelta(days=days), now)
            of_token = [difference for difference in found if difference.asset == token]
            items.append(solvency_over_time_view(one, backing, of_token, points))
    tokens = {one.asset for one in page.items}
    others = [difference_view(one) for one in found if one.asset.code not in tokens]
    return OperatorSolvencyPage(items, others, frozen_views(frozen))
