"""Hand a wallet's private key to its owner, who asks for it in so many words.

From then on the owner can sign without us, and so pay to any address without gas of their own: they sign an EIP-3009
authorization, and whoever likes relays it. The wallet goes on as before: we still have the key too. If both sign for
more than there is, or with one nonce, the contract decides, and what final logs say is booked.

It can be asked again, and each time is an event. The key itself is in no row, event or log.
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
    """What the owner has to say to have the key."""
    return f"@{handle} exports the key of {address}"


async def kept_address(connection: Connection, wallet: WalletId) -> str:
    """The address whose key is kept for a wallet, and can be exported."""
    kept = await connection.fetchrow(sql.kept_key, wallet)
    assert kept is not None, "every wallet is claimed with a key"
    address: str = kept["address"]
    return address


async def export(
    connection: Connection, vault: Vault, owner: Wallet, confirm: str, by: By, now: datetime
) -> ExportedKey:
    """The key that we keep for the wallet, if `confirm` says that its owner wants it. That it was exported is an event
    of the wallet and an audit event by `by`, written in this transaction: hand the key on once that is committed.

    Raises InvalidRequest, which says what to say, and EncryptedKeyUnreadable.
    """
    kept = await connection.fetchrow(sql.kept_key, owner.id)
    assert kept is not None, "every wallet is claimed with a key"
    address, wanted = kept["address"], sentence(owner.handle, kept["address"])
    if confirm != wanted:
        raise InvalidRequest("confirm", f"whoever has the key can take all that is there; to have it, say {wanted!r}")
    private_key = vault.unsafe_decrypt(owner.id, kept["ciphertext"], kept["under"])
    await log.append(connection, [log.Event("wallet.key_exported", owner.id, owner.id, {"address": address})], now)
    await audit.append(
        connection, [AuditEvent("wallet.key_exported", owner.id, by, owner.id, {"address": address})], now
    )
    notes.warning("the key of %s was exported to its owner, @%s", address, owner.handle)
    return ExportedKey(address, private_key)
