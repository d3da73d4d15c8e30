"""Links that sign in once, to try the wallet out: `gateway up` makes one for the first handle of its sandbox.

Whoever has the link has the wallet, so there is none for a wallet with a passkey, and no call of the API makes one: it
takes the database. The code is 256 random bits, kept as its SHA-256. It stands behind the `#` of the link, which
browsers keep to themselves.
"""

from datetime import datetime, timedelta
from typing import Final

from gateway.audit import log as audit
from gateway.audit.log import AuditEvent, By
from gateway.identity.errors import InvalidLink
from gateway.identity.wallet import Wallet
from gateway.ids import WalletId
from gateway.postgres.pool import Connection, Statements
from gateway.secret import hash_of, new_secret

sql = Statements(__package__, "link.sql")

#: How long it is good.
GOOD_FOR: Final = timedelta(days=1)


async def make(connection: Connection, wallet: WalletId, by: By, now: datetime) -> str:
    """The code of a new link, shown once. The wallet's link before is good no more."""
    code = new_secret("gl")
    await connection.execute(sql.add_link, hash_of(code), wallet, now + GOOD_FOR)
    await audit.append(connection, [AuditEvent("sign_in_link.created", wallet, by, wallet, {})], now)
    return code


async def use(connection: Connection, code: str, now: datetime) -> Wallet:
    """The wallet that the link signs in to. Raises InvalidLink where it was used, is over or never was, and where the
    wallet has a passkey by now.
    """
    row = await connection.fetchrow(sql.use_link, hash_of(code), now)
    if row is None:
        raise InvalidLink
    return Wallet(WalletId(row["id"]), row["handle"], row["address"], row["custody"], row["guarded"])
