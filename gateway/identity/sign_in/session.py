"""Sessions: sign-ins of a wallet's owner, by device. A session ends when its owner signs out or ends it, or when it
expires.

The browser keeps an opaque token of 256 bits in a cookie that no script can read and no other site can send; the
database has its SHA-256. The token is replaced regularly. The previous one stays valid for a moment, because requests
overlap. If it is used later than that, somebody has stolen a token, and nobody can tell which of the two is the thief:
the session ends, and its owner is told.

Signing in always starts a new session with a new token, and ends the browser's previous one: a token that somebody
planted is never signed in. A session can read for as long as it lasts. What only an owner may do, it can do for a few
minutes after a passkey was used (`fresh`); after that the owner signs in again.

`sessions_with_room` (schema/11_check_payments.sql) decides in one statement that a session may pay, and leaves those in
doubt to `open` and `open_all`: a new way to start or end a session has to be added there, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from gateway.audit import log as audit
from gateway.audit.log import AuditEvent, By
from gateway.errors import NotFound, Unauthenticated
from gateway.events import log
from gateway.identity.credential import SCOPES, Credential, Scope
from gateway.identity.wallet import Wallet
from gateway.ids import PasskeyId, SessionId, WalletId, new_id, show
from gateway.postgres.pool import Connection, Database, Record, Statements
from gateway.secret import hash_of, new_secret

sql = Statements(__package__, "session.sql")

#: The prefix of session ids.
PREFIX: Final = "ses"

#: How long a session lasts, and how long if nobody uses it.
LASTS, IDLE = timedelta(days=7), timedelta(hours=12)

#: How old a token gets, and how long it stays valid after it was replaced.
ROTATES_AFTER, OVERLAP = timedelta(minutes=10), timedelta(seconds=30)

#: How long after a passkey was used the owner's own actions are allowed.
FRESH = timedelta(minutes=5)

#: How a session was started.
SignInMethod = Literal["passkey", "ethereum", "recovery_code", "link"]

_DEVICE_MAX = 200

_READ: Final[frozenset[Scope]] = frozenset({"read"})
_ALL: Final = frozenset(SCOPES)
_ALL_BUT_OWNER: Final = _ALL - {"owner"}


class Session(Struct, frozen=True):
    """A session. `device` is the browser's own name; `passkey` the one that it was started with, if any."""

    id: SessionId
    wallet: WalletId
    by: SignInMethod
    passkey: PasskeyId | None
    device: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime

    @property
    def shown_id(self) -> str:
        """`ses_…`."""
        return show(PREFIX, self.id)

    def credential(self, of: Wallet, now: datetime) -> Credential:
        """Return the session's rights in the wallet `of` now: for a few minutes those of its way of signing in, then
        only to read.

        A passkey allows everything. So does an Ethereum wallet, until the wallet is guarded; then only passkeys are the
        owner's. A recovery code allows adding a passkey. A link allows everything, for as long as the session lasts,
        because a link cannot be used again; once the wallet is guarded, it allows reading.
        """
        is_fresh, by_code = now < self.fresh_until, self.by == "recovery_code"
        scopes = _READ
        if is_fresh and not by_code:
            scopes = _ALL_BUT_OWNER if self.by == "ethereum" and of.guarded else _ALL
        if self.by == "link" and of.guarded:
            scopes = _READ
        return Credential("session", self.id, of, scopes, by_code and is_fresh, approved=self.passkey is not None)

    @property
    def fresh_until(self) -> datetime:
        """Until when it may do more than read."""
        return self.created_at + FRESH if self.by != "link" else self.expires_at


@dataclass(frozen=True, slots=True)
class Open:
    """An open session, its wallet, and the new token if it was replaced."""

    session: Session
    wallet: Wallet
    token: str | None


async def start(
    connection: Connection,
    wallet: WalletId,
    by: SignInMethod,
    passkey: PasskeyId | None,
    device: str,
    before: str | None,
    now: datetime,
) -> tuple[Session, str]:
    """Start a session of the wallet. Returns it and its token, which is given to the browser and stored nowhere. The
    session of the token that the browser had `before` ends.
    """
    if before is not None:
        await connection.execute(sql.end_session_of_token, hash_of(before), now)
    await connection.execute(sql.forget_tokens, wallet, now)
    id, token = SessionId(new_id(now)), new_secret("gs")
    label = "".join(letter for letter in device if letter.isprintable())[:_DEVICE_MAX]
    started = Session(id, wallet, by, passkey, label, now, now, now + LASTS)
    await connection.execute(sql.start_session, id, wallet, by, passkey, label, now, started.expires_at)
    await connection.execute(sql.add_token, hash_of(token), id, now)
    shown = {
        "passkey": By("passkey", show("psk", passkey) if passkey else ""),
        "recovery_code": By("recovery"),
        "ethereum": By("session", started.shown_id),
        "link": By("session", started.shown_id),
    }
    await _record(connection, "session.started", wallet, id, {"sign_in_method": by}, shown[by], now)
    return started, token


async def open(database: Database, token: str, now: datetime) -> Open:
    """Return the session of this token. A token that is old enough is replaced. If it was replaced some time ago, the
    session ends. Raises Unauthenticated.
    """
    async with database.reading(answers=False) as connection:
        row = await connection.fetchrow(sql.sessions_of_tokens, [hash_of(token)])
        if row is None or row["ended_at"] is not None or now >= row["expires_at"]:
            raise Unauthenticated
    session = _session(row)
    wallet = _wallet(row)
    replaced_at, made_at = row["replaced_at"], row["made_at"]
    if replaced_at is not None:
        if now < replaced_at + OVERLAP:
            return Open(session, wallet, None)
        await _end_as_stolen(database, session, now)
        raise Unauthenticated
    if now >= made_at + IDLE:
        raise Unauthenticated
    if now < made_at + ROTATES_AFTER:
        return Open(session, wallet, None)
    fresh = new_secret("gs")
    async with database.transaction() as connection:
        if await connection.fetchval(sql.replace_token, hash_of(token), now) is None:
            return Open(session, wallet, None)  # a concurrent request has replaced it
        await connection.execute(sql.add_token, hash_of(fresh), session.id, now)
        await connection.execute(sql.used_session, session.id, now)
    return Open(replace(session, last_used_at=now), wallet, fresh)


async def open_all(connection: Connection, hashes: Sequence[bytes], now: datetime) -> dict[bytes, Credential]:
    """Return the credentials of the sessions of these tokens, by the tokens' SHA-256. Tokens without a valid session
    are left out, and so are tokens that were replaced or are due to be (`open`).
    """
    rows = await connection.fetch(sql.sessions_of_tokens, list(set(hashes)))
    return {
        row["hash"]: _session(row).credential(_wallet(row), now)
        for row in rows
        if row["ended_at"] is None
        and row["replaced_at"] is None
        and now < min(row["expires_at"], row["made_at"] + ROTATES_AFTER)
    }


async def sessions(connection: Connection, wallet: WalletId, now: datetime) -> list[Session]:
    """Return the wallet's open sessions, newest first."""
    return [_session(row) for row in await connection.fetch(sql.sessions, wallet, now, now - IDLE)]


async def end(connection: Connection, wallet: WalletId, id: UUID, by: By, now: datetime) -> Session:
    """End a session at once. Raises NotFound if the wallet has no such open session."""
    row = await connection.fetchrow(sql.end_session, id, wallet, now, "signed_out")
    if row is None:
        raise NotFound("such session")
    await _record(connection, "session.ended", wallet, id, {"why": "signed_out"}, by, now)
    return _session(row)


async def end_of_passkey(connection: Connection, passkey: UUID, now: datetime) -> None:
    """End the sessions that were started with a passkey."""
    for row in await connection.fetch(sql.end_sessions_of_passkey, passkey, now):
        by = By("passkey", show("psk", passkey))
        await _record(connection, "session.ended", row["wallet_id"], row["id"], {"why": "passkey_ended"}, by, now)


def _wallet(row: Record) -> Wallet:
    return Wallet(WalletId(row["wallet_id"]), row["handle"], row["address"], row["custody"], row["guarded"])


async def _end_as_stolen(database: Database, session: Session, now: datetime) -> None:
    async with database.transaction() as connection:
        if await connection.fetchrow(sql.end_session, session.id, session.wallet, now, "stolen") is not None:
            by = By("session", session.shown_id)
            await _record(connection, "session.ended", session.wallet, session.id, {"why": "stolen"}, by, now)


async def _record(
    connection: Connection, kind: str, wallet: WalletId, id: UUID, details: dict[str, object], by: By, now: datetime
) -> None:
    await log.append(connection, [log.Event(kind, wallet, id, {"session": show(PREFIX, id), **details})], now)
    await audit.append(connection, [AuditEvent(kind, wallet, by, id, details)], now)


def _session(row: Record) -> Session:
    return Session(
        *(SessionId(row["id"]), WalletId(row["wallet_id"]), row["sign_in_method"], row["passkey_id"], row["device"]),
        *(row["created_at"], row["last_used_at"], row["expires_at"]),
    )
