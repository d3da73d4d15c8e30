"""What an owner grants others to draw, and drawing it."""

from datetime import datetime
from typing import Annotated, Any

from litestar import Request, Response, delete, get, post
from msgspec import Meta, Struct

from gateway.api.house import House
from gateway.api.once import answer_once
from gateway.api.shapes import MetadataObject, PaymentView, Reference, check_time
from gateway.api.signing_in import (
    AssertionChallengeView,
    AssertionRequest,
    assertion_challenge_view,
    assertion_of,
    id_of,
)
from gateway.api.views import payment_view
from gateway.clock import rfc3339
from gateway.identity import wallet as wallets
from gateway.identity.credential import Credential
from gateway.identity.sign_in import passkey
from gateway.identity.sign_in.ceremony import party_of
from gateway.identity.wallet import Wallet
from gateway.payments import draw as drawing
from gateway.payments import mandate
from gateway.payments.mandate import PREFIX, Mandate, Wanted
from gateway.payments.note import note_of
from gateway.payments.payment import State
from gateway.payments.route import RailName
from gateway.postgres.pool import Connection

_WHAT = "such mandate"


class MandateRequest(Struct, forbid_unknown_fields=True):
    """What `payee` may draw of an asset. `approval` is needed where the wallet is guarded, over all of the rest."""

    payee: Annotated[str, Meta(examples=["@shop"])]
    asset: str
    period: Annotated[str, Meta(description="The most in any period.", examples=["20.00"])]
    period_days: Annotated[int, Meta(ge=1, le=366, description="Days of a period: 1, 7, 30.")] = 30
    draw: Annotated[str | None, Meta(description="The most at once; null: any.")] = None
    total: Annotated[str | None, Meta(description="The most in all; null: any.")] = None
    rail: RailName | None = None
    expires_at: Annotated[datetime, Meta(tz=True, description="Null: until it is revoked.")] | None = None
    approval: AssertionRequest | None = None


class DrawRequest(Struct, forbid_unknown_fields=True):
    amount: Annotated[str, Meta(examples=["5.00"])]
    memo: str | None = None
    reference: Reference | None = None
    metadata: MetadataObject | None = None


class MandateView(Struct, rename={"from_": "from"}):
    id: str
    from_: str
    to: str
    asset: str
    rail: RailName | None
    draw: str | None
    period: str
    period_days: int
    total: str | None
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    waits_for_approval: Annotated[
        bool, Meta(description="It is from before its payer's first passkey: nothing is drawn until that approves it.")
    ]


class MandatesPage(Struct):
    items: list[MandateView]


@post("/v1/mandates/challenge", tags=["mandates"], summary="What to sign to grant a mandate", needs="owner", names=True)
async def challenge_mandate(data: MandateRequest, house: House, caller: Wallet) -> AssertionChallengeView:
    """For navigator.credentials.get(): a hash over all of the mandate. Good once, for five minutes."""
    async with house.database.transaction() as connection:
        details = mandate.details(await _wanted(connection, house, data))
        party, now = party_of(house.public_url), house.clock()
        asked = await passkey.ask(connection, party, caller.id, mandate.PURPOSE, details, now)
        return assertion_challenge_view(asked, await passkey.credentials(connection, caller.id))


@post("/v1/mandates", tags=["mandates"], summary="Let somebody draw", needs="owner", names=True)
async def grant_mandate(data: MandateRequest, house: House, credential: Credential) -> MandateView:
    """From now on the payee draws as far as it goes, without asking."""
    assertion = assertion_of(data.approval) if data.approval is not None else None
    async with house.database.transaction() as connection:
        wanted, now = await _wanted(connection, house, data), house.clock()
        return _view(await mandate.grant(connection, credential.wallet, wanted, assertion, credential.by, now))


@get("/v1/mandates", tags=["mandates"], summary="What the caller granted, and was granted", needs="read")
async def list_mandates(house: House, caller: Wallet) -> MandatesPage:
    """The latest two hundred, newest first."""
    async with house.database.reading() as connection:
        return MandatesPage([_view(one) for one in await mandate.mandates(connection, house.terms.assets, caller.id)])


@delete("/v1/mandates/{id:str}", tags=["mandates"], summary="Revoke a mandate", status_code=200, needs="read")
async def revoke_mandate(id: str, house: House, credential: Credential) -> MandateView:
    """Nothing is drawn by it from this moment on. Whoever granted it, or draws, may end it: that only stops."""
    of = id_of(PREFIX, id, _WHAT)
    async with house.database.transaction() as connection:
        caller, assets = credential.wallet.id, house.terms.assets
        return _view(await mandate.end(connection, assets, caller, of, credential.by, house.clock()))


@post("/v1/mandates/{id:str}/approval/challenge", tags=["mandates"], summary="What to approve over", needs="owner")
async def challenge_mandate_approval(id: str, house: House, caller: Wallet) -> AssertionChallengeView:
    """For navigator.credentials.get(): a hash over the mandate's id and all of it. Good once, for five minutes."""
    of = id_of(PREFIX, id, _WHAT)
    async with house.database.transaction() as connection:
        waits = await mandate.waiting(connection, house.terms.assets, of, caller.id)
        party, details = party_of(house.public_url), mandate.approval_details(waits)
        asked = await passkey.ask(connection, party, caller.id, mandate.APPROVAL, details, house.clock())
        return assertion_challenge_view(asked, await passkey.credentials(connection, caller.id))


@post(
    "/v1/mandates/{id:str}/approval",
    tags=["mandates"],
    summary="Approve a mandate from before the first passkey",
    status_code=200,
    needs="owner",
)
async def approve_mandate(id: str, data: AssertionRequest, house: House, caller: Wallet) -> MandateView:
    """Its payee draws again from this moment on."""
    of, assertion = id_of(PREFIX, id, _WHAT), assertion_of(data)
    async with house.database.transaction() as connection:
        assets, now = house.terms.assets, house.clock()
        return _view(await mandate.approve(connection, assets, of, caller.id, assertion, now))


@post("/v1/mandates/{id:str}/draws", tags=["mandates"], summary="Draw by a mandate", needs="pay")
async def draw_mandate(
    request: Request[Any, Any, Any], id: str, data: DrawRequest, house: House, caller: Wallet
) -> Response[PaymentView]:
    """A payment to the caller, from whoever granted the mandate. Its reference and metadata are the caller's."""
    of = id_of(PREFIX, id, _WHAT)

    async def act(connection: Connection, now: datetime) -> tuple[int, Struct]:
        written = note_of(caller.id, data.reference, data.metadata)
        payment = await drawing.draw(connection, house.terms, caller, of, data.amount, data.memo, now, written)
        return (201 if payment.state is State.SETTLED else 202), payment_view(payment, caller.id)

    return await answer_once(house, request, caller, data, act)


async def _wanted(connection: Connection, house: House, data: MandateRequest) -> Wanted:
    asset = house.terms.assets.of_wallet(data.asset)
    if data.expires_at is not None:
        check_time("expires_at", data.expires_at)
    draw, total = (None if text is None else asset.parse_positive(text) for text in (data.draw, data.total))
    return Wanted(
        payee=await wallets.by_handle(connection, data.payee),
        rail=data.rail,
        draw=draw,
        period_days=data.period_days,
        period=asset.parse_positive(data.period),
        total=total,
        expires_at=data.expires_at,
    )


def _view(of: Mandate) -> MandateView:
    return MandateView(
        id=of.shown_id,
        from_=f"@{of.payer_handle}",
        to=f"@{of.payee_handle}",
        asset=of.period.asset.code,
        rail=of.rail,
        draw=of.draw.amount if of.draw else None,
        period=of.period.amount,
        period_days=of.period_days,
        total=of.total.amount if of.total else None,
        created_at=rfc3339(of.created_at),
        expires_at=rfc3339(of.expires_at) if of.expires_at else None,
        revoked_at=rfc3339(of.ended_at) if of.ended_at else None,
        waits_for_approval=of.waits,
    )
