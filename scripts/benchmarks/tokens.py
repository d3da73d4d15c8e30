"""Who pays whom with tokens: handles with keys, API keys and minted tokens; and the check of the ledger afterwards.

Nothing bypasses the gateway: money is deposited, converted and minted as for everybody.
"""

import asyncio
import time
from datetime import datetime
from uuid import UUID

from benchmarks.books import Checked
from benchmarks.rig import Connection, Ledger, Rig
from gateway import assembly
from gateway.bank import movements
from gateway.bank.movements import BankRequest
from gateway.cli.operate import operations
from gateway.http.services import Services
from gateway.identity import wallet
from gateway.identity.wallet import Wallet
from gateway.ids import WalletId, new_id, read
from gateway.money import Money, fiat
from gateway.payments import convert
from gateway.secret import hash_of

USD = fiat("USD")
PAID_IN = "USDX"  #: What every handle pays with.
_EACH = Money(10_000_00, USD)  #: The opening balance of every handle: enough for the whole run.
_AT_ONCE = 250
_SETTLED_SECONDS = 120.0

_OPEN = "SELECT EXISTS (SELECT FROM token_authorization WHERE state IN ('queued', 'submitted') AND reason IS NULL)"
_STATES = "SELECT state::text, count(*) FROM payment WHERE state <> 'settled' GROUP BY state"
_WRITTEN = "SELECT count(*), count(DISTINCT id) FROM unnest($1::uuid[]) AS acknowledged (id)"
_FOUND = "SELECT count(*) FROM payment WHERE id = ANY ($1) AND state = 'settled'"
_UNMATCHED = """
SELECT count(*) FROM payment
FULL JOIN (
    SELECT transfer.id AS transfer_id FROM observation
    JOIN transfer ON transfer.id = observation.transfer_id
    WHERE transfer.purpose = 'payment'
) AS seen USING (transfer_id)
LEFT JOIN token_authorization AS signed ON signed.id = payment.authorization_id
WHERE payment.id IS NULL OR seen.transfer_id IS NULL OR signed.state IS DISTINCT FROM 'settled'
"""
_FULLEST = """
SELECT t.final_hash AS hash, count(*) AS payments
FROM chain_transaction AS t JOIN token_authorization AS a ON a.transaction_id = t.id
WHERE t.kind = 'settle' AND t.state = 'succeeded' AND t.concluded_at >= $1
GROUP BY t.id ORDER BY count(*) DESC LIMIT 1
"""

#: What was checked, in the words of the output.
CHECKED = (
    "`gateway reconcile` finds no difference: the ledger is right by itself, and is what the chain and the bank say",
    "every id that was answered is a settled payment, and no id was answered twice",
    "there are at least as many payments as were acknowledged, and at most as many more as were asked for and not "
    "answered",
    "every payment is settled, has one authorization, which is settled, and one final Transfer log of its own, and no "
    "other log is of a payment",
)


async def settle(rig: Rig, name: str, handles: int) -> Ledger:
    """A migrated database with so many handles, each with an API key, and their tokens ordered: a worker mints them.
    `rig` knows where the chain is.
    """
    await rig.create_database(name)
    config = rig.config(name)
    await operations.migrate(config)
    await operations.deploy(config)
    async with assembly.services(config, connections=2) as services:
        for start in range(0, handles, _AT_ONCE):
            await _move_in(services, range(start, min(start + _AT_ONCE, handles)))
    return Ledger(name, handles)


async def _move_in(services: Services, numbers: range) -> None:
    """Handles with these numbers; like those of town.py, but that the gateway has keys for their addresses."""
    now = services.clock()
    async with services.database.transaction() as connection:
        owners = []
        for number in numbers:
            id = WalletId(new_id(now))
            address, ciphertext = services.vault.new_key(id, f"user_{id.hex[-12:]}")
            owner = Wallet(id, f"h{number:07}", address)
            await connection.execute(wallet.sql.claim, owner.id, owner.handle, owner.address, now)
            await connection.execute(wallet.sql.keep_key, owner.id, ciphertext, 1)
            await connection.execute(wallet.sql.add_api_key, hash_of(f"gw_{number:043}"), owner.id, now)
            owners.append(owner)
        asked = [BankRequest("deposit", owner, _EACH) for owner in owners]
        await movements.settle_all(connection, services.settings.assets, asked, now)
        (token,) = services.settings.assets.tokens()
        for owner in owners:
            await convert.convert(connection, services.settings, owner, _EACH, token, now)


async def until_settled(connection: Connection) -> float:
    """Wait until nothing is queued or on its way; when that was seen, by time.monotonic()."""
    give_up = time.monotonic() + _SETTLED_SECONDS
    while await connection.fetchval(_OPEN):
        if time.monotonic() > give_up:
            raise RuntimeError(f"token payments are still open after {_SETTLED_SECONDS:.0f} s: see the worker's log")
        await asyncio.sleep(0.02)
    return time.monotonic()


async def fullest(connection: Connection, since: datetime) -> tuple[bytes, int]:
    """The batch with most payments among those that have ended since then: its hash, and how many it has."""
    [(hash_, payments)] = await connection.fetch(_FULLEST, since)
    return hash_, payments


async def check(rig: Rig, ledger: Ledger) -> Checked:
    """Reconcile the ledger with itself, the chain, the bank, and the answers that wrk got."""
    reconciled = await operations.reconcile(rig.config(ledger.name))
    faults = [f"{one.account}: {one.ledger} in the ledger, {one.other} {one.where}" for one in reconciled.differences]
    ids: list[UUID] = [
        read("pay", line) for file in ledger.ids if file.exists() for line in file.read_text().splitlines()
    ]
    async with rig.connected(ledger.name) as connection:
        [(written, distinct)] = await connection.fetch(_WRITTEN, ids)
        found = await connection.fetchval(_FOUND, ids)
        payments = await connection.fetchval("SELECT count(*) FROM payment")
        unsettled = {row["state"]: row["count"] for row in await connection.fetch(_STATES)}
        unmatched = await connection.fetchval(_UNMATCHED)
        keys = await connection.fetchval("SELECT count(*) FROM idempotency_key")
    unanswered = ledger.asked - ledger.acknowledged - ledger.refused
    for fault, there in (
        (f"{written} ids were written down of {ledger.acknowledged}", written != ledger.acknowledged),
        (f"{written - distinct} ids were answered twice", written != distinct),
        (f"{distinct - found} acknowledged payments are not settled", distinct != found),
        (f"{payments} payments are more than were asked for", payments > ledger.acknowledged + unanswered),
        (f"payments are left: {unsettled}", bool(unsettled)),
        (f"{unmatched} payments and final logs have no other half", unmatched != 0),
        (f"{keys} keys are there for {payments} payments", keys != payments),
    ):
        if there:
            faults.append(fault)
    return Checked(ledger.name, payments, ledger.acknowledged, unanswered, ledger.refused, tuple(faults))
