"""Enrolment and sign-in of operators, with a passkey over a challenge that is valid once. A session has a token, which
is stored as its SHA-256, and ends after half an hour.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from gateway.audit import log as audit
from gateway.audit.log import AuditEvent
from gateway.identity.errors import InvalidPasskey
from gateway.identity.sign_in import challenge as challenges
from gateway.identity.sign_in.challenge import PasskeyChallenge
from gateway.identity.sign_in.passkey_verification import (
    Assertion,
    Party,
    Registration,
    challenge_in,
    check,
    is_cloned,
    register,
)
from gateway.ids import show
from gateway.operators.errors import OperatorSignedOut
from gateway.operators.operators import PREFIX, Operator
from gateway.postgres.pool import Connection, Statements
from gateway.secret import hash_of, new_secret

sql = Statements(__package__, "sign_in.sql")

#: How long a session is valid.
SESSION: Final = timedelta(minutes=30)

#: The purposes of challenges to operators' passkeys.
ENROL, SIGN_IN, APPROVE = "operator.enrol", "operator.sign_in", "operator.approve"


async def create_challenge(
    connection: Connection, party: Party, operator: UUID | None, purpose: str, details: Sequence[str], now: datetime
) -> PasskeyChallenge:
    """Create a challenge for an operator's passkey. It is valid once, for a few minutes."""
    asked = challenges.new_challenge(party, _shown(operator), purpose, details, now)
    await connection.execute(sql.forget_operator_challenges, now - challenges.KEPT_FOR)
    await connection.execute(
        *(sql.ask_operator, asked.challenge, operator, purpose, asked.nonce),
        *(party.id, party.origin, asked.expires_at),
    )
    return asked


async def enrol(connection: Connection, name: str, code: str, registration: Registration, now: datetime) -> Operator:
    """Register the passkey of an operator, with their code and an answer to a challenge to `ENROL` for this name.

    Raises InvalidPasskey. A wrong code and an unknown name are refused with the same message.
    """
    challenge, party = await _use(connection, None, ENROL, [name], registration.client_data, now)
    key = register(registration, challenge, party)
    row = await connection.fetchrow(sql.operator_to_enrol, name, now)
    if not secrets.compare_digest(row["enrolment"] if row else bytes(32), hash_of(code)) or row is None:
        raise InvalidPasskey(
            "enrolment",
            "the code is not one for this name, was used, or is over a day old: 'gateway operators add' makes another",
        )
    enrolled = await connection.fetchval(
        sql.enrol_operator, row["id"], key.credential_id, key.public_key, key.sign_count
    )
    if enrolled is None:
        raise InvalidPasskey("taken", "another operator has this passkey")
    operator = Operator(row["id"], name, row["role"])
    await audit.append(connection, [AuditEvent("operator.enrolled", None, operator.by, operator.id, {})], now)
    return operator


async def sign_in(
    connection: Connection, assertion: Assertion, before: str | None, now: datetime
) -> tuple[Operator, str]:
    """The operator whose passkey has signed a challenge to `SIGN_IN`, and the token of their new session, shown once.
    The session that their browser had `before` ends.

    Raises InvalidPasskey.
    """
    operator = await verify(connection, None, SIGN_IN, [], assertion, now)
    return operator, await begin_session(connection, operator, before, now)


async def begin_session(connection: Connection, operator: Operator, before: str | None, now: datetime) -> str:
    """Start a session of an operator who has been authenticated. Returns its token."""
    if before is not None:
        await sign_out(connection, before, now)
    token = new_secret("gop")
    await connection.execute(sql.start_operator_session, hash_of(token), operator.id, now, now + SESSION)
    await audit.append(connection, [AuditEvent("operator.signed_in", None, operator.by, operator.id, {})], now)
    return token


async def open(connection: Connection, token: str, now: datetime) -> Operator:
    """The operator of the session with this token. Raises OperatorSignedOut."""
    row = await connection.fetchrow(sql.operator_of_session, hash_of(token), now)
    if row is None:
        raise OperatorSignedOut
    return Operator(row["id"], row["name"], row["role"], row["expires_at"])


async def sign_out(connection: Connection, token: str, now: datetime) -> None:
    await connection.execute(sql.end_operator_session, hash_of(token), now)


async def verify(
    connection: Connection,
    operator: UUID | None,
    purpose: str,
    details: Sequence[str],
    assertion: Assertion,
    now: datetime,
) -> Operator:
    challenge, party = await _use(connection, operator, purpose, details, assertion.client_data, now)
    row = await connection.fetchrow(sql.operator_of_credential, assertion.credential_id)
    if row is None or operator not in (None, row["id"]):
        raise InvalidPasskey("unknown_passkey", "it is no passkey of this operator's")
    count, before = check(assertion, row["public_key"], challenge, party), row["sign_count"]
    if is_cloned(count, before):
        raise InvalidPasskey("cloned", "there are two of it, as its count of signatures says: have it revoked")
    await connection.execute(sql.used_operator_passkey, row["id"], count)
    return Operator(row["id"], row["name"], row["role"])


async def _use(
    connection: Connection,
    operator: UUID | None,
    purpose: str,
    details: Sequence[str],
    client_data: bytes,
    now: datetime,
) -> tuple[bytes, Party]:
    named = challenge_in(client_data)
    row = await connection.fetchrow(sql.use_operator_challenge, named, operator, purpose, now)
    return named, challenges.party_of_used(row, named, _shown(operator), purpose, details)


def _shown(operator: UUID | None) -> str:
    return "" if operator is None else show(PREFIX, operator)
