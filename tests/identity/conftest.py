"""People with a wallet in a database of the test's own."""

from dataclasses import dataclass
from datetime import datetime

import pytest

from gateway.audit.log import By
from gateway.events import log
from gateway.identity import wallet
from gateway.identity.sign_in import passkey
from gateway.identity.sign_in.passkey import Passkey
from gateway.identity.sign_in.passkey_verification import Assertion, Party, Registration
from gateway.identity.wallet import Wallet
from gateway.ids import WalletId
from gateway.keys.vault import Vault
from gateway.postgres.pool import Database
from tests.authenticator import Authenticator
from tests.factory import NOW

PARTY = Party("localhost", "http://localhost:8000")

#: Who does what these tests do.
BY = By("api_key")


@dataclass
class Owner:
    """Somebody with a wallet in this database."""

    database: Database
    wallet: WalletId
    handle: str

    async def ask(self, purpose: str, *details: str, at: datetime = NOW) -> bytes:
        async with self.database.transaction() as connection:
            return (await passkey.create_challenge(connection, PARTY, self.wallet, purpose, details, at)).challenge

    async def add(self, made_by: Authenticator, name: str = "Laptop", at: datetime = NOW) -> Passkey:
        registration = Registration(*made_by.make(await self.ask(passkey.ADD, at=at)))
        async with self.database.transaction() as connection:
            return await passkey.add(connection, self.wallet, name, registration, BY, at)

    async def approve(self, assertion: Assertion, *details: str, purpose: str = "pay", at: datetime = NOW) -> Passkey:
        async with self.database.transaction() as connection:
            return await passkey.verify(connection, self.wallet, purpose, details, assertion, at)

    async def events(self) -> list[str]:
        async with self.database.reading() as connection:
            return [event.kind for event in (await log.read(connection, self.wallet, 0, 100)).events]

    async def seen(self) -> Wallet:
        async with self.database.reading() as connection:
            return await wallet.by_id(connection, self.wallet)


@pytest.fixture
async def alice(database: Database) -> Owner:
    return await owner(database, "alice")


async def owner(database: Database, handle: str) -> Owner:
    async with database.transaction() as connection:
        claimed, _ = await wallet.claim(connection, Vault(bytes(32)), handle, NOW)
    return Owner(database, claimed.id, handle)
