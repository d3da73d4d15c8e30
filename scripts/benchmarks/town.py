"""Who pays whom: handles with API keys and money, in a valid ledger.

Handle number n is `h` and seven digits, its API key `gw_` and forty-three, so wrk can compute both. The
wallets have no keys for the chain, so none of them pays with tokens here. Their money is deposited through the ledger.
"""

import asyncio
import random
import time
from uuid import UUID

from benchmarks.rig import Connection, Ledger, Rig
from gateway import assembly
from gateway.bank import sandbox
from gateway.cli.operate import operations
from gateway.clock import system_clock
from gateway.ids import AccountId, TransferId, new_id
from gateway.ledger import account, ledger
from gateway.ledger.transfer import Leg, Transfer
from gateway.money import Money, fiat
from gateway.payments.rails import ledger as ledger_rail
from gateway.payments.rails.ledger import LedgerPayment, Settled
from gateway.secret import hash_of

EUR = fiat("EUR")
_EACH = Money(1_000_000_00, EUR)  #: The opening balance of every handle: enough for the whole run.
_AT_ONCE = 1_000

_WALLETS = """
WITH fresh AS (
    INSERT INTO wallet (id, handle, address, custody, created_at)
    SELECT uuidv7(), 'h' || lpad(n::text, 7, '0'), '0x' || lpad(n::text, 40, '0'), 'gateway', now()
    FROM generate_series(0, $1::bigint - 1) AS n
    RETURNING *
)
INSERT INTO wallet_address (address, wallet_id, custody, since) SELECT address, id, custody, created_at FROM fresh
"""
_KEYS = """
INSERT INTO api_key (hash, wallet_id, created_at)
SELECT sha256(convert_to('gw_' || lpad(substr(handle, 2), 43, '0'), 'UTF8')), id, now() FROM wallet
"""
_ACCOUNTS = """
INSERT INTO account (code, asset, normal, guarded)
SELECT 'wallet:' || handle || ':EUR', 'EUR', 'credit', true FROM wallet ORDER BY handle
"""


async def settle(rig: Rig, name: str, handles: int) -> Ledger:
    """A migrated database with so many handles, each with an API key, an account in EUR and money in it."""
    await rig.create_database(name)
    await operations.migrate(rig.config(name))
    async with rig.connected(name) as connection:
        async with connection.transaction():
            await connection.execute(_WALLETS, handles)
            await connection.execute(_KEYS)
            await connection.execute(_ACCOUNTS)
        await _deposit(connection)
        await connection.execute("VACUUM ANALYZE")
    return Ledger(name, handles)


async def _deposit(connection: Connection) -> None:
    """A deposit for every wallet, and one line at the bank for all of them."""
    now = system_clock()
    rows = await connection.fetch("SELECT account.id FROM account WHERE code LIKE 'wallet:%' ORDER BY id")
    bank = (await ledger.accounts(connection, [(account.system_account("bank", EUR), EUR)]))[
        account.system_account("bank", EUR)
    ]
    for start in range(0, len(rows), _AT_ONCE):
        deposits = [_deposit_to(bank, AccountId(row["id"]), new_id(now)) for row in rows[start : start + _AT_ONCE]]
        async with connection.transaction():
            ledger.all_done(await ledger.post(connection, deposits, now))
    everything = Money(_EACH.units * len(rows), EUR)
    await sandbox.ledger_lines(connection, [sandbox.Line("town", everything, 1)], now)


def _deposit_to(bank: AccountId, wallet: AccountId, id: UUID) -> Transfer:
    return Transfer(TransferId(id), "deposit", id, (Leg(bank, wallet, _EACH.units),))


# ---- a past ---------------------------------------------------------------------------------------------------------


async def live(rig: Rig, ledger: Ledger, entries: int) -> float:
    """Payments between the handles until the ledger has so many entries, a quarter of them to handle 0, by the
    gateway's own statement; how many seconds it took.

    Two loaders side by side, of which one has the even handles and the other the odd: neither waits for the other.
    """
    started = time.monotonic()
    payments = entries // 2 - ledger.handles  # every deposit has two entries, and so has every payment
    loaders = (_load(rig, ledger, payments // 2, remainder) for remainder in (0, 1))
    await asyncio.gather(*loaders)
    ledger.loaded += payments // 2 * 2
    async with rig.connected(ledger.name) as connection:
        await connection.execute("VACUUM ANALYZE")
    return time.monotonic() - started


async def _load(rig: Rig, ledger: Ledger, payments: int, remainder: int) -> None:
    draw = random.Random(remainder)  # nosec B311 # noqa: S311 - the same town every time
    async with assembly.services(rig.config(ledger.name), connections=1) as services:
        for start in range(0, payments, _AT_ONCE):
            now = services.clock()
            asked = []
            for number in range(start, min(start + _AT_ONCE, payments)):
                payer, payee = (2 * place + remainder for place in draw.sample(range(ledger.handles // 2), 2))
                if remainder == 0 and number % 2 == 0 and payer != 0:
                    payee = 0
                asked.append(
                    LedgerPayment(
                        token_hash=hash_of(f"gw_{payer:043}"),
                        idempotency_key=f"past-{remainder}-{number}",
                        fingerprint=bytes(32),
                        payee_handle=f"h{payee:07}",
                        money=Money(draw.randint(1, 20), EUR),
                        memo=None,
                    )
                )
            outcomes = await ledger_rail.pay_all(services.database, services.settings, asked, now)
            assert all(isinstance(outcome, Settled) for outcome in outcomes)
