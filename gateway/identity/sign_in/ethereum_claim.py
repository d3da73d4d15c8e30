"""The text that an owner signs to claim a handle with an Ethereum wallet (EIP-4361): for a free handle and an address.

It reserves nothing and can be used once, for a few minutes; if two claim the same handle, one of them gets it.
custody/claim.py creates the wallet.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from gateway.identity import wallet as wallets
from gateway.identity.errors import InvalidSignIn
from gateway.identity.sign_in import siwe_challenge
from gateway.identity.sign_in.challenge import GOOD_FOR, KEPT_FOR
from gateway.identity.sign_in.siwe import SignIn, nonce_of
from gateway.ids import WalletId, new_id
from gateway.postgres.pool import Connection, Record, Statements

sql = Statements(__package__, "ethereum_claim.sql")


@dataclass(frozen=True, slots=True)
class Claim:
    """The text, the handle that it claims, and the id of the wallet to be created."""

    sign_in: SignIn
    wallet: WalletId
    handle: str


async def write(
    connection: Connection, typed: str, address: str, public_url: str, chain_id: int, now: datetime
) -> SignIn:
    """Write a new text by which `address` (EIP-55) claims a handle. Raises InvalidHandle and HandleTaken."""
    handle = await wallets.check_free(connection, typed)
    await connection.execute(sql.forget_claims, now - KEPT_FOR)
    row = await connection.fetchrow(
        *(sql.write_claim, secrets.token_hex(16), new_id(now), handle, address, urlsplit(public_url).netloc),
        *(public_url, chain_id, now, now + GOOD_FOR),
    )
    assert row is not None
    return _claim(row).sign_in


async def find(connection: Connection, text: str, now: datetime) -> Claim:
    """Return the stored claim whose text is `text`, byte for byte, and not used yet. Raises InvalidSignIn."""
    nonce = nonce_of(text)
    if nonce is None:
        raise InvalidSignIn("malformed", "it is not the text of a challenge (EIP-4361): send it back as it was")
    row = await connection.fetchrow(sql.claim, nonce)
    if row is None or row["used_at"] is not None:
        raise InvalidSignIn("unknown", "it was never written here, or was used before: ask for a new one")
    claim = _claim(row)
    siwe_challenge.check_unaltered(claim.sign_in, text, InvalidSignIn)
    if claim.sign_in.expires_at <= now:
        raise InvalidSignIn("expired", "its time is over: ask for a new one")
    return claim


async def use(connection: Connection, claim: Claim, now: datetime) -> None:
    """Use the text to claim. Raises InvalidSignIn if it was used before."""
    if await connection.fetchval(sql.use_claim, claim.sign_in.nonce, now) is None:
        raise InvalidSignIn("unknown", "it was used before: ask for a new one")


def _claim(row: Record) -> Claim:
    id, handle = WalletId(row["wallet_id"]), row["handle"]
    statement = (
        f"I claim the handle @{handle} for this address. Token payments of @{handle} then need its signature, and "
        f"the tokens of @{handle} are sent to it."
    )
    return Claim(siwe_challenge.from_row(row, statement, id), id, handle)
