"""Claim a handle with an existing Ethereum address. The handle, its wallet and the binding commit in one transaction.

The text that the owner signs is written by identity (identity/sign_in/ethereum_claim.py). The wallet is created like
any other, with an address whose key the gateway keeps, and is bound to the owner's address at once (bind.py), which
credits that address's token balances to the wallet.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from gateway.audit.log import ANYONE
from gateway.chain import signature
from gateway.chain.errors import NodeUnavailable
from gateway.chain.node import Node
from gateway.custody import bind
from gateway.custody.bind import AddressBalances, chain_id_of
from gateway.identity import wallet as wallets
from gateway.identity.errors import AddressTaken
from gateway.identity.sign_in import ethereum_claim
from gateway.identity.sign_in.siwe import SignIn, digest
from gateway.identity.wallet import Wallet
from gateway.keys.vault import Vault
from gateway.payments.model.settings import PaymentSettings
from gateway.postgres.pool import Connection, Database

T = TypeVar("T")


async def create_challenge(
    connection: Connection, settings: PaymentSettings, typed: str, address: str, public_url: str, now: datetime
) -> SignIn:
    """Return the text to sign with the key of `address` to claim a free handle. The handle is not reserved.

    Raises InvalidHandle, HandleTaken, InvalidAddress, AddressTaken, NodeUnavailable (no token).
    """
    checked = await bind.check_address(connection, settings, address)
    if await connection.fetchrow(wallets.sql.address, checked) is not None:
        raise AddressTaken(checked)
    return await ethereum_claim.write(connection, typed, checked, public_url, chain_id_of(settings), now)


async def claim(
    database: Database,
    node: Node | None,
    settings: PaymentSettings,
    vault: Vault,
    text: str,
    signed: bytes,
    then: Callable[[Connection, Wallet], Awaitable[T]],
    now: datetime,
) -> tuple[Wallet, str, T]:
    """Claim the handle that the text names and bind it to the address that signed it. Returns the wallet, its API key
    (which is never shown again) and the result of `then`, which runs in the same transaction. The node is called before
    it.

    Raises InvalidSignIn, InvalidSignature, HandleTaken, AddressTaken, NodeUnavailable, MasterKeyMissing, Contended.
    """
    async with database.reading() as connection:
        found = await ethereum_claim.find(connection, text, now)
    if node is None:
        raise NodeUnavailable("GATEWAY_RPC_URL is not set")
    address = found.sign_in.address
    custody, _ = await signature.check_any(node, address, digest(text), signed)

    async def act(connection: Connection, on_chain: AddressBalances) -> tuple[Wallet, str, T]:
        await ethereum_claim.use(connection, found, now)
        made, api_key = await wallets.claim(connection, vault, found.handle, now, id=found.wallet)
        bound = await bind.bind_at(connection, settings, made, address, custody, on_chain, ANYONE, now)
        return bound, api_key, await then(connection, bound)

    return await bind.at_cursor(database, node, settings, None, address, act)
