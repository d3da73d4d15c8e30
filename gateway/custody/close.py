"""Close a wallet permanently, after its owner has typed a confirmation.

A frozen wallet cannot be closed until it is unfrozen: the investigation still needs it, and money may still be returned
to it.

A closed wallet has no money and nothing under way. Its keys, passkeys, sessions, mandates, open requests, webhooks and
recovery codes are ended, and its notification addresses and preferences are deleted. Its handle is never given out
again. Its history stays, because it is also the history of its counterparties.

Tokens that somebody sends to its address on the chain stay there: a transfer cannot be refused, and the gateway keeps
the key. Tokens that reach a previous address of the wallet are still swept to the owner's address. Tokens that the
owner redeems at the contract are not paid out: a closed account takes no fiat, so the reserve keeps it.

All of it is one transaction. If a payment commits first, closing is refused. A payment that comes later finds the
account closed (account_is_closed, schema/01_ledger.sql), on every path.

Lock order, the same as for payments: the wallet's keys, the wallet, its policy, its mandates, its requests,
its accounts.
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
from gateway.payments import request_money
from gateway.payments.checks import wallet_freeze
from gateway.payments.requests import rows as requests
from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "close.sql")


def sentence(handle: str) -> str:
    """Return the sentence that the owner must send to close the wallet."""
    return f"@{handle} closes this wallet for ever"


async def close(connection: Connection, assets: Assets, owner: Wallet, confirm: str, by: By, now: datetime) -> datetime:
    """Close the wallet. Returns when it was closed; repeating it returns the first time.

    Raises InvalidRequest, which names the confirmation, WalletFrozen and WalletNotEmpty.
    """
    if confirm != (wanted := sentence(owner.handle)):
        raise InvalidRequest("confirm", f"a closed wallet is closed for ever; to close it, say {wanted!r}")
    await wallets.lock_with_keys(connection, [owner.id])
    await wallets.check_guard(connection, owner)
    await connection.execute(sql.lock_policy, owner.id)
    await connection.execute(sql.lock_mandates, owner.id)
    asked = await requests.lock_unended(connection, owner.id)
    before: datetime | None = await connection.fetchval(wallets.sql.closed_at, owner.id)
    if before is not None:
        return before
    await wallet_freeze.check(connection, owner.id)
    # Open every account first, also those that were never used, so that all of them are closed.
    await ledger.accounts(connection, [(account.wallet(owner.handle, asset), asset) for asset in assets.spendable()])
    for row in await connection.fetch(sql.accounts, owner.id):
        if row["posted"] or row["pending"]:
            asset = assets[row["asset"]]
            raise WalletNotEmpty(row["code"], Money(int(row["posted"]), asset), Money(int(row["pending"]), asset))
    await connection.execute(sql.close_accounts, owner.id)
    await connection.execute(wallets.sql.close, owner.id, now)
    for statement in _ENDS:
        await connection.execute(statement, owner.id, now)
    await request_money.cancel_all(connection, assets, asked, now)
    for statement in _FORGETS:
        await connection.execute(statement, owner.id)
    await log.append(connection, [log.Event("wallet.closed", owner.id, owner.id, {})], now)
    await audit.append(connection, [AuditEvent("wallet.closed", owner.id, by, owner.id, {})], now)
    return now


_ENDS: Final = (
    *(sql.end_keys, sql.end_mandates, sql.end_webhooks, sql.end_passkeys, sql.end_sessions, sql.skip_notices),
)
_FORGETS: Final = (sql.forget_tokens, sql.forget_codes, sql.forget_addresses, sql.forget_preferences)
