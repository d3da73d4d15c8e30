"""Proposals by one operator, which another approves."""

from datetime import datetime
from typing import Annotated, Literal

from litestar import get, post
from litestar.params import QueryParameter

from gateway.api.identity.shapes import AssertionChallengeView, AssertionRequest
from gateway.api.identity.sign_in import assertion_challenge_view, assertion_of
from gateway.api.operators.operators import told
from gateway.api.operators.shapes import ProposalRequest, ProposalsPage, ProposalView
from gateway.clock import rfc3339
from gateway.errors import InvalidRequest
from gateway.http.answer.problems import MONEY_PROBLEMS
from gateway.http.request.cursor import cursor_position, cursor_text
from gateway.http.request.parameters import Cursor, Limit, id_of, path_id
from gateway.http.services import Services
from gateway.identity.handle import fold
from gateway.identity.sign_in.passkey_verification import party_of
from gateway.ids import read, show
from gateway.operators import approvals, proposals, repair_proposal
from gateway.operators.operators import Operator
from gateway.operators.proposals import Limit as ProposedLimit
from gateway.operators.proposals import Proposal
from gateway.operators.repair_proposal import LostHandle
from gateway.operators.repairs import REPAIRS, Correction

ProposalPath = Annotated[str, path_id(proposals.PREFIX, "The proposal's id.")]


@get("/v1/operator/proposals", tags=["Operators"], summary="List proposals", needs="operator")
async def list_proposals(
    services: Services,
    operator: Operator,
    which: Annotated[
        Literal["open", "past"],
        QueryParameter(name="state", description="Proposals that can still be approved, or that no longer can."),
    ] = "open",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ProposalsPage:
    """Lists proposals, newest first. Open proposals are listed in full, without pages: at most two hundred of the last
    hour.
    """
    now = services.clock()
    before = read(proposals.PREFIX, cursor_position(cursor)) if cursor else None
    async with services.database.reading() as connection:
        if which == "open":
            return ProposalsPage([proposal_view(one, now) for one in await proposals.proposals(connection, now)], None)
        page = await proposals.past_proposals(connection, before, limit, now)
    more = cursor_text(page[-1].shown_id) if len(page) == limit else None
    return ProposalsPage([proposal_view(one, now) for one in page], more)


@get(
    "/v1/operator/proposals/{id:str}",
    tags=["Operators"],
    summary="Get a proposal",
    needs="operator",
    problems=("not_found",),
)
async def get_proposal(id: ProposalPath, services: Services, operator: Operator) -> ProposalView:
    """Returns a proposal and its state."""
    number = id_of(proposals.PREFIX, id, "such proposal")
    async with services.database.reading() as connection:
        return proposal_view(await proposals.proposal(connection, number), services.clock())


@post(
    "/v1/operator/proposals",
    tags=["Operators"],
    summary="Propose an operation",
    needs="operator",
    problems=(*MONEY_PROBLEMS, "invalid_handle", "unknown_handle", "state_conflict"),
)
async def create_proposal(data: ProposalRequest, services: Services, operator: Operator) -> ProposalView:
    """Proposes an operation. It is carried out once another operator approves it, within an hour. A freeze is in force
    at once, and ends with its proposal. A limit is for a wallet that has a passkey. Repairs concern the gateway:
    `recovery.confirm` confirms that the losses of a restore were reviewed, `handle.return` lets a lost handle be
    claimed again, and `ledger.correct` is a correcting transfer.
    """
    now, limit = services.clock(), None
    if data.limit is not None:
        asset = services.settings.assets.of_wallet(data.limit.asset)
        limit = ProposedLimit(asset.parse(data.limit.payment), asset.parse(data.limit.day))
    if data.kind in REPAIRS:
        repair = _repair(services, data)
        async with services.database.transaction() as connection:
            return proposal_view(await repair_proposal.propose(connection, operator, repair, data.reason, now), now)
    if data.handle is None or data.correction is not None:
        raise InvalidRequest("handle", f"{data.kind} names a handle, and has no correction")
    async with services.database.transaction() as connection:
        proposed = await proposals.propose(connection, operator, data.kind, data.handle, data.reason, limit, now)
    return proposal_view(proposed, now)


def _repair(services: Services, data: ProposalRequest) -> LostHandle | Correction | None:
    """The proposed repair; None to confirm the recovery."""
    named = {"handle.return": "handle", "ledger.correct": "correction"}.get(data.kind)
    for name in ("handle", "limit", "correction"):
        if (getattr(data, name) is not None) != (name == named):
            raise InvalidRequest(name, f"{data.kind} comes with {f'a {named}' if named else 'a reason'} alone")
    if data.handle is not None:
        handle = fold(data.handle)
        return LostHandle(handle, services.vault.address_of(handle))
    if data.correction is not None:
        asset = services.settings.assets[data.correction.asset]
        return Correction(data.correction.debit, data.correction.credit, asset.parse_positive(data.correction.amount))
    return None


@post(
    "/v1/operator/proposals/{id:str}/challenge",
    tags=["Operators"],
    summary="Start approving a proposal",
    needs="operator",
    problems=("not_found",),
)
async def challenge_proposal(id: ProposalPath, services: Services, operator: Operator) -> AssertionChallengeView:
    """Returns a challenge over all details of the proposal, for the passkey of an operator other than its proposer.
    Pass it to `navigator.credentials.get()`. It is valid once, for five minutes.
    """
    party, number = party_of(services.public_url), read(proposals.PREFIX, id)
    async with services.database.transaction() as connection:
        challenge = await approvals.challenge_approval(connection, party, operator, number, services.clock())
    return assertion_challenge_view(challenge, [])


@post(
    "/v1/operator/proposals/{id:str}/approve",
    tags=["Operators"],
    summary="Approve a proposal",
    status_code=200,
    needs="operator",
    problems=("not_found", "invalid_passkey", "state_conflict", "insufficient_funds", "unknown_handle"),
)
async def approve_proposal(
    id: ProposalPath, data: AssertionRequest, services: Services, operator: Operator
) -> ProposalView:
    """Approves the proposal and carries it out, once, before this call returns."""
    number, assertion = read(proposals.PREFIX, id), assertion_of(data)
    assets, now = services.settings.assets, services.clock()
    async with told(services, operator.by), services.database.transaction() as connection:
        return proposal_view(await approvals.approve(connection, operator, number, assertion, assets, now), now)


def proposal_view(of: Proposal, now: datetime) -> ProposalView:
    return ProposalView(
        *(of.shown_id, of.kind, of.handle, show("wal", of.wallet) if of.wallet else None, of.reason, of.terms),
        of.proposed_by,
        *(rfc3339(of.proposed_at), rfc3339(of.expires_at), of.approved_by),
        *(of.state(now), rfc3339(of.done_at) if of.done_at else None),
    )


ROUTES = (list_proposals, get_proposal, create_proposal, challenge_proposal, approve_proposal)
