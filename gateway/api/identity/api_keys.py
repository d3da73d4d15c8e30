"""The API keys of a wallet: made, listed, replaced and revoked by its owner."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from litestar import Response, delete, get, post
from msgspec import Meta, Struct

from gateway.api.fields import AssetCode, ScopeText, Time
from gateway.api.identity.sign_in import id_of
from gateway.clock import rfc3339
from gateway.errors import Forbidden
from gateway.http.answer.problems import MONEY_PROBLEMS
from gateway.http.request.parameters import path_id
from gateway.http.schema import typed_id
from gateway.http.services import Services
from gateway.identity import api_key
from gateway.identity import wallet as wallets
from gateway.identity.api_key import PREFIX, ApiKey
from gateway.identity.credential import Credential, Scope, scopes_of
from gateway.ids import WalletId
from gateway.payments.checks import caps
from gateway.payments.checks.caps import Cap
from gateway.payments.model.route import RailName
from gateway.postgres.pool import Connection

KeyPath = Annotated[str, path_id(PREFIX, "The API key's id.")]


Seconds = Annotated[int, Meta(ge=1, le=10 * 365 * 86_400)]


class CapView(Struct, forbid_unknown_fields=True):
    """What a key may pay of an asset."""

    asset: AssetCode
    rail: Annotated[RailName | None, Meta(description="By this rail only; null: by any.")] = None
    payee: Annotated[str | None, Meta(description="To this handle only; null: to anybody.", examples=["@bob"])] = None
    payment: Annotated[str | None, Meta(description="The most in one payment; null: any.", examples=["50.00"])] = None
    day: Annotated[str | None, Meta(description="The most in any 24 hours; null: any.", examples=["200.00"])] = None


class KeyRequest(Struct, forbid_unknown_fields=True):
    """A key with caps pays what one of them covers, up to what each that covers it allows, without an approval."""

    name: Annotated[str, Meta(description="What its owner calls it: 1 to 60 characters.", examples=["Web shop"])]
    scopes: Annotated[
        list[ScopeText],
        Meta(
            description="`read`, `pay`, `refund` and `webhooks`, which is for notifications: report links and the "
            "deliveries of webhooks.",
            examples=[["read", "pay"]],
        ),
    ]
    caps: list[CapView] = []
    networks: Annotated[
        list[str],
        Meta(description="Networks that it may be used from (CIDR); empty: any.", examples=[["192.0.2.0/24"]]),
    ] = []
    expires_in: Annotated[
        Seconds | None, Meta(description="Seconds that it is good for; null: until it is revoked.")
    ] = None


class ReplaceKeyRequest(Struct, forbid_unknown_fields=True):
    overlap: Annotated[int, Meta(ge=0, le=604_800, description="Seconds that the old key is good for still.")] = 3600


class KeyView(Struct):
    id: Annotated[str, typed_id("key", "An API key's id.")]
    name: str
    scopes: list[Scope]
    caps: list[CapView]
    networks: list[str]
    created_at: Time
    expires_at: Time | None
    last_used_at: Annotated[Time | None, Meta(description="To the minute.")]
    current: Annotated[bool, Meta(description="Whether the request was made with it.")]
    waits_for_approval: Annotated[
        bool, Meta(description="It has caps and is from before the first passkey: it pays nothing until approved.")
    ]


class NewKeyView(KeyView, kw_only=True):
    api_key: Annotated[str, Meta(description="Shown this once.")]


class KeysPage(Struct):
    items: list[KeyView]


@post(
    "/v1/keys",
    tags=["API keys"],
    summary="Create an API key",
    needs="owner",
    names=True,
    problems=(*MONEY_PROBLEMS, "invalid_handle", "unknown_handle"),
)
async def create_api_key(data: KeyRequest, services: Services, credential: Credential) -> Response[NewKeyView]:
    """Creates a key for a program. It is shown once, and never acts as the owner."""
    now, of = services.clock(), credential.wallet
    expires_at = None if data.expires_in is None else now + timedelta(seconds=data.expires_in)
    async with services.database.transaction() as connection:
        made, text = await api_key.make(
            connection,
            of.id,
            data.name,
            scopes_of(data.scopes),
            data.networks,
            expires_at,
            bool(data.caps),
            credential.approved,
            credential.by,
            now,
        )
        if data.caps:
            await caps.give(connection, made.origin, [await _cap(connection, services, one) for one in data.caps])
        return await _shown_once(connection, services, credential, made, text)


@get("/v1/keys", tags=["API keys"], summary="List API keys", needs="read")
async def list_api_keys(services: Services, credential: Credential) -> KeysPage:
    """The keys that are still good, newest first. The key itself is never shown again."""
    async with services.database.reading() as connection:
        found = await api_key.keys(connection, credential.wallet.id, services.clock())
        given = await caps.of_keys(connection, services.settings.assets, [one.origin for one in found])
    return KeysPage([_view(credential, one, given.get(one.origin, ())) for one in found])


@post(
    "/v1/keys/{id:str}/replacement",
    tags=["API keys"],
    summary="Replace an API key",
    needs="owner",
    problems=("not_found",),
)
async def replace_api_key(
    id: KeyPath, data: ReplaceKeyRequest, services: Services, credential: Credential
) -> Response[NewKeyView]:
    """Creates a key that may do the same; caps count what both pay together. The old key stays good for `overlap`
    seconds, and never longer than it would have been.
    """
    of, overlap = id_of(PREFIX, id, "such key"), timedelta(seconds=data.overlap)
    async with services.database.transaction() as connection:
        made, text = await api_key.replace(
            connection, credential.wallet.id, of, overlap, credential.approved, credential.by, services.clock()
        )
        return await _shown_once(connection, services, credential, made, text)


@delete(
    "/v1/keys/{id:str}",
    tags=["API keys"],
    summary="Revoke an API key",
    status_code=200,
    needs="owner",
    problems=("not_found", "last_owner_key"),
)
async def revoke_api_key(id: KeyPath, services: Services, credential: Credential) -> KeyView:
    """Ends the key at once, on every process of the gateway."""
    of = id_of(PREFIX, id, "such key")
    async with services.database.transaction() as connection:
        ended = await api_key.revoke(connection, credential.wallet.id, of, credential.by, services.clock())
        given = await caps.of_keys(connection, services.settings.assets, [ended.origin])
    return _view(credential, ended, given.get(ended.origin, ()))


@post(
    "/v1/keys/{id:str}/approval",
    tags=["API keys"],
    summary="Approve an API key",
    status_code=200,
    needs="owner",
    problems=("not_found",),
)
async def approve_api_key(id: KeyPath, services: Services, credential: Credential) -> KeyView:
    """A key with caps that was created before the wallet's first passkey pays nothing until its owner approves it."""
    of = id_of(PREFIX, id, "such key")
    async with services.database.transaction() as connection:
        await wallets.check_guard(connection, credential.wallet)
        if not credential.approved:
            raise Forbidden("a passkey approves a key: add one to the wallet, and sign in with it")
        approved = await api_key.approve(connection, credential.wallet.id, of, credential.by, services.clock())
        given = await caps.of_keys(connection, services.settings.assets, [approved.origin])
    return _view(credential, approved, given.get(approved.origin, ()))


async def _shown_once(
    connection: Connection, services: Services, by: Credential, made: ApiKey, text: str
) -> Response[NewKeyView]:
    given = await caps.of_keys(connection, services.settings.assets, [made.origin])
    view = _view(by, made, given.get(made.origin, ()))
    fields = {name: getattr(view, name) for name in KeyView.__struct_fields__}
    return Response(NewKeyView(**fields, api_key=text))


def _view(by: Credential, of: ApiKey, given: Sequence[Cap]) -> KeyView:
    return KeyView(
        id=of.shown_id,
        name=of.name,
        scopes=sorted(of.scopes),
        caps=[
            CapView(
                cap.asset,
                cap.rail,
                None if cap.payee_handle is None else f"@{cap.payee_handle}",
                None if cap.payment is None else cap.payment.amount,
                None if cap.day is None else cap.day.amount,
            )
            for cap in given
        ],
        networks=list(of.networks),
        created_at=rfc3339(of.created_at),
        expires_at=rfc3339(of.expires_at) if of.expires_at else None,
        last_used_at=rfc3339(of.last_used_at) if of.last_used_at else None,
        current=of.id == by.id,
        waits_for_approval=by.wallet.guarded and of.capped and not of.approved,
    )


async def _cap(connection: Connection, services: Services, asked: CapView) -> Cap:
    asset = services.settings.assets.of_wallet(asked.asset)
    payee: WalletId | None = None
    if asked.payee is not None:
        payee = (await wallets.by_handle(connection, asked.payee)).id
    payment, day = (None if text is None else asset.parse(text) for text in (asked.payment, asked.day))
    return Cap(asset.code, asked.rail, payee, payment, day)
