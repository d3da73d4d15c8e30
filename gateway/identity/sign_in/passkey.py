"""Passkeys: what people sign in and approve with. Several of a wallet, each with a name.

Whoever wants a passkey to sign asks for a challenge first, which names what it is for and is good once, for a few
minutes (challenge.py): an approval is of this payment to this payee of this amount, and of no other.

A passkey is one wallet's. Its count of signatures only grows, where its authenticator counts at all; one that does not
grow says that there are two of it, and from then on it signs no more. Whoever catches `ClonedPasskey` calls `stop`
in a transaction of its own, for the one that found out is undone with what it was about to do.

Sessions that were begun with a passkey end with it.

Lock order: the challenge, the wallet, the passkey, its sessions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from gateway.audit import log as audit
from gateway.audit.log import AuditEvent, By
from gateway.errors import InvalidRequest, NotFound
from gateway.events import log
from gateway.identity import wallet as wallets
from gateway.identity.errors import ClonedPasskey, InvalidPasskey, LastPasskey
from gateway.identity.label import label
from gateway.identity.sign_in import challenge as challenges
from gateway.identity.sign_in import recovery_codes, session
from gateway.identity.sign_in.ceremony import (
    Assertion,
    NewKey,
    Party,
    Registration,
    challenge_in,
    check,
    is_cloned,
    register,
)
from gateway.identity.sign_in.challenge import Asked
from gateway.identity.wallet import lock_wallet, lock_with_keys
from gateway.ids import PasskeyId, WalletId, new_id, read, show
from gateway.postgres.pool import Connection, Record, Statements

sql = Statements(__package__, "passkey.sql")

#: What the ids of passkeys begin with.
PREFIX: Final = "psk"

#: What challenges of this room are for. Others have purposes of their own.
ADD, SIGN_IN = "passkey.add", "session.start"

#: The most passkeys of a wallet, and letters of a name.
_PASSKEYS_MAX, _NAME_MAX = 20, 60


@dataclass(frozen=True, slots=True)
class Passkey:
    """One that signs. `backed_up`: it lives on several devices of its owner's, by their maker's account."""

    id: PasskeyId
    wallet: WalletId
    name: str
    backed_up: bool
    created_at: datetime
    last_used_at: datetime | None

    @property
    def shown_id(self) -> str:
        """`psk_…`."""
        return show(PREFIX, self.id)


async def ask(
    connection: Connection,
    party: Party,
    wallet: WalletId | None,
    purpose: str,
    details: Sequence[str],
    now: datetime,
) -> Asked:
    """A fresh challenge for this purpose over these details, to be answered by a passkey of the wallet; None: by
    anybody's, whose wallet is then known.
    """
    asked = challenges.fresh(party, _shown(wallet), purpose, details, now)
    await connection.execute(sql.forget_challenges, now - challenges.KEPT_FOR)
    await connection.execute(
        *(sql.ask, asked.challenge, wallet, purpose, asked.nonce),
        *(party.id, party.origin, asked.expires_at),
    )
    return asked


async def verify(
    connection: Connection,
    wallet: WalletId | None,
    purpose: str,
    details: Sequence[str],
    assertion: Assertion,
    now: datetime,
) -> Passkey:
    """The passkey that has signed a challenge which was asked for this wallet and purpose, over these details as they
    are now: were they others when it was asked, it has signed something else. The challenge is used with it.

    Raises InvalidPasskey, and ClonedPasskey.
    """
    challenge, party = await _use(connection, wallet, purpose, details, assertion.client_data, now)
    row = await connection.fetchrow(sql.passkey_of_credential, assertion.credential_id)
    if row is None or row["ended_at"] is not None or wallet not in (None, row["wallet_id"]):
        raise InvalidPasskey("unknown_passkey", "it is no passkey of this wallet, or is one no more")
    count, before = check(assertion, row["public_key"], challenge, party), row["sign_count"]
    found = _passkey(row)
    if is_cloned(count, before):
        raise ClonedPasskey("cloned", "there are two of it, as its count of signatures says", found.shown_id)
    await connection.execute(sql.used_passkey, found.id, count, now)
    return found


async def add(
    connection: Connection, wallet: WalletId, name: str, registration: Registration, by: By, now: datetime
) -> Passkey:
    """Another passkey of the wallet, over a challenge that was asked to `ADD` one; with its first it is guarded.
    `by` is who adds it, and may: a passkey is an owner's to add.

    Raises InvalidRequest for a name that is none, or one passkey too many, and InvalidPasskey.
    """
    called = name_of(name)
    key = await made(connection, wallet, ADD, (), registration, now)
    return await keep(connection, wallet, called, key, by, now)


async def made(
    connection: Connection,
    wallet: WalletId | None,
    purpose: str,
    details: Sequence[str],
    registration: Registration,
    now: datetime,
) -> NewKey:
    """The key that a browser has made over a challenge that was asked for this wallet and purpose, over these details.
    The challenge is used with it. Raises InvalidPasskey.
    """
    challenge, party = await _use(connection, wallet, purpose, details, registration.client_data, now)
    return register(registration, challenge, party)


async def keep(connection: Connection, wallet: WalletId, called: str, key: NewKey, by: By, now: datetime) -> Passkey:
    """A key that was verified becomes a passkey of the wallet. Raises InvalidRequest for one passkey too many, and
    InvalidPasskey for a key that is a passkey already.
    """
    await lock_with_keys(connection, [wallet])
    there = len(await connection.fetch(sql.passkeys, wallet))
    if there >= _PASSKEYS_MAX:
        raise InvalidRequest("passkeys", f"a wallet has {_PASSKEYS_MAX} passkeys at the most: revoke one")
    id = PasskeyId(new_id(now))
    added = await connection.fetchval(
        *(sql.add_passkey, id, wallet, key.credential_id, key.public_key, key.sign_count, key.backed_up, called, now)
    )
    if added is None:
        raise InvalidPasskey("taken", "this authenticator has it already: sign in with it, or make another")
    await wallets.guard(connection, wallet)
    await _tell(connection, "passkey.added", wallet, id, called, by, now)
    return Passkey(id, wallet, called, key.backed_up, now, None)


async def passkeys(connection: Connection, wallet: WalletId) -> list[Passkey]:
    """Those that sign for the wallet, the newest first."""
    return [_passkey(row) for row in await connection.fetch(sql.passkeys, wallet)]


async def credentials(connection: Connection, wallet: WalletId) -> list[bytes]:
    """The credential ids of the wallet's passkeys, for browsers to choose among, or to make none twice."""
    return [row["credential_id"] for row in await connection.fetch(sql.passkeys, wallet)]


async def revoke(connection: Connection, wallet: WalletId, id: UUID, by: By, now: datetime) -> Passkey:
    """It signs no more. The last one of a wallet is revoked only while a recovery code is left: the wallet stays
    guarded, and without either nobody could ever sign in again.

    Raises NotFound where it is none of the wallet's, or is one no more, and LastPasskey.
    """
    await lock_wallet(connection, wallet)
    there = await passkeys(connection, wallet)
    found = next((one for one in there if one.id == id), None)
    if found is None:
        raise NotFound("such passkey")
    if len(there) == 1 and not await recovery_codes.left(connection, wallet):
        raise LastPasskey(found.shown_id)
    await connection.fetchval(sql.end_passkey, id, wallet, now, "revoked")
    await session.end_of_passkey(connection, id, now)
    await _tell(connection, "passkey.revoked", wallet, id, found.name, by, now)
    return found


async def stop(connection: Connection, cloned: ClonedPasskey, now: datetime) -> None:
    """There are two of it: it signs no more, and its owner is told. Once; a second time nothing is left to do."""
    row = await connection.fetchrow(sql.passkey, read(PREFIX, cloned.passkey))
    assert row is not None, "passkeys are kept"
    if await connection.fetchval(sql.end_passkey, row["id"], row["wallet_id"], now, "cloned") is not None:
        await session.end_of_passkey(connection, row["id"], now)
        by = By("passkey", cloned.passkey)
        await _tell(connection, "passkey.stopped", row["wallet_id"], row["id"], row["name"], by, now)


async def _use(
    connection: Connection,
    wallet: WalletId | None,
    purpose: str,
    details: Sequence[str],
    client_data: bytes,
    now: datetime,
) -> tuple[bytes, Party]:
    """Use the challenge that the browser names, if it is ours and still means the same. Raises InvalidPasskey."""
    named = challenge_in(client_data)
    row = await connection.fetchrow(sql.use_challenge, named, wallet, purpose, now)
    return named, challenges.party_of_used(row, named, _shown(wallet), purpose, details)


async def _tell(
    connection: Connection, kind: str, wallet: WalletId, id: UUID, name: str, by: By, now: datetime
) -> None:
    """Its owner, as an event, and the audit log, which does without the name."""
    shown = show(PREFIX, id)
    await log.append(connection, [log.Event(kind, wallet, id, {"passkey": shown, "name": name})], now)
    await audit.append(connection, [AuditEvent(kind, wallet, by, id, {})], now)


def name_of(text: str) -> str:
    """What a passkey is called, as it may stand in lists and logs. Raises InvalidRequest."""
    name = label(text, _NAME_MAX)
    if name is None:
        raise InvalidRequest("name", f"a passkey's name has 1 to {_NAME_MAX} letters that can be printed")
    return name


def _shown(wallet: WalletId | None) -> str:
    return "" if wallet is None else show("wal", wallet)


def _passkey(row: Record) -> Passkey:
    return Passkey(
        *(PasskeyId(row["id"]), WalletId(row["wallet_id"]), row["name"], row["backed_up"]),
        *(row["created_at"], row["last_used_at"]),
    )
