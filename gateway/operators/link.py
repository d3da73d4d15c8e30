"""One-time links that open the console, to try it out: `gateway up` creates one for an operator of its sandbox.

As with the link to a wallet (identity/sign_in/link.py), no API call creates one, and it is stored as its SHA-256. An
operator with a passkey cannot get one.
"""

from datetime import datetime
from typing import Final

from gateway.audit import log as audit
from gateway.audit.log import AuditEvent, By
from gateway.identity.errors import InvalidLink
from gateway.identity.sign_in.link import GOOD_FOR
from gateway.ids import new_id
from gateway.operators.operators import Operator
from gateway.operators.sign_in import begin_session
from gateway.postgres.pool import Connection, Statements
from gateway.secret import hash_of, new_secret

sql = Statements(__package__, "link.sql")

#: The sandbox's operator.
NAME: Final = "sandbox"


async def make(connection: Connection, by: By, now: datetime) -> str | None:
    """Create a link for the sandbox's operator. Returns its code, which is shown once; None if they have a passkey or
    are revoked.
    """
    code = new_secret("gl")
    id = await connection.fetchval(sql.add_operator_link, new_id(now), NAME, hash_of(code), now + GOOD_FOR, now)
    if id is None:
        return None
    await audit.append(connection, [AuditEvent("operator.link_created", None, by, id, {"operator": NAME})], now)
    return code


async def sign_in(connection: Connection, code: str, before: str | None, now: datetime) -> tuple[Operator, str]:
    """Use the link. Returns its operator, and the token of their new session. Raises InvalidLink."""
    row = await connection.fetchrow(sql.use_operator_link, hash_of(code), now)
    if row is None:
        raise InvalidLink
    operator = Operator(row["id"], row["name"], row["role"])
    return operator, await begin_session(connection, operator, before, now)
