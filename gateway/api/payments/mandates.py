"""Mandates: grant, list and revoke them, and draw."""

from datetime import datetime
from typing import Annotated, Any

from litestar import Request, Response, delete, get, post
from msgspec import Struct

from gateway.api.fields import check_time
from gateway.api.identity.shapes import AssertionChallengeView, AssertionRequest
from gateway.api.identity.sign_in import assertion_challenge_view, assertion_of
from gateway.api.payments.idempotency import answer_idempotently
from gateway.api.payments.payments import ACCEPTED
from gateway.api.payments.shapes import DrawRequest, MandateRequest, MandatesPage, MandateView, PaymentView
from gateway.api.payments.views import mandate_view, payment_view
from gateway.http.answer.problems import KEY_PROBLEMS, MONEY_PROBLEMS
from gateway.http.request.parameters import id_of, path_id
from gateway.http.services import Services
from gateway.identity import wallet as wallets
from gateway.identity.credential import Credential
from gateway.identity.sign_in import passkey
from gateway.identity.sign_in.passkey_verification import party_of
from gateway.identity.wallet import Wallet
from gateway.payments import draw as drawing
from gateway.payments.checks import mandate
from gateway.payments.checks.mandate import PREFIX, NewMandate
from gateway.payments.model.note import note_of
from gateway.payments.model.payment import State
from gateway.postgres.pool import Connection

MandatePath = Annotated[str, path_id(PREFIX, "The mandate's id.")]


_WHAT = "such mandate"


@post(
    "/v1/mandates/challenge",
    tags=["Mandates"],
    summary="Start granting a mandate",
    needs="owner",
    names=True,
    problems=(*MONEY_PROBLEMS, "invalid_handle", "unknown_handle"),
)
async def challenge_mandate(data: MandateRequest, services: Services, caller: Wallet) -> AssertionChallengeView:
    """Returns a challenge over all details of the mandate. Pass it to `navigator.credentials.get()`. It is valid once,
    for five minutes.
    """
    async with services.database.transaction() as connection:
        details = mandate.details(await _new_mandate(connection, services, data))
        party, now = party_of(services.public_url), services.clock()
        challenge = await passkey.create_challenge(connection, party, caller.id, mandate.PURPOSE, details, now)
        return assertion_challenge_view(challenge, await passkey.credentials(connection, caller.id))


@post(
    "/v1/mandates",
    tags=["Mandates"],
    summary="Grant a mandate",
    needs="owner",
    names=True,
    problems=(*MONEY_PROBLEMS, "invalid_handle", "unknown_handle", "approval_required", "invalid_passkey"),
)
async def grant_mandate(data: MandateRequest, services: Services, credential: Credential) -> MandateView:
    """Grants a mandate: from now on the payee may draw within its limits, without an approval each time. A guarded
    wallet needs an `approval` over all of its details.
    """
    assertion = assertion_of(data.approval) if data.approval is not None else None
    async with services.database.transaction() as connection:
        new, now = await _new_mandate(connection, services, data), services.clock()
        return mandate_view(await mandate.grant(connection, credential.wallet, new, assertion, credential.by, now))


@get("/v1/mandates", tags=["Mandates"], summary="List mandates", needs="read")
async def list_mandates(services: Services, caller: Wallet) -> MandatesPage:
    """Lists the mandates that the caller has granted or that were granted to it: the newest two hundred, newest
    first.
    """
    async with services.database.reading() as connection:
        return MandatesPage(
            [mandate_view(one) for one in await mandate.mandates(connection, services.settings.assets, caller.id)]
        )


@delete(
    "/v1/mandates/{id:str}",
    tags=["Mandates"],
    summary="Revoke a mandate",
    status_code=200,
    needs="read",
    problems=("not_found",),
)
async def revoke_mandate(id: MandatePath, services: Services, credential: Credential) -> MandateView:
    """Revokes the mandate: no draw is accepted from now on. Payer and payee may both revoke it."""
    of = id_of(PREFIX, id, _WHAT)
    async with services.database.transaction() as connection:
        caller, assets = credential.wallet.id, services.settings.assets
        return mandate_view(await mandate.end(connection, assets, caller, of, credential.by, services.clock()))


@post(
    "/v1/mandates/{id:str}/approval/challenge",
    tags=["Mandates"],
    summary="Start approving a mandate",
    needs="owner",
    problems=("not_found", "state_conflict"),
)
async def challenge_mandate_approval(id: MandatePath, services: Services, caller: Wallet) -> AssertionChallengeView:
    """Returns a challenge over the mandate and its id. Pass it to `navigator.credentials.get()`. It is valid once, for
    five minutes.
    """
    of = id_of(PREFIX, id, _WHAT)
    async with services.database.transaction() as connection:
        waits = await mandate.waiting(connection, services.settings.assets, of, caller.id)
        party, details = party_of(services.public_url), mandate.approval_details(waits)
        challenge = await passkey.create_challenge(
            connection, party, caller.id, mandate.APPROVAL, details, services.clock()
        )
        return assertion_challenge_view(challenge, await passkey.credentials(connection, caller.id))


@post(
    "/v1/mandates/{id:str}/approval",
    tags=["Mandates"],
    summary="Approve a mandate",
    status_code=200,
    needs="owner",
    problems=("not_found", "state_conflict", "invalid_passkey"),
)
async def approve_mandate(id: MandatePath, data: AssertionRequest, services: Services, caller: Wallet) -> MandateView:
    """Approves a mandate that was granted before the wallet's first passkey: from now on its payee can draw again."""
    of, assertion = id_of(PREFIX, id, _WHAT), assertion_of(data)
    async with services.database.transaction() as connection:
        assets, now = services.settings.assets, services.clock()
        return mandate_view(await mandate.approve(connection, assets, of, caller.id, assertion, now))


@post(
    "/v1/mandates/{id:str}/draws",
    tags=["Mandates"],
    summary="Draw by a mandate",
    responses=ACCEPTED,
    needs="pay",
    problems=(
        *(*KEY_PROBLEMS,),
        *("invalid_amount", "amount_too_precise", "not_found", "state_conflict", "mandate_exceeded"),
        *("insufficient_funds", "wallet_frozen", "grant_not_approved", "in_recovery", "payment_restored"),
    ),
)
async def draw(
    request: Request[Any, Any, Any], id: MandatePath, data: DrawRequest, services: Services, caller: Wallet
) -> Response[PaymentView]:
    """Makes a payment to the caller from the wallet that granted the mandate. Its `reference` and `metadata` are the
    caller's.
    """
    of = id_of(PREFIX, id, _WHAT)

    async def operation(connection: Connection, now: datetime) -> tuple[int, Struct]:
        written = note_of(caller.id, data.reference, data.metadata)
        payment = await drawing.draw(connection, services.settings, caller, of, data.amount, data.memo, now, written)
        return (201 if payment.state is State.SETTLED else 202), payment_view(payment, caller.id)

    return await answer_idempotently(services, request, caller, data, operation)


async def _new_mandate(connection: Connection, services: Services, data: MandateRequest) -> NewMandate:
    asset = services.settings.assets.of_wallet(data.asset)
    if data.expires_at is not None:
        check_time("expires_at", data.expires_at)
    draw, total = (None if text is None else asset.parse_positive(text) for text in (data.draw, data.total))
    return NewMandate(
        payee=await wallets.open_by_handle(connection, data.payee),
        rail=data.rail,
        draw=draw,
        period_days=data.period_days,
        period=asset.parse_positive(data.period),
        total=total,
        expires_at=data.expires_at,
    )
