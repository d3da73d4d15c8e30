"""Sign-up: claim a handle with its first passkey, in one transaction.

A browser creates the passkey between two calls, and its owner may cancel that. So the first call reserves nothing: it
checks the handle and returns a challenge over the handle and the id of the future wallet. The second call verifies the
passkey that was created over this challenge, and claims the handle in the same transaction. An unfinished sign-up
leaves a challenge that expires. If two finish with one handle, one gets it.
"""

from datetime import datetime

from gateway.audit.log import ANYONE
from gateway.identity import wallet as wallets
from gateway.identity.handle import fold
from gateway.identity.sign_in import passkey
from gateway.identity.sign_in.challenge import PasskeyChallenge
from gateway.identity.sign_in.passkey import Passkey
from gateway.identity.sign_in.passkey_verification import Party, Registration
from gateway.identity.wallet import Wallet
from gateway.ids import WalletId, new_id, show
from gateway.keys.vault import Vault
from gateway.postgres.pool import Connection

#: The purpose of these challenges.
PURPOSE = "wallet.create"


async def create_challenge(
    connection: Connection, party: Party, typed: str, now: datetime
) -> tuple[PasskeyChallenge, WalletId, str]:
    """Return a challenge for the first passkey of a wallet, the wallet's id and its handle.

    Raises InvalidHandle and HandleTaken.
    """
    handle = await wallets.check_free(connection, typed)
    id = WalletId(new_id(now))
    return await passkey.create_challenge(connection, party, None, PURPOSE, _details(id, handle), now), id, handle


async def finish(
    connection: Connection, vault: Vault, typed: str, id: WalletId, name: str, registration: Registration, now: datetime
) -> tuple[Wallet, Passkey, str]:
    """Return the wallet with its first passkey, and its API key, which is never shown again. `id` must be the one that
    `create_challenge` returned: the challenge does not match another id or handle.

    Raises InvalidRequest for an invalid passkey name, InvalidPasskey, InvalidHandle, HandleTaken and MasterKeyMissing.
    """
    called = passkey.name_of(name)
    key = await passkey.made(connection, None, PURPOSE, _details(id, fold(typed)), registration, now)
    _, api_key = await wallets.claim(connection, vault, typed, now, id=id)
    added = await passkey.keep(connection, id, called, key, ANYONE, now)
    return await wallets.by_id(connection, id), added, api_key


def _details(id: WalletId, handle: str) -> tuple[str, str]:
    return show("wal", id), handle
