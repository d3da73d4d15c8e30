"""Sign in with the Ethereum wallet that a handle is bound to (EIP-4361).

The gateway writes the text, with a nonce that can be used once for a few minutes, for the address that the wallet is
bound to and whose key its owner has. It accepts that text, byte for byte, signed in the way in which the address was
bound: by its key or, if a contract was bound, by the contract (ERC-1271). Code that appears at a key's address later is
not called, and no other contract is: one that accepts everything signs in nobody but the wallet it is bound to.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from gateway.chain import signature
from gateway.chain.errors import NodeUnavailable
from gateway.chain.node import Node
from gateway.identity import wallet as wallets
from gateway.identity.errors import InvalidSignIn
from gateway.identity.sign_in import siwe_challenge
from gateway.identity.sign_in.challenge import GOOD_FOR, KEPT_FOR
from gateway.identity.sign_in.siwe import SignIn, digest, nonce_of
from gateway.identity.wallet import Wallet
from gateway.postgres.pool import Connection, Database, Record, Statements

sql = Statements(__package__, "ethereum.sql")


@dataclass(frozen=True, slots=True)
class Signed:
    """A text that its address has signed; it is not used yet."""

    wallet: Wallet
    nonce: str


async def create_challenge(connection: Connection, of: Wallet, public_url: str, chain_id: int, now: datetime) -> SignIn:
    """Return a new text for signing in to this wallet. Raises InvalidSignIn if the gateway keeps its key."""
    if not of.signs_itself:
        raise InvalidSignIn("no_own_address", f"@{of.handle} is bound to no address of its owner's own: use a passkey")
    await connection.execute(sql.forget_sign_ins, now - KEPT_FOR)
    row = await connection.fetchrow(
        *(sql.write_sign_in, secrets.token_hex(16), of.id, of.address, urlsplit(public_url).netloc, public_url),
        *(chain_id, now, now + GOOD_FOR),
    )
    assert row is not None
    return _sign_in(of, row)


async def find(database: Database, node: Node | None, text: str, signed: bytes, now: datetime) -> Signed:
    """Return the stored text, signed by the address it names, which its wallet is still bound to. The node is called
    only if that address is a contract, outside any transaction.

    Raises InvalidSignIn, InvalidSignature, NodeUnavailable.
    """
    nonce = nonce_of(text)
    if nonce is None:
        raise InvalidSignIn("malformed", "it is not the text of a challenge (EIP-4361): send it back as it was")
    async with database.reading() as connection:
        row = await connection.fetchrow(sql.sign_in, nonce)
        if row is None or row["used_at"] is not None:
            raise InvalidSignIn("unknown", "it was never written here, or was used before: ask for a new one")
        of = await wallets.by_handle(connection, row["handle"])
        if await wallets.closed(connection, [of.id]):
            raise InvalidSignIn("unknown", f"the owner of @{of.handle} has closed the wallet")
    sign_in = _sign_in(of, row)
    siwe_challenge.check_unaltered(sign_in, text, InvalidSignIn)
    if sign_in.expires_at <= now:
        raise InvalidSignIn("expired", "its time is over: ask for a new one")
    if of.address != sign_in.address:
        raise InvalidSignIn("unknown", f"@{of.handle} is bound to another address by now: ask for a new one")
    if of.custody == "owner":
        signature.check(of.address, digest(text), signed)
    else:
        if node is None:
            raise NodeUnavailable("GATEWAY_RPC_URL is not set")
        await signature.check_contract(node, of.address, digest(text), signed)
    return Signed(of, sign_in.nonce)


async def use(connection: Connection, signed: Signed, now: datetime) -> None:
    """Use the text to sign in. Raises InvalidSignIn if it was used before, or if the wallet has another address by
    now.
    """
    if await connection.fetchval(sql.use_sign_in, signed.nonce, now) is None:
        raise InvalidSignIn("unknown", "it was used before: ask for a new one")
    if (await wallets.by_handle(connection, signed.wallet.handle)).address != signed.wallet.address:
        raise InvalidSignIn("unknown", f"@{signed.wallet.handle} is bound to another address by now: ask for a new one")


def _sign_in(of: Wallet, row: Record) -> SignIn:
    return siwe_challenge.from_row(row, f"I sign in to the wallet of @{of.handle}.", of.id)
