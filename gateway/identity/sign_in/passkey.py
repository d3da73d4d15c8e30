"""Passkeys, which owners sign in and approve with. A wallet may have several, each with a name.

To let a passkey sign, ask for a challenge first. It names its purpose and can be used once, for a few minutes
(challenge.py): an approval is for this payment to this payee of this amount, and for no other. Its signature is
verified in passkey_verification.py; the challenge, the stored passkey and its count of signatures are checked here.

A passkey belongs to one wallet. Its signature count only grows, if its authenticator counts at all. If it does not
grow, the passkey was cloned, and is stopped. The caller that catches `ClonedPasskey` calls `stop` in a transaction of
its own, because the transaction that found out is rolled back.

Sessions that were started with a passkey end with it.

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
from gateway.identity.sign_in.challenge import PasskeyChallenge
from gateway.identity.sign_in.passkey_verification import (
    Assertion,
    NewKey,
    Party,
    Registration,
    challenge_in,
    check,
    is_cloned,
    register,
)
from gateway.identity.wallet import lock_wallet, lock_with_keys
from gateway.ids import PasskeyId, WalletId, new_id, read, show
from gateway.postgres.pool import Connection, Record, Statements

sql = Statements(__package__, "passkey.sql")

#: The prefix of passkey ids.
PREFIX: Final = "psk"

#: The purposes of this package's challenges. Other packages have their own.
ADD, SIGN_IN = "passkey.add", "session.start"

#: The most passkeys of a wallet, and characters of a name.
_PASSKEYS_MAX, _NAME_MAX = 20, 60


@dataclass(frozen=True, slots=True)
class Passkey:
    """A valid passkey. `backed_up`: its maker's account synchronizes it between several of the owner's devices."""

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


async def create_challenge(
    connection: Connection,
    party: Party,
    wallet: WalletId | None,
    purpose: str,
    details: Sequence[str],
    now: datetime,
) -> PasskeyChallenge:
    """Return a new challenge for this purpose over these details, to be signed by a passkey of the wallet. None: by
    anybody's passkey, which then identifies the wallet.
    """
    asked = challenges.new_challenge(party, _shown(wallet), purpose, details, now)
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
    """Return the passkey that has signed a challenge for this wallet and purpose, over these details as they are now.
    If they have changed since, it has signed something else. The challenge is used up.

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
    """Add a passkey to the wallet, over a challenge for `ADD`. The first one makes the wallet guarded. `by` is who adds
    it, and may: adding a passkey takes the owner.

    Raises InvalidRequest for an invalid name or too many passkeys, and InvalidPasskey.
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
    """Return the key that a browser has created over a challenge for this wallet and purpose, over these details. The
    challenge is used up. Raises InvalidPasskey.
    """
    challenge, party = await _use(connection, wallet, purpose, details, registration.client_data, now)
    return register(registration, challenge, party)


async def keep(connection: Connection, wallet: WalletId, called: str, key: NewKey, by: By, now: datetime) -> Passkey:
    """Store a verified key as a passkey of the wallet. Raises InvalidRequest for too many passkeys, and InvalidPasskey
    for a key that is a passkey already.
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
    await _record(connection, "passkey.added", wallet, id, called, by, now)
    return Passkey(id, wallet, called, key.backed_up, now, None)


async def passkeys(connection: Connection, wallet: WalletId) -> list[Passkey]:
    """Return the wallet's valid passkeys, newest first."""
    return [_passkey(row) for row in await connection.fetch(sql.passkeys, wallet)]


async def credentials(connection: Connection, wallet: WalletId) -> list[bytes]:
    """Return the credential ids of the wallet's passkeys, for a browser to choose from, or to avoid creating one
    twice.
    """
    return [row["credential_id"] for row in await connection.fetch(sql.passkeys, wallet)]


async def revoke(connection: Connection, wallet: WalletId, id: UUID, by: By, now: datetime) -> Passkey:
    """Revoke a passkey. The last one can be revoked only while a recovery code is left: the wallet stays guarded, and
    without either nobody could sign in again.

    Raises NotFound if the wallet has no such valid passkey, and LastPasskey.
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
    await _record(connection, "passkey.revoked", wallet, id, found.name, by, now)
    return found


async def stop(connection: Connection, cloned: ClonedPasskey, now: datetime) -> None:
    """Stop a passkey that was cloned, and tell its owner. Does nothing if it has ended already."""
    row = await connection.fetchrow(sql.passkey, read(PREFIX, cloned.passkey))
    assert row is not None, "passkeys are kept"
    if await connection.fetchval(sql.end_passkey, row["id"], row["wallet_id"], now, "cloned") is not None:
        await session.end_of_passkey(connection, row["id"], now)
        by = By("passkey", cloned.passkey)
        await _record(connection, "passkey.stopped", row["wallet_id"], row["id"], row["name"], by, now)


async def _use(
    connection: Connection,
    wallet: WalletId | None,
    purpose: str,
    details: Sequence[str],
    client_data: bytes,
    now: datetime,
) -> tuple[bytes, Party]:
    """Use the challenge that the browser names, if it is known and its details are the same. Raises InvalidPasskey."""
    named = challenge_in(client_data)
    row = await connection.fetchrow(sql.use_challenge, named, wallet, purpose, now)
    return named, challenges.party_of_used(row, named, _shown(wallet), purpose, details)


async def _record(
    connection: Connection, kind: str, wallet: WalletId, id: UUID, name: str, by: By, now: datetime
) -> None:
    """Append the event, and the audit event, which leaves out the name."""
    shown = show(PREFIX, id)
    await log.append(connection, [log.Event(kind, wallet, id, {"passkey": shown, "name": name})], now)
    await audit.append(connection, [AuditEvent(kind, wallet, by, id, {})], now)


def name_of(text: str) -> str:
    """Return a passkey's name, made safe for lists and logs. Raises InvalidRequest."""
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
