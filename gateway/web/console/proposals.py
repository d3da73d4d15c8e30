"""Freezes and proposals: open ones, past ones, and a form for each kind."""

from typing import Annotated, Any

from litestar import Request, Response
from litestar.params import PathParameter

from gateway.api.operators.operators import list_freezes
from gateway.api.operators.proposals import get_proposal, list_proposals
from gateway.errors import NotFound
from gateway.http.services import Services
from gateway.ids import show
from gateway.operators import operators, roles
from gateway.operators.operators import Operator
from gateway.operators.roles import KINDS
from gateway.web.console.page import address, console_answer, console_page
from gateway.web.owned import reader_for

#: How many past proposals come at a time, and how many frozen wallets stand beside them.
_PAGE = 10
_FROZEN = 5


@console_page("/console/proposals")
async def proposals_page(request: Request[Any, Any, Any], services: Services, operator: Operator) -> Response[bytes]:
    """What waits, what was, and which wallets are frozen; `?frozen=all` has all of these."""
    frozen = (await list_freezes.fn(services, operator)).items
    shown = len(frozen) if request.query_params.get("frozen") == "all" else _FROZEN
    past = await list_proposals.fn(services, operator, "past", _PAGE, request.query_params.get("cursor"))
    return console_answer(
        request,
        operator,
        "console/proposals.html",
        open=(await list_proposals.fn(services, operator)).items,
        past=past.items,
        more=address("/console/proposals", cursor=past.next_cursor) if past.next_cursor else "",
        newest=address("/console/proposals") if request.query_params.get("cursor") else "",
        frozen=frozen[:shown],
        more_frozen=address("/console/proposals", frozen="all") if len(frozen) > shown else "",
    )


@console_page("/console/proposals/{id:str}")
async def proposal_page(
    id: Annotated[str, PathParameter()], request: Request[Any, Any, Any], services: Services, operator: Operator
) -> Response[bytes]:
    """A proposal: the details that an approval signs, in order, and a button for operators who may approve it."""
    found, say = await get_proposal.fn(id, services, operator), reader_for(request).say
    details = [(say("Proposal"), found.id, "id"), (say("Kind"), found.kind, "")]
    if found.terms:
        details.append((say("In detail"), found.terms, ""))
    if found.handle is not None:
        details += [(say("Handle"), f"@{found.handle}", "handle"), (say("Wallet"), str(found.wallet_id), "id")]
    details += [(say("Reason"), found.reason, ""), (say("Proposed by"), found.proposed_by, "")]
    is_own = found.proposed_by == operator.name
    return console_answer(
        request,
        operator,
        "console/proposal.html",
        proposal=found,
        details=details,
        is_own=is_own,
        may_approve=found.state == "open" and not is_own and found.kind in operator.rights.approves,
        operator_id=show(operators.PREFIX, operator.id),
    )


@console_page("/console/proposals/new/{kind:str}")
async def propose_page(
    kind: Annotated[str, PathParameter()], request: Request[Any, Any, Any], services: Services, operator: Operator
) -> Response[bytes]:
    """The form of a proposal, with the handle `?handle=` filled in."""
    known = next((one for one in KINDS if one == kind), None)
    if known is None:
        raise NotFound("such kind of proposal")
    roles.check_propose(operator.role, known)
    return console_answer(
        request,
        operator,
        "console/propose.html",
        kind=known,
        handle=request.query_params.get("handle", "")[:60],
        assets=[one.code for one in services.settings.assets.spendable()],
    )
