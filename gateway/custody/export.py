"""Export a wallet's private key to its owner, after the owner has typed a confirmation.

The owner can then sign without the gateway, and pay any address without gas of their own: they sign an EIP-3009
authorization, and anybody can relay it. The wallet works as before, because the gateway keeps the key too. If both sign
for more than the balance, or with the same nonce, the contract decides, and the ledger books what the final logs say.

A key can be exported again; each export is an event. The key itself is in no row, event or log.
"""

import logging
from dataclasses import dataclass, field
from datetime import datetime

from gateway.audit import log as audit
from gateway.audit.log import AuditEvent, By
from gateway.errors import InvalidRequest
from gateway.events import log
from gateway.identity.wallet import Wallet
from gateway.ids import WalletId
from gateway.keys.vault import Vault
from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "export.sql")

notes = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ExportedKey:
    """The address, and the 32 bytes of its private key."""

    address: str
    private_key: bytes = field(repr=False)


def sentence(handle: str, address: str) -> str:
    """Return the sentence that the owner must send to export the key."""
    return f"@{handle} exports the key of {address}"


async def kept_address(connection: Connection, wallet: WalletId) -> str:
    """Return the address whose key the gateway keeps for a wallet, and which can be exported."""
    kept = await connection.fetchrow(sql.kept_key, wallet)
    assert kept is not None, "every wallet is claimed with a key"
    address: str = kept["address"]
    return address


async def export(
    connection: Connection, vault: Vault, owner: Wallet, confirm: str, by: By, now: datetime
) -> ExportedKey:
    """Return the key that the gateway keeps for the wallet, if `confirm` is the confirmation. Writes an event of the
    wallet and an audit event by `by` in this transaction: show the key only after it has committed.

    Raises InvalidRequest, which names the confirmation, and EncryptedKeyUnreadable.
    """
    kept = await connection.fetchrow(sql.kept_key, owner.id)
    assert kept is not None, "every wallet is claimed with a key"
    address, wanted = kept["address"], sentence(owner.handle, kept["address"])
    if confirm != wanted:
        raise InvalidRequest(
            "confirm", f"anyone who has the key can take everything at this address; to get it, say {wanted!r}"
        )
    private_key = vault.unsafe_decrypt(owner.id, kept["ciphertext"], kept["under"])
    await log.append(connection, [log.Event("wallet.key_exported", owner.id, owner.id, {"address": address})], now)
    await audit.append(
        connection, [AuditEvent("wallet.key_exported", owner.id, by, owner.id, {"address": address})], now
    )
    notes.warning("the key of %s was exported to its owner, @%s", address, owner.handle)
    return ExportedKey(address, private_key)
