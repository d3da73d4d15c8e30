"""Close a wallet for ever, as its owner asks in so many words.

A frozen wallet stays open until it is unfrozen: whoever investigates it still needs it, and so does what may come back.
A closed wallet has no money and nothing under way; its keys, passkeys, sessions, mandates, webhooks and recovery codes
have ended, and where its owner was told of things is forgotten. Its handle is never given again, and its history stays,
since it is others' history, too. Tokens that somebody sends to its address on the chain stay there: nobody can refuse
them, and the gateway keeps the key. Those that reach an address which the wallet has left follow it to its owner's own,
as before. What its owner redeems at the contract is not paid out: a closed account takes no fiat, and the reserve keeps
it.

All of it is one transaction. A payment that comes first makes the closing be refused; one that comes later finds the
account closed (account_is_closed, schema/01_ledger.sql), whichever way it took.

Lock order, that of every payment: the wallet's keys, the wallet, its policy, its mandates, its accounts.
"""

from datetime import datetime
from typing import Final

from gateway.audit import log as audit
from gateway.audit.log import AuditEvent, By
from gateway.custody.errors import WalletNotEmpty
from gateway.errors import InvalidRequest
from gateway.events import log
from gateway.identity import wallet as wallets
from gateway.identity.wallet import Wallet
from gateway.ledger import account, ledger
from gateway.money import Assets, Money
from gateway.payments.checks import wallet_freeze
from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "close.sql")


def sentence(handle: str) -> str:
    """What the owner has to say to close the wallet."""
    return f"@{handle} closes this wallet for ever"


async def close(connection: Connection, assets: Assets, owner: Wallet, confirm: str, by: By, now: datetime) -> datetime:
    """When the wallet was closed: now, or as the same was asked before. Raises InvalidRequest, which says what to say,
    WalletFrozen and WalletNotEmpty.
    """
    if confirm != (wanted := sentence(owner.handle)):
        raise InvalidRequest("confirm", f"a closed wallet is closed for ever; to close it, say {wanted!r}")
    await connection.execute(sql.lock_keys, owner.id)
    await wallets.lock_wallet(connection, owner.id)
    await wallets.check_guard(connection, owner)
    await connection.execute(sql.lock_policy, owner.id)
    await connection.execute(sql.lock_mandates, owner.id)
    before: datetime | None = await connection.fetchval(wallets.sql.closed_at, owner.id)
    if before is not None:
        return before
    await wallet_freeze.check(connection, owner.id)
    # Each of its accounts is there to be closed, also those that it has never had money on.
    await ledger.accounts(connection, [(account.wallet(owner.handle, asset), asset) for asset in assets.spendable()])
    for row in await connection.fetch(sql.accounts, owner.id):
        if row["posted"] or row["pending"]:
            asset = assets[row["asset"]]
            raise WalletNotEmpty(row["code"], Money(int(row["posted"]), asset), Money(int(row["pending"]), asset))
    await connection.execute(sql.close_accounts, owner.id)
    await connection.execute(wallets.sql.close, owner.id, now)
    for statement in _ENDS:
        await connection.execute(statement, owner.id, now)
    for statement in _FORGETS:
        await connection.execute(statement, owner.id)
    await log.append(connection, [log.Event("wallet.closed", owner.id, owner.id, {})], now)
    await audit.append(connection, [AuditEvent("wallet.closed", owner.id, by, owner.id, {})], now)
    return now


_ENDS: Final = (
    *(sql.end_keys, sql.end_mandates, sql.end_webhooks, sql.end_passkeys, sql.end_sessions, sql.skip_notices),
)
_FORGETS: Final = (sql.forget_tokens, sql.forget_codes, sql.forget_addresses, sql.forget_preferences)
