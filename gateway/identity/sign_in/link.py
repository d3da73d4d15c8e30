"""Links that sign in once, to try the wallet: `gateway up` makes one for the first handle of its sandbox.

Anybody with the link has the wallet. So there is none for a wallet with a passkey, and no API call makes one: it takes
access to the database. The code is 256 random bits, stored as its SHA-256. It is in the link's fragment, after the `#`,
which browsers do not send.
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

#: How long a link is valid.
GOOD_FOR: Final = timedelta(days=1)


async def make(connection: Connection, wallet: WalletId, by: By, now: datetime) -> str:
    """Return the code of a new link, which is shown once. It replaces the wallet's previous link."""
    code = new_secret("gl")
    await connection.execute(sql.add_link, hash_of(code), wallet, now + GOOD_FOR)
    await audit.append(connection, [AuditEvent("sign_in_link.created", wallet, by, wallet, {})], now)
    return code


async def use(connection: Connection, code: str, now: datetime) -> Wallet:
    """Return the wallet that the link signs in to. Raises InvalidLink if it was used, has expired or is unknown, or if
    the wallet has a passkey by now.
    """
    row = await connection.fetchrow(sql.use_link, hash_of(code), now)
    if row is None:
        raise InvalidLink
    return Wallet(WalletId(row["id"]), row["handle"], row["address"], row["custody"], row["guarded"])
