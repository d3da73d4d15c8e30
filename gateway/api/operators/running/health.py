"""Queues, lag, backlogs, sizes and checks."""

from litestar import get

from gateway.api.operators.running.shapes import GatewayHealthView, PoolView
from gateway.api.operators.running.views import health_view
from gateway.http.services import Services
from gateway.operators.operators import Operator
from gateway.reconciliation import health


@get("/v1/operator/health", tags=["Operators"], summary="Get the gateway's health", needs="operator")
async def get_gateway_health(services: Services, operator: Operator) -> GatewayHealthView:
    """Returns the queues and their age, the last block read, the sizes of the tables, and the checks of `gateway
    doctor` that a server can run. The node is not called.
    """
    database = services.database
    checks = await health.checks(database, services.settings)
    async with database.reading() as connection:
        found = await health.health(connection, services.settings)
    counts = database.connections()
    pool = PoolView(counts["use"], counts["idle"], database.connections_max, database.timeouts)
    return health_view(found, checks, pool, [channel.name for channel in services.channels], services.clock())
