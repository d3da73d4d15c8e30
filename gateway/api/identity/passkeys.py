"""Passkeys of the caller, and recovery codes for owners who have lost all of theirs."""

import secrets
from typing import Annotated

from litestar import Response, delete, get, post
from litestar.types import Scope

from gateway.api.identity.shapes import (
    NewPasskeyChallengeView,
    PasskeyRequest,
    PasskeysPage,
    PasskeyView,
    RecoveryCodesConfirmationRequest,
    RecoveryCodesStatusView,
    RecoveryCodesView,
)
from gateway.api.identity.sign_in import new_passkey_challenge_view, passkey_view, registration_of
from gateway.clock import rfc3339
from gateway.http.request.parameters import id_of, path_id
from gateway.http.services import Services
from gateway.identity import wallet as wallets
from gateway.identity.credential import Credential
from gateway.identity.errors import ClonedPasskey
from gateway.identity.sign_in import passkey, recovery_codes, session
from gateway.identity.sign_in.passkey_verification import party_of
from gateway.identity.wallet import Wallet

PasskeyPath = Annotated[str, path_id(passkey.PREFIX, "The passkey's id.")]


@post("/v1/passkeys/challenge", tags=["Sign-in"], summary="Start adding a passkey", needs="passkey")
async def challenge_passkey(services: Services, caller: Wallet) -> NewPasskeyChallengeView:
    """Returns the options for `navigator.credentials.create()`, on a page of this gateway. The challenge is valid once,
    for five minutes.
    """
    async with services.database.transaction() as connection:
        challenge = await passkey.create_challenge(
            connection, party_of(services.public_url), caller.id, passkey.ADD, (), services.clock()
        )
        there = await passkey.credentials(connection, caller.id)
    return new_passkey_challenge_view(challenge, caller.id, caller.handle, there)


@post("/v1/passkeys", tags=["Sign-in"], summary="Add a passkey", needs="passkey", problems=("invalid_passkey",))
async def add_passkey(data: PasskeyRequest, services: Services, credential: Credential) -> PasskeyView:
    """Adds a passkey. From the first passkey on the wallet is guarded: no API key acts as its owner any more, not even
    the one that added the passkey; existing API keys with caps, mandates and holds wait for an approval; and recovery
    codes end. A session that was started with a recovery code can add one passkey, and then ends.
    """
    made, now, of = registration_of(data), services.clock(), credential.wallet
    async with services.database.transaction() as connection:
        await wallets.lock_with_keys(connection, [of.id])
        await wallets.check_guard(connection, of)
        if credential.recovers:
            await session.end(connection, of.id, credential.id, credential.by, now)
        added = await passkey.add(connection, of.id, data.name, made, credential.by, now)
    return passkey_view(added)


@get("/v1/passkeys", tags=["Sign-in"], summary="List passkeys", needs="read")
async def list_passkeys(services: Services, caller: Wallet) -> PasskeysPage:
    """Lists the valid passkeys, newest first, with the state of the recovery codes."""
    async with services.database.reading() as connection:
        items = [passkey_view(one) for one in await passkey.passkeys(connection, caller.id)]
        view = _status_view(await recovery_codes.status(connection, caller.id))
    return PasskeysPage(items, view.recovery_codes_left, view.recovery_codes_confirmed_at)


@delete(
    "/v1/passkeys/{id:str}",
    tags=["Sign-in"],
    summary="Revoke a passkey",
    status_code=200,
    needs="owner",
    problems=("not_found", "last_passkey"),
)
async def revoke_passkey(id: PasskeyPath, services: Services, credential: Credential) -> PasskeyView:
    """Revokes the passkey and ends the sessions that were started with it. The last passkey can be revoked only while a
    recovery code is left.
    """
    async with services.database.transaction() as connection:
        of = id_of(passkey.PREFIX, id, "such passkey")
        return passkey_view(await passkey.revoke(connection, credential.wallet.id, of, credential.by, services.clock()))


async def stop_clones(error: Exception, scope: Scope) -> None:
    """Stop a passkey that was found to be cloned. Called after any request that found one: the request's own
    transaction was rolled back, so this is another one.
    """
    if isinstance(error, ClonedPasskey):
        services: Services = scope["litestar_app"].state.services
        async with services.database.transaction() as connection:
            await passkey.stop(connection, error, services.clock())


@post("/v1/recovery-codes", tags=["Sign-in"], summary="Create recovery codes", needs="owner")
async def create_recovery_codes(services: Services, credential: Credential) -> Response[RecoveryCodesView]:
    """Creates ten codes, shown once. Each can be used once, to sign in and add a passkey. Earlier codes end."""
    codes, salt = recovery_codes.fresh_codes(), secrets.token_bytes(16)
    hashes = await recovery_codes.hashes_of(codes, salt)
    async with services.database.transaction() as connection:
        await wallets.check_guard(connection, credential.wallet)
        await recovery_codes.keep(connection, credential.wallet.id, hashes, salt, credential.by, services.clock())
    return Response(RecoveryCodesView(codes))


@post(
    "/v1/recovery-codes/confirmation",
    tags=["Sign-in"],
    summary="Confirm a recovery code",
    status_code=200,
    needs="owner",
    problems=("invalid_recovery_code", "too_many_tries"),
)
async def confirm_recovery_codes(
    data: RecoveryCodesConfirmationRequest, services: Services, credential: Credential
) -> RecoveryCodesStatusView:
    """Checks that a code is one of the wallet's, and records that its owner has kept it. The code is not used up. Wrong
    codes count as attempts to sign in with one.
    """
    of, now = credential.wallet, services.clock()
    code = await recovery_codes.find(services.database, of.id, data.code, now)
    async with services.database.transaction() as connection:
        return _status_view(await recovery_codes.confirm(connection, code, now))


def _status_view(of: recovery_codes.Status) -> RecoveryCodesStatusView:
    return RecoveryCodesStatusView(of.left, rfc3339(of.confirmed_at) if of.confirmed_at else None)
