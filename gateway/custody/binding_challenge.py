"""The challenge that an owner signs to bind an address: a text that the gateway writes, valid once and for a few
minutes.

A wallet has one challenge at a time; a new one replaces it. The text names the gateway, the handle, the chain and
the effect of the signature, so that it cannot be used at another gateway, for another wallet or a second time.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from gateway.identity.errors import InvalidChallenge
from gateway.identity.sign_in import siwe_challenge
from gateway.identity.sign_in.siwe import SignIn, nonce_of
from gateway.identity.wallet import Wallet
from gateway.postgres.pool import Connection, Record, Statements

sql = Statements(__package__, "binding_challenge.sql")

#: How long a challenge can be signed.
GOOD_FOR = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenge. `used_at` is when it bound its address; None if it has not."""

    sign_in: SignIn
    used_at: datetime | None


async def write(
    connection: Connection, wallet: Wallet, address: str, public_url: str, chain_id: int, now: datetime
) -> SignIn:
    """Write a new challenge for the wallet to bind `address` (EIP-55). It replaces the previous one."""
    domain, nonce = urlsplit(public_url).netloc, secrets.token_hex(16)
    row = await connection.fetchrow(
        sql.write_challenge, wallet.id, nonce, address, domain, public_url, chain_id, now, now + GOOD_FOR
    )
    assert row is not None
    return _sign_in(wallet, row)


async def find(connection: Connection, wallet: Wallet, text: str, now: datetime) -> Challenge:
    """Return the challenge whose text is `text`, byte for byte.

    Raises InvalidChallenge: `malformed`, `unknown` (another wallet's, replaced, or never written), `altered` or
    `expired`.
    """
    nonce = nonce_of(text)
    if nonce is None:
        raise InvalidChallenge("malformed", "it is not the text of a challenge (EIP-4361): send it back as it was")
    row = await connection.fetchrow(sql.challenge, wallet.id)
    if row is None or not secrets.compare_digest(row["nonce"], nonce):
        raise InvalidChallenge("unknown", "it is not the challenge that was written last for this wallet: ask for one")
    sign_in = _sign_in(wallet, row)
    siwe_challenge.check_unaltered(sign_in, text, InvalidChallenge)
    if row["used_at"] is None and sign_in.expires_at <= now:
        raise InvalidChallenge("expired", "its time is over: ask for a new one")
    return Challenge(sign_in, row["used_at"])


async def use(connection: Connection, wallet: Wallet, sign_in: SignIn, now: datetime) -> None:
    """Mark the challenge as used. Raises InvalidChallenge if it was used or replaced in the meantime."""
    if await connection.fetchval(sql.use_challenge, wallet.id, sign_in.nonce, now) is None:
        raise InvalidChallenge("unknown", "it was used before, or another one was written: ask for a new one")


def _sign_in(wallet: Wallet, row: Record) -> SignIn:
    statement = (
        f"I bind this address to the wallet of @{wallet.handle}. Token payments of @{wallet.handle} then need its "
        f"signature, and the tokens of @{wallet.handle} are sent to it."
    )
    return siwe_challenge.from_row(row, statement, wallet.id)
