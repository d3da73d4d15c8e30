"""Sign-up: a handle and its first passkey, in one transaction.

A browser makes the passkey between two calls, and its owner may cancel that. So the first call reserves nothing: it
checks the handle and returns a challenge over the handle and the id of the wallet that is to be made. The second call
verifies the passkey that was made over this challenge, and claims the handle in the same transaction. A sign-up that is
not finished leaves a challenge that expires. Of two that finish with one handle, one gets it.
"""

from datetime import datetime

from gateway.audit.log import ANYONE
from gateway.identity import wallet as wallets
from gateway.identity.handle import fold
from gateway.identity.sign_in import passkey
from gateway.identity.sign_in.ceremony import Party, Registration
from gateway.identity.sign_in.challenge import Asked
from gateway.identity.sign_in.passkey import Passkey
from gateway.identity.wallet import Wallet
from gateway.ids import WalletId, new_id, show
from gateway.keys.vault import Vault
from gateway.postgres.pool import Connection

#: The purpose of these challenges.
PURPOSE = "wallet.create"


async def ask(connection: Connection, party: Party, typed: str, now: datetime) -> tuple[Asked, WalletId, str]:
    """A challenge for the first passkey of a wallet, the wallet's id and its handle.

    Raises InvalidHandle and HandleTaken.
    """
    handle = await wallets.check_free(connection, typed)
    id = WalletId(new_id(now))
    return await passkey.ask(connection, party, None, PURPOSE, _details(id, handle), now), id, handle


async def finish(
    connection: Connection, vault: Vault, typed: str, id: WalletId, name: str, registration: Registration, now: datetime
) -> tuple[Wallet, Passkey, str]:
    """The wallet with its first passkey, and its API key: shown now or never. `id` is the one that was asked for; for
    another one, or another handle, the challenge does not fit.

    Raises InvalidRequest for a passkey's name that cannot be one, InvalidPasskey, InvalidHandle, HandleTaken
    and MasterKeyMissing.
    """
    called = passkey.name_of(name)
    key = await passkey.made(connection, None, PURPOSE, _details(id, fold(typed)), registration, now)
    _, api_key = await wallets.claim(connection, vault, typed, now, id=id)
    added = await passkey.keep(connection, id, called, key, ANYONE, now)
    return await wallets.by_id(connection, id), added, api_key


def _details(id: WalletId, handle: str) -> tuple[str, str]:
    return show("wal", id), handle
