"""Operators: enrolment and sign-in. A program sends the token of its session as `Authorization: Bearer`; a browser has
it in a cookie that no script can read, and its changing requests have to come from a page of the gateway
(http/cookie.py).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

from litestar import Request, Response, delete, get, post
from litestar.datastructures import State

from gateway.api.identity.shapes import (
    AssertionChallengeView,
    AssertionRequest,
    LinkSessionRequest,
    NewPasskeyChallengeView,
)
from gateway.api.identity.sign_in import assertion_challenge_view, assertion_of
from gateway.api.operators.shapes import (
    EnrolmentChallengeRequest,
    EnrolmentRequest,
    FreezesPage,
    FreezeView,
    OperatorCookieView,
    OperatorEntryView,
    OperatorSessionView,
    OperatorsPage,
    OperatorView,
)
from gateway.audit import log as audit
from gateway.audit.log import ANYONE, AuditEvent, By
from gateway.clock import rfc3339
from gateway.controls import wallet_freeze
from gateway.controls.wallet_freeze import Freeze
from gateway.errors import Unauthenticated
from gateway.http.callers import bearer_of, check_conditions
from gateway.http.cookie import OPERATOR, holding, refuse_other_origins, token_of
from gateway.http.services import Services
from gateway.identity.errors import InvalidPasskey
from gateway.identity.sign_in.passkey_verification import ALGORITHMS, Registration, from_base64, party_of, to_base64
from gateway.ids import new_id, show
from gateway.operators import link, operators, roles, sign_in
from gateway.operators.errors import OperatorSignedOut
from gateway.operators.operators import Operator

#: How long a session lasts.
_SECONDS: Final = int(sign_in.SESSION.total_seconds())


async def operator_of(request: Request[Any, Any, State], services: Services) -> Operator:
    """The calling operator, by the token in the request or the browser's cookie. A route for a `task` is open to the
    roles that may do it.

    Raises OperatorSignedOut, Forbidden and PreconditionFailed.
    """
    token = _token_of(request, services)
    async with services.database.reading() as connection:
        operator = await sign_in.open(connection, token, services.clock())
    if (task := request.route_handler.opt.get("task")) is not None:
        roles.check_task(operator.role, task)
    check_conditions(request)
    return operator


def _token_of(request: Request[Any, Any, State], services: Services) -> str:
    """The token of the request. Raises OperatorSignedOut, and Forbidden for a cookie on a request from another site's
    page.
    """
    if "authorization" in request.headers:
        try:
            return bearer_of(request)
        except Unauthenticated:
            raise OperatorSignedOut from None
    party = party_of(services.public_url)
    token = token_of(request.scope["headers"], party, OPERATOR)
    if token is None:
        raise OperatorSignedOut
    refuse_other_origins(request, party)
    return token


@post(
    "/v1/operator/enrolment/challenge",
    tags=["Operators"],
    summary="Start enrolling as an operator",
    needs="nothing",
    counts="sign-ins",
)
async def challenge_enrolment(data: EnrolmentChallengeRequest, services: Services) -> NewPasskeyChallengeView:
    """Returns a challenge for `navigator.credentials.create()`, to be used with the enrolment code. It is valid once,
    for five minutes.
    """
    party, now = party_of(services.public_url), services.clock()
    async with services.database.transaction() as connection:
        challenge = await sign_in.create_challenge(connection, party, None, sign_in.ENROL, [data.name], now)
    return NewPasskeyChallengeView(
        challenge=to_base64(challenge.challenge),
        rp_id=party.id,
        user_id=to_base64(new_id(now).bytes),  # a fresh id: the answer must not show whether the name has a code
        user_name=f"{data.name} (operator)",
        algorithms=list(ALGORITHMS),
        exclude=[],
        expires_at=rfc3339(challenge.expires_at),
    )


@post(
    "/v1/operator/enrolment",
    tags=["Operators"],
    summary="Enrol as an operator",
    needs="nothing",
    counts="sign-ins",
    problems=("invalid_passkey",),
)
async def enrol_operator(data: EnrolmentRequest, services: Services) -> OperatorView:
    """Registers the passkey that the operator signs in and approves with. The code is valid once, within a day."""
    made = Registration(from_base64(data.client_data), from_base64(data.attestation))
    async with told(services, ANYONE, data.name), services.database.transaction() as connection:
        enrolled = await sign_in.enrol(connection, data.name, data.code, made, services.clock())
    return _view(enrolled)


@post(
    "/v1/operator/session/challenge",
    tags=["Operators"],
    summary="Start signing in as an operator",
    needs="nothing",
    counts="sign-ins",
)
async def challenge_operator_session(services: Services) -> AssertionChallengeView:
    """Returns a challenge. Pass it to `navigator.credentials.get()`. It is valid once, for five minutes."""
    party = party_of(services.public_url)
    async with services.database.transaction() as connection:
        challenge = await sign_in.create_challenge(connection, party, None, sign_in.SIGN_IN, [], services.clock())
    return assertion_challenge_view(challenge, [])


@post(
    "/v1/operator/session",
    tags=["Operators"],
    summary="Sign in as an operator",
    needs="nothing",
    counts="sign-ins",
    problems=("invalid_passkey",),
)
async def start_operator_session(data: AssertionRequest, services: Services) -> Response[OperatorSessionView]:
    """Returns a token that is valid for half an hour and acts for no wallet. It is for programs: pages sign in with
    `/cookie`.
    """
    assertion = assertion_of(data)
    async with told(services, ANYONE), services.database.transaction() as connection:
        operator, token = await sign_in.sign_in(connection, assertion, None, services.clock())
    return Response(OperatorSessionView(operator.name, operator.role, token, _SECONDS))


@post(
    "/v1/operator/session/cookie",
    tags=["Operators"],
    summary="Sign in as an operator in a browser",
    needs="nothing",
    counts="sign-ins",
    own_page=True,
    problems=("forbidden", "invalid_passkey"),
)
async def start_operator_cookie_session(
    data: AssertionRequest, services: Services, request: Request[Any, Any, State]
) -> Response[OperatorCookieView]:
    """Starts a session of half an hour, in the answer's cookie. The session that the browser had before ends."""
    party, now = party_of(services.public_url), services.clock()
    refuse_other_origins(request, party)
    assertion, before = assertion_of(data), token_of(request.scope["headers"], party, OPERATOR)
    async with told(services, ANYONE), services.database.transaction() as connection:
        operator, token = await sign_in.sign_in(connection, assertion, before, now)
    return _begun(operator, token, services, now)


@post(
    "/v1/operator/session/link",
    tags=["Operators"],
    summary="Sign in as an operator with a sandbox's link",
    needs="nothing",
    counts="sign-ins",
    own_page=True,
    problems=("forbidden", "invalid_link"),
)
async def start_operator_link_session(
    data: LinkSessionRequest, services: Services, request: Request[Any, Any, State]
) -> Response[OperatorCookieView]:
    """Starts a session with the code of the link to the console that `gateway up` printed. It works once."""
    party, now = party_of(services.public_url), services.clock()
    refuse_other_origins(request, party)
    async with services.database.transaction() as connection:
        before = token_of(request.scope["headers"], party, OPERATOR)
        operator, token = await link.sign_in(connection, data.code, before, now)
    return _begun(operator, token, services, now)


@delete(
    "/v1/operator/session", tags=["Operators"], summary="Sign out as an operator", status_code=200, needs="operator"
)
async def end_operator_session(
    services: Services, request: Request[Any, Any, State], operator: Operator
) -> Response[OperatorView]:
    """Ends the session of the request, and removes its cookie."""
    now = services.clock()
    async with services.database.transaction() as connection:
        await sign_in.sign_out(connection, _token_of(request, services), now)
    gone = (
        [] if "authorization" in request.headers else [holding("", party_of(services.public_url), now, now, OPERATOR)]
    )
    return Response(_view(operator), cookies=gone)


def _begun(operator: Operator, token: str, services: Services, now: datetime) -> Response[OperatorCookieView]:
    cookie = holding(token, party_of(services.public_url), now + sign_in.SESSION, now, OPERATOR)
    return Response(OperatorCookieView(operator.name, operator.role, _SECONDS), cookies=[cookie])


def _view(of: Operator) -> OperatorView:
    return OperatorView(show(operators.PREFIX, of.id), of.name, of.role)


@get("/v1/operator/operators", tags=["Operators"], summary="List operators", needs="operator")
async def list_operators(services: Services, operator: Operator) -> OperatorsPage:
    """Lists all operators, including revoked ones, oldest first."""
    async with services.database.reading() as connection:
        found = await operators.operators(connection)
    return OperatorsPage(
        [
            OperatorEntryView(
                row["name"],
                row["role"],
                "revoked" if row["revoked_at"] else "enrolled" if row["enrolled"] else "invited",
                rfc3339(row["created_at"]),
            )
            for row in found
        ]
    )


@get("/v1/operator/freezes", tags=["Operators"], summary="List freezes of wallets", needs="operator")
async def list_freezes(services: Services, operator: Operator) -> FreezesPage:
    """Lists the wallet freezes in force, newest first, up to two hundred."""
    async with services.database.reading() as connection:
        return FreezesPage([freeze_view(one) for one in await wallet_freeze.in_force(connection)])


def freeze_view(of: Freeze) -> FreezeView:
    return FreezeView(
        *(of.handle, of.reason, rfc3339(of.placed_at), rfc3339(of.expires_at) if of.expires_at else None),
        rfc3339(of.ended_at) if of.ended_at else None,
        show("pay", of.payment) if of.payment else None,
    )


@asynccontextmanager
async def told(services: Services, by: By, name: str = "") -> AsyncIterator[None]:
    """Write an audit event for a refused operator sign-in or action, in a transaction of its own, since the request's
    is rolled back. `name` is the name in the request.
    """
    try:
        yield
    except InvalidPasskey as refused:
        details = {"why": refused.kind} | ({"said_to_be": name} if name else {})
        async with services.database.transaction() as connection:
            await audit.append(connection, [AuditEvent("operator.refused", None, by, None, details)], services.clock())
        raise


ROUTES = (
    *(challenge_enrolment, enrol_operator, challenge_operator_session, start_operator_session),
    *(start_operator_cookie_session, start_operator_link_session, end_operator_session),
    *(list_operators, list_freezes),
)
