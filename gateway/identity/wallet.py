"""Claim a handle, and find the wallet behind a handle or an address."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from gateway.audit import log as audit
from gateway.audit.log import ANYONE, AuditEvent
from gateway.errors import Forbidden, InvalidRequest
from gateway.events import log
from gateway.identity.errors import AddressTaken, HandleReserved, HandleTaken, LooksAlike, UnknownHandle
from gateway.identity.handle import fold
from gateway.ids import WalletId, new_id
from gateway.keys.vault import Vault
from gateway.postgres.pool import Connection, Record, Statements
from gateway.secret import hash_of, new_secret

sql = Statements(__package__, "wallet.sql")


#: Who keeps the key of an address and signs for it: the gateway (encrypted) or the owner; or it is a contract, which
#: verifies signatures itself (ERC-1271).
Custody = Literal["gateway", "owner", "contract"]


class Wallet(Struct, frozen=True):
    """What a handle maps to. `address` is the current one, EIP-55 checksummed, and `custody` is that address's."""

    id: WalletId
    handle: str
    address: str
    custody: Custody = "gateway"
    guarded: bool = False  # It has or had a passkey: its policy applies.

    @property
    def signs_itself(self) -> bool:
        """Whether token payments of this wallet need a signature that the gateway cannot make."""
        return self.custody != "gateway"


async def check_free(connection: Connection, typed: str) -> str:
    """Return the folded handle, if it is free at the moment. Nothing is reserved.

    Raises InvalidHandle and HandleTaken, or one of its kinds: LooksAlike, HandleReserved.
    """
    handle = fold(typed)
    taken = await _taken(connection, handle)
    if taken is not None:
        raise taken
    return handle


async def claim_with(connection: Connection, vault: Vault, handle: str, api_key_hash: bytes, now: datetime) -> Wallet:
    """Claim `handle` with an API key that the caller has made and keeps, by its SHA-256. Repeating the call with the
    same hash returns the same wallet, so a claim whose answer was lost can be retried.

    Raises what `claim` raises, and InvalidRequest if the key is another handle's.
    """
    try:
        return await _claim(connection, vault, handle, WalletId(new_id(now)), api_key_hash, now)
    except HandleTaken as taken:
        row = await connection.fetchrow(sql.by_api_key, api_key_hash)
        if row is None or row["handle"] != taken.handle:
            raise
        return from_row(row)


async def claim(
    connection: Connection, vault: Vault, handle: str, now: datetime, id: WalletId | None = None
) -> tuple[Wallet, str]:
    """Create a wallet under `handle`, with a new address. Returns it and its API key, which is never shown again. `id`
    is the wallet's, if it was chosen before.

    Raises InvalidHandle, HandleTaken (LooksAlike, HandleReserved) and MasterKeyMissing. If many claim it at once, one
    gets the handle.
    """
    api_key = new_secret("gw")
    return await _claim(connection, vault, handle, id or WalletId(new_id(now)), hash_of(api_key), now), api_key


async def _claim(
    connection: Connection, vault: Vault, handle: str, id: WalletId, api_key_hash: bytes, now: datetime
) -> Wallet:
    master, under = await master_key(connection)
    folded = fold(handle)
    address, ciphertext = vault.new_key(id, folded, under)
    wallet = Wallet(id, folded, address)
    if await connection.fetchval(sql.claim, wallet.id, wallet.handle, wallet.address, now) is None:
        raise await _taken(connection, wallet.handle) or HandleTaken(wallet.handle)
    await connection.execute(sql.keep_key, wallet.id, ciphertext, master)
    key_id = await connection.fetchval(sql.add_api_key, api_key_hash, wallet.id, now)
    if key_id is None:
        raise InvalidRequest("api_key_hash", "this API key is in use already; make another one from 256 random bits")
    await log.append(connection, [log.Event("wallet.created", id, id, {"handle": wallet.handle})], now)
    created = AuditEvent("wallet.created", id, ANYONE, id, {"handle": wallet.handle})
    key_created = AuditEvent("api_key.created", id, ANYONE, key_id, {"name": "sign-up"})
    await audit.append(connection, [created, key_created], now)
    return wallet


async def _taken(connection: Connection, handle: str) -> HandleTaken | None:
    """Return why a handle cannot be claimed; None if it can."""
    row = await connection.fetchrow(sql.look_alike, handle)
    if row is None:
        return None
    if row["reserved"]:
        return HandleReserved(handle, row["name"])
    return HandleTaken(handle) if row["name"] == handle else LooksAlike(handle, row["name"])


async def master_key(connection: Connection) -> tuple[int, bytes | None]:
    """Return the number and the check value of the master key that encrypts keys, and keep it from being retired until
    the transaction ends; (1, None) in a database without a master key.
    """
    row = await connection.fetchrow(sql.master_key)
    return (row["number"], row["check_value"]) if row is not None else (1, None)


async def lock_wallet(connection: Connection, id: WalletId) -> None:
    """Lock the wallet until the transaction ends, so that decisions about it are made one at a time."""
    await connection.execute(sql.lock_wallets, [id])


async def lock_with_keys(connection: Connection, ids: Collection[WalletId]) -> None:
    """Lock several wallets as `lock_wallet`, after their API keys, in the lock order of payments. For changes of a
    wallet's keys or of their rights, such as its first passkey and a freeze.
    """
    await connection.execute(sql.lock_keys_of_wallets, list(ids))
    await connection.execute(sql.lock_wallets, list(ids))


async def share(connection: Connection, ids: Iterable[WalletId]) -> None:
    """Lock these wallets for sharing: until the transaction ends, none is frozen, closed or given a passkey."""
    await connection.execute(sql.share, list(ids))


async def guard(connection: Connection, id: WalletId) -> None:
    """Make the wallet guarded, because it has its first passkey: its policy applies, and its API keys no longer act as
    its owner. What was granted before waits or ends, in the same transaction (schema/10_controls.sql).
    """
    await connection.execute(sql.guard, id)


async def check_guard(connection: Connection, of: Wallet) -> None:
    """Raise Forbidden if the wallet got its first passkey since it was looked up: the caller may no longer be its
    owner. Until the transaction ends it cannot get one.
    """
    if not of.guarded and await connection.fetchval(sql.is_guarded, of.id):
        raise Forbidden("this wallet has got a passkey in this moment: sign in with it, and ask again")


async def by_handle(connection: Connection, handle: str) -> Wallet:
    """Return the wallet of a handle. Raises InvalidHandle, or UnknownHandle if nobody has it."""
    folded = fold(handle)
    row = await connection.fetchrow(sql.by_handle, folded)
    if row is None:
        raise UnknownHandle(folded)
    return from_row(row)


async def open_by_handle(connection: Connection, handle: str) -> Wallet:
    """Return the wallet of a handle as `by_handle`. Raises UnknownHandle if its owner has closed it, too."""
    found = await by_handle(connection, handle)
    if await closed(connection, [found.id]):
        raise UnknownHandle(found.handle)
    return found


async def closed(connection: Connection, ids: Iterable[WalletId]) -> set[WalletId]:
    """Return which of these wallets are closed."""
    return {WalletId(row["id"]) for row in await connection.fetch(sql.closed, list(ids))}


async def by_id(connection: Connection, id: WalletId) -> Wallet:
    """Return the wallet with this id, which must exist."""
    row = await connection.fetchrow(sql.by_id, id)
    assert row is not None, "wallets are kept for ever"
    return from_row(row)


async def have_moved(connection: Connection, wallets: Iterable[Wallet]) -> bool:
    """Return whether any of them is bound to another address by now than when it was looked up."""
    said = [(one.id, one.address) for one in wallets]
    moved: bool = await connection.fetchval(sql.have_moved, [id for id, _ in said], [address for _, address in said])
    return moved


async def handles(connection: Connection, ids: Iterable[WalletId]) -> dict[WalletId, str]:
    """Return the handles of these wallets, by wallet."""
    return {WalletId(row["id"]): row["handle"] for row in await connection.fetch(sql.handles, list(ids))}


async def by_handles(connection: Connection, handles: Sequence[str]) -> dict[str, Wallet]:
    """Return the wallets of these folded handles, by handle; a handle that nobody has is left out."""
    return {row["handle"]: from_row(row) for row in await connection.fetch(sql.by_handles, list(handles))}


async def by_addresses(
    connection: Connection, addresses: Sequence[str], again_at: int | None = None
) -> dict[str, Wallet]:
    """Return the wallets that own the tokens at these addresses, by address: a wallet's current address, or one whose
    key the gateway keeps. Other addresses are left out; for a block that is read again, so are those that were bound
    after it.
    """
    if again_at is None:
        rows = await connection.fetch(sql.by_addresses, list(addresses))
    else:
        rows = await connection.fetch(sql.by_addresses_at, list(addresses), again_at)
    return {row["at"]: from_row(row) for row in rows}


async def change_address(
    connection: Connection,
    of: Wallet,
    address: str,
    custody: Literal["owner", "contract"],
    read_to: int,
    now: datetime,
) -> Wallet:
    """Give the wallet another address, which belongs to it permanently, as does the old one. Returns the wallet. The
    ledger has the balance of the new address at block `read_to` as one sum.

    Raises AddressTaken if the address is another wallet's, or its key is kept otherwise.
    """
    await connection.execute(sql.add_address, address, of.id, custody, now, read_to)
    row = await connection.fetchrow(sql.address, address)
    if row is None or (row["wallet_id"], row["custody"]) != (of.id, custody):
        raise AddressTaken(address)
    await connection.execute(sql.change_address, of.id, address, custody)
    return replace(of, address=address, custody=custody)


def from_row(row: Record) -> Wallet:
    """Return the wallet of a row that has its columns."""
    return Wallet(WalletId(row["id"]), row["handle"], row["address"], row["custody"], row["guarded"])
