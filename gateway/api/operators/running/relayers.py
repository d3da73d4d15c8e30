"""List the relayers, and resume a stopped one."""

from typing import Annotated

from litestar import get, post
from litestar.params import PathParameter

from gateway.api.operators.running.shapes import RelayersPage, ResumedRelayerView
from gateway.api.operators.running.views import relayer_view
from gateway.chain.errors import NodeUnavailable
from gateway.chain.node import Node
from gateway.http.services import Services
from gateway.operators import operators
from gateway.operators.operators import Operator
from gateway.postgres.pool import Connection
from gateway.settlement import relayer_accounts

AddressPath = Annotated[str, PathParameter(description="The relayer's address.")]


@get("/v1/operator/relayers", tags=["Operators"], summary="List relayers", needs="operator", problems=("unavailable",))
async def list_relayers(services: Services, operator: Operator) -> RelayersPage:
    """Lists every relayer of the chain, with its current gas balance from the node."""
    settings = services.settings
    rows = await relayer_accounts.read(services.database, _node(services), settings.assets, services.gas_batches_min)
    return RelayersPage([relayer_view(row) for row in rows])


@post(
    "/v1/operator/relayers/{address:str}/resume",
    tags=["Operators"],
    summary="Resume a stopped relayer",
    status_code=200,
    needs="operator",
    task="relayers.resume",
    problems=("not_found", "state_conflict", "unavailable"),
)
async def resume_relayer(address: AddressPath, services: Services, operator: Operator) -> ResumedRelayerView:
    """Resumes a stopped relayer at the nonce of the chain. Refused until the ledger has read the blocks up to the
    transaction that stopped it. Payments whose chain transactions were overtaken are queued again.
    """

    async def authorize(connection: Connection) -> None:
        await operators.authorize(connection, operator, "relayers.resume")

    resumed = await relayer_accounts.resume(
        services.database, _node(services), address, services.finality, operator.by, authorize
    )
    return ResumedRelayerView(resumed.relayer, resumed.next_nonce, resumed.ended)


def _node(services: Services) -> Node:
    if services.node is None:
        raise NodeUnavailable("this server has none: set GATEWAY_RPC_URL")
    return services.node
