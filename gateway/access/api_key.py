"""API keys: what programs act with. Kept by their hashes alone, each with what it may do.

A key has 256 random bits, so its plain SHA-256 can neither be guessed nor searched for. It is looked up with each
request: one that was revoked a moment ago is none, in every process.
"""

from gateway.access.credential import Credential, scopes_of
from gateway.errors import Unauthenticated
from gateway.postgres import Connection, Statements
from gateway.wallets import wallet
from gateway.wallets.wallet import hash_of

sql = Statements(__package__, "access.sql")


async def authenticate(connection: Connection, api_key: str) -> Credential:
    """What the key may do. Raises Unauthenticated when it is none, or is one no more."""
    row = await connection.fetchrow(sql.api_key, hash_of(api_key))
    if row is None:
        raise Unauthenticated
    of = wallet.from_row(row)
    scopes = scopes_of(row["scopes"])
    return Credential("api_key", row["key_id"], of, scopes - {"owner"} if of.guarded else scopes)
