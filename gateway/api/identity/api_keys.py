"""API keys of a wallet: its owner creates, lists, replaces and revokes them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from litestar import Response, delete, get, post

from gateway.api.identity.shapes import CapView, KeyRequest, KeysPage, KeyView, NewKeyView, ReplaceKeyRequest
from gateway.clock import rfc3339
from gateway.errors import Forbidden
from gateway.http.answer.problems import MONEY_PROBLEMS
from gateway.http.request.parameters import id_of, path_id
from gateway.http.services import Services
from gateway.identity import api_key
from gateway.identity import wallet as wallets
from gateway.identity.api_key import PREFIX, ApiKey
from gateway.identity.credential import Credential, scopes_of
from gateway.identity.wallet import Wallet
from gateway.ids import WalletId
from gateway.payments.checks import caps
from gateway.payments.checks.caps import Cap
from gateway.postgres.pool import Connection

KeyPath = Annotated[str, path_id(PREFIX, "The API key's id.")]


@post(
    "/v1/keys",
    tags=["API keys"],
    summary="Create an API key",
    needs="owner",
    names=True,
    problems=(*MONEY_PROBLEMS, "invalid_handle", "unknown_handle"),
)
async def create_api_key(data: KeyRequest, services: Services, credential: Credential) -> Response[NewKeyView]:
    """Creates a key for a program. The key is shown once, and never acts as the owner."""
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
    """Lists the valid keys, newest first. The key itself is never shown again."""
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
    """Creates a key with the same rights; caps count the payments of both together. The old key stays valid for
    `overlap` seconds, but not beyond its own expiry.
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
    """Revokes the key at once, in every process of the gateway."""
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
    """Approves a key with caps that was created before the wallet's first passkey. Until then it cannot pay."""
    of = id_of(PREFIX, id, "such key")
    async with services.database.transaction() as connection:
        await wallets.lock_with_keys(connection, [credential.wallet.id])
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
    return key_view(by.wallet, by.id, of, given)


def key_view(wallet: Wallet, current: UUID | None, of: ApiKey, given: Sequence[Cap]) -> KeyView:
    """An API key of this wallet; `current` is the key of the caller."""
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
        current=of.id == current,
        needs_approval=wallet.guarded and of.capped and not of.approved,
    )


async def _cap(connection: Connection, services: Services, asked: CapView) -> Cap:
    asset = services.settings.assets.of_wallet(asked.asset)
    payee: WalletId | None = None
    if asked.payee is not None:
        payee = (await wallets.open_by_handle(connection, asked.payee)).id
    payment, day = (None if text is None else asset.parse(text) for text in (asked.payment, asked.day))
    return Cap(asset.code, asked.rail, payee, payment, day)
