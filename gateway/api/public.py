"""What everybody may read: solvency and health."""

from litestar import get

from gateway.api.house import House
from gateway.api.shapes import HealthView, SolvencyPage, solvency_view
from gateway.payments.solvency import solvency


@get("/v1/solvency", tags=["public"], summary="What is issued and what backs it")
async def show_solvency(house: House) -> SolvencyPage:
    """Per token: what is issued, who has it, what it is backed by, at which final block, and any difference."""
    async with house.database.snapshot() as connection:
        return SolvencyPage([solvency_view(one) for one in await solvency(connection, house.terms)])


@get("/health/live", tags=["health"], summary="The process is up")
async def live() -> HealthView:
    """Always, while the process answers at all."""
    return HealthView("ok")


@get("/health/ready", tags=["health"], summary="Payments can be taken")
async def ready(house: House) -> HealthView:
    """200 while the database answers; 503 otherwise. The node may be away: chain payments then wait in the queue."""
    async with house.database.reading() as connection:
        await connection.fetchval("SELECT 1 FROM migration LIMIT 1")
    return HealthView("ok")
