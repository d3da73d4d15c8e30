"""Migrations over rows: what an older gateway left is there afterwards as it was, and goes on.

The rows are written by plain SQL, as those gateways wrote them, since today's code writes today's.
"""

import hashlib
from typing import Any
from uuid import UUID

import pytest

from gateway.events import log
from gateway.ids import PaymentId, WalletId, new_id
from gateway.ledger import book
from gateway.migration import _migrations, _sha256, migrate
from gateway.money import Assets, Money
from gateway.payments import ledger_rail, once, records
from gateway.payments.lean import Elsewhere
from gateway.payments.ledger_rail import LedgerPayment, Settled
from gateway.payments.payment import Payment, State
from gateway.postgres import Database
from gateway.secret import hash_of
from gateway.wallets.wallet import Wallet
from tests.factory import NOW
from tests.payments.test_ledger_rail import LedgerTown

pytestmark = pytest.mark.anyio

#: What had been applied where the rows below were written.
OLD = 5


def uuid(number: int) -> UUID:
    """Ids older than any that a test makes now, in order."""
    return UUID(int=0x0190_0000_0000_7000_8000 << 48 | number)


ALICE, BOB, CAROL = (WalletId(uuid(number)) for number in (1, 2, 3))
DEPOSIT, PAID, HELD, ISSUED, SENT = (uuid(number) for number in (10, 20, 30, 40, 50))

#: Alice was given 100.00 EUR and 5 USDX, paid Bob 25.00 EUR and 2 USDX, and holds 30.00 EUR for him. Carol has an
#: account that was never used. `a_b` is a handle that reads like a pattern, and has none.
ROWS = f"""
INSERT INTO asset (code, kind, decimals, backing) VALUES
    ('EUR', 'fiat', 2, NULL), ('USD', 'fiat', 2, NULL), ('USDX', 'token', 6, 'USD');
INSERT INTO wallet (id, handle, address, created_at)
SELECT id, handle, '0x' || lpad(n::text, 40, '0'), '2029-01-01'
FROM (VALUES ('{ALICE}'::uuid, 'alice', 1), ('{BOB}', 'bob', 2), ('{CAROL}', 'carol', 3), ('{uuid(4)}', 'a_b', 4))
    AS w (id, handle, n);
INSERT INTO sealed_key (wallet_id, sealed) SELECT id, sha256(handle::bytea) FROM wallet;
INSERT INTO api_key (hash, wallet_id, created_at) SELECT sha256(('gw_' || handle)::bytea), id, created_at FROM wallet;

INSERT INTO account (code, asset, normal, guarded, debits_posted, credits_posted, debits_pending, credits_pending,
    entries, posted_at) VALUES
    ('bank:EUR', 'EUR', 'debit', true, 10000, 0, 0, 0, 1, '2029-01-02'),
    ('fees:EUR', 'EUR', 'credit', true, 0, 0, 0, 0, 0, '-infinity'),
    ('wallet:alice:EUR', 'EUR', 'credit', true, 2500, 10000, 3000, 0, 2, '2029-01-03'),
    ('wallet:bob:EUR', 'EUR', 'credit', true, 0, 2500, 0, 3000, 1, '2029-01-03'),
    ('wallet:carol:EUR', 'EUR', 'credit', true, 0, 0, 0, 0, 0, '-infinity'),
    ('supply:USDX', 'USDX', 'debit', true, 5000000, 0, 0, 0, 1, '2029-01-04'),
    ('wallet:alice:USDX', 'USDX', 'credit', true, 2000000, 5000000, 0, 0, 2, '2029-01-05'),
    ('wallet:bob:USDX', 'USDX', 'credit', true, 0, 2000000, 0, 0, 1, '2029-01-05');
INSERT INTO transfer (id, state, purpose, subject, created_at, ended_at) VALUES
    ('{DEPOSIT}', 'posted', 'deposit', '{DEPOSIT}', '2029-01-02', '2029-01-02'),
    ('{uuid(21)}', 'posted', 'payment', '{PAID}', '2029-01-03', '2029-01-03'),
    ('{uuid(31)}', 'pending', 'payment', '{HELD}', '2029-01-03', NULL),
    ('{ISSUED}', 'posted', 'observation', '{ISSUED}', '2029-01-04', '2029-01-04'),
    ('{uuid(51)}', 'posted', 'payment', '{SENT}', '2029-01-05', '2029-01-05');
INSERT INTO hold_leg (transfer_id, number, debit_id, credit_id, amount)
SELECT '{uuid(31)}', 1, payer.id, payee.id, 3000 FROM account AS payer, account AS payee
WHERE (payer.code, payee.code) = ('wallet:alice:EUR', 'wallet:bob:EUR');
INSERT INTO entry (account_id, number, transfer_id, side, amount, balance, posted_at)
SELECT account.id, e.number, e.transfer_id, e.side::side, e.amount, e.balance, e.at::timestamptz
FROM (VALUES
    ('bank:EUR', 1, '{DEPOSIT}'::uuid, 'debit', 10000, 10000, '2029-01-02'),
    ('wallet:alice:EUR', 1, '{DEPOSIT}', 'credit', 10000, 10000, '2029-01-02'),
    ('wallet:alice:EUR', 2, '{uuid(21)}', 'debit', 2500, 7500, '2029-01-03'),
    ('wallet:bob:EUR', 1, '{uuid(21)}', 'credit', 2500, 2500, '2029-01-03'),
    ('supply:USDX', 1, '{ISSUED}', 'debit', 5000000, 5000000, '2029-01-04'),
    ('wallet:alice:USDX', 1, '{ISSUED}', 'credit', 5000000, 5000000, '2029-01-04'),
    ('wallet:alice:USDX', 2, '{uuid(51)}', 'debit', 2000000, 3000000, '2029-01-05'),
    ('wallet:bob:USDX', 1, '{uuid(51)}', 'credit', 2000000, 2000000, '2029-01-05')
) AS e (code, number, transfer_id, side, amount, balance, at) JOIN account USING (code);

INSERT INTO token_authorization (id, kind, asset, from_address, to_address, value, nonce, valid_before, state,
    created_at)
SELECT '{uuid(52)}', 'transfer', 'USDX', payer.address, payee.address, 2000000, 0, 1893456000, 'settled', '2029-01-05'
FROM wallet AS payer, wallet AS payee WHERE (payer.handle, payee.handle) = ('alice', 'bob');
INSERT INTO payment (id, state, rail, payer, payee, asset, amount, fee, captured, memo, route, transfer_id,
    authorization_id, tx_hash, created_at, expires_at, settled_at) VALUES
    ('{PAID}', 'settled', 'ledger', '{ALICE}', '{BOB}', 'EUR', 2500, 0, 2500, 'lunch', NULL, '{uuid(21)}',
        NULL, NULL, '2029-01-03', NULL, '2029-01-03'),
    ('{HELD}', 'held', 'ledger', '{ALICE}', '{BOB}', 'EUR', 3000, 0, 0, NULL, NULL, '{uuid(31)}',
        NULL, NULL, '2029-01-03', '2031-01-01', NULL),
    ('{SENT}', 'settled', 'chain', '{ALICE}', '{BOB}', 'USDX', 2000000, 0, 2000000, NULL,
        '{{"rail": "chain", "reasons": ["a token"], "fee": "0.00", "finality": "later", "expected_seconds": 2}}',
        '{uuid(51)}', '{uuid(52)}', '0x12', '2029-01-05', NULL, '2029-01-05');
INSERT INTO idempotency_key (wallet_id, key, fingerprint, status, answer, payment_id, created_at) VALUES
    ('{ALICE}', 'lunch', sha256('lunch'), 201, NULL, '{PAID}', '2029-01-03'),
    ('{ALICE}', 'hotel', sha256('hotel'), 201, 'held', NULL, '2029-01-03');
INSERT INTO event (kind, wallet_id, subject, facts, at)
SELECT kind, party, subject, '{{"from": "@alice", "to": "@bob"}}', at::timestamptz
FROM (VALUES ('payment.settled', '{PAID}'::uuid, '2029-01-03'), ('payment.held', '{HELD}', '2029-01-03'),
        ('payment.settled', '{SENT}', '2029-01-05')) AS e (kind, subject, at),
    LATERAL (VALUES (1, '{ALICE}'::uuid), (2, '{BOB}')) AS p (n, party)
ORDER BY subject, n;
INSERT INTO event (kind, wallet_id, subject, facts, at) VALUES ('house.opened', NULL, NULL, '{{}}', '2029-01-01');
"""

#: What the rows above are in.
TABLES = (
    "asset", "wallet", "sealed_key", "api_key", "account", "transfer", "hold_leg", "entry", "token_authorization",
    "payment", "idempotency_key", "event",
)  # fmt: skip


@pytest.fixture
async def town(empty: Database, assets: Assets) -> LedgerTown:
    """The database of an older gateway, with rows of its people, brought up to date; it is as it was."""
    known = _migrations()
    await as_it_was(empty, list(known)[:OLD], ROWS)
    before = await rows(empty)

    assert await migrate(empty) == list(known)[OLD:]

    after = await rows(empty)
    for table in TABLES:
        kept = [{column: new[column] for column in old} for old, new in zip(before[table], after[table], strict=True)]
        assert kept == before[table] != [], table
    async with empty.transaction() as connection:
        await book.declare(connection, assets)
    return LedgerTown(empty, assets)


async def as_it_was(database: Database, names: list[str], statements: str) -> None:
    """A database with these migrations alone, and rows of then."""
    known = _migrations()
    async with database.transaction() as connection:
        await connection.execute(
            "CREATE TABLE migration"
            " (name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        for name in names:
            await connection.execute(known[name])
            await connection.execute("INSERT INTO migration (name, sha256) VALUES ($1, $2)", name, _sha256(known[name]))
        await connection.execute(statements)


async def rows(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Every row of the tables, by column; the first two columns tell the rows of each apart."""
    async with database.reading() as connection:
        return {
            table: [dict(row) for row in await connection.fetch(f"SELECT * FROM {table} ORDER BY 1, 2")]
            for table in TABLES
        }


async def owners(database: Database) -> dict[str, UUID]:
    async with database.reading() as connection:
        found = await connection.fetch("SELECT code, owner FROM account WHERE owner IS NOT NULL")
    return {row["code"]: row["owner"] for row in found}


def asked(key: str, payee: str, units: int, assets: Assets) -> LedgerPayment:
    """A payment of Alice's."""
    id = PaymentId(new_id(NOW))
    fingerprint = hashlib.sha256(key.encode()).digest()
    return LedgerPayment(hash_of("gw_alice"), key, fingerprint, payee, Money(units, assets["EUR"]), None, id)


async def kinds(town: LedgerTown, wallet: WalletId) -> list[tuple[str, UUID | None]]:
    """What the wallet reads of its events."""
    async with town.database.reading() as connection:
        return [(event.kind, event.subject) for event in await log.read(connection, wallet, 0, 100)]


async def test_the_accounts_of_wallets_have_owners_and_the_house_s_have_none(town: LedgerTown, assets: Assets) -> None:
    old = {"wallet:alice:EUR": ALICE, "wallet:bob:EUR": BOB, "wallet:carol:EUR": CAROL}
    old |= {"wallet:alice:USDX": ALICE, "wallet:bob:USDX": BOB}
    assert await owners(town.database) == old

    async with town.database.transaction() as connection:
        await book.accounts(connection, [("wallet:a_b:EUR", assets["EUR"]), ("escrow:EUR", assets["EUR"])])

    assert await owners(town.database) == old | {"wallet:a_b:EUR": uuid(4)}


async def test_the_book_is_as_it_was_and_recounts(town: LedgerTown) -> None:
    assert await town.wrong() == []
    async with town.database.reading() as connection:
        found = await book.balances(connection, town.assets, ["wallet:alice:EUR", "wallet:bob:USDX", "bank:EUR"])
        lines = await book.statement(connection, town.assets["EUR"], "wallet:alice:EUR", None, 10)
    assert {code: (one.posted, one.available) for code, one in found.items()} == {
        "wallet:alice:EUR": (7500, 4500),
        "wallet:bob:USDX": (2_000_000, 2_000_000),
        "bank:EUR": (10000, 10000),
    }
    assert [(line.number, line.subject, line.balance.units) for line in lines] == [(2, PAID, 7500), (1, DEPOSIT, 10000)]


async def test_people_go_on_paying_each_other_and_read_what_was_and_what_is(town: LedgerTown, assets: Assets) -> None:
    old = [("payment.settled", PAID), ("payment.held", HELD), ("payment.settled", SENT)]
    to_bob, to_carol = asked("tea", "bob", 500, assets), asked("cake", "carol", 4000, assets)

    outcomes = await ledger_rail.pay_all(town.database, town.terms, [to_bob, to_carol], NOW)

    assert [type(outcome) for outcome in outcomes] == [Settled, Settled]
    tea, cake = ("payment.settled", to_bob.payment_id), ("payment.settled", to_carol.payment_id)
    assert await kinds(town, ALICE) == [*old, tea, cake]
    assert await kinds(town, BOB) == [*old, tea]
    assert await kinds(town, CAROL) == [cake]
    assert await town.wrong() == []


async def test_a_key_of_then_finds_its_payment_now(town: LedgerTown, assets: Assets) -> None:
    before = await rows(town.database)
    lunch = asked("lunch", "bob", 2500, assets)

    outcomes = await ledger_rail.pay_all(town.database, town.terms, [lunch], NOW)
    async with town.database.transaction() as connection:
        paid = await once.claim(connection, ALICE, "lunch", lunch.fingerprint, NOW)
        held = await once.claim(connection, ALICE, "hotel", hashlib.sha256(b"hotel").digest(), NOW)

    assert [type(outcome) for outcome in outcomes] == [Elsewhere]
    assert paid == once.Answer(201, None, replayed=True, payment=PaymentId(PAID))
    assert held == once.Answer(201, b"held", replayed=True)
    assert await rows(town.database) == before


async def test_what_was_held_is_listed_captured_and_refunded(town: LedgerTown) -> None:
    async with town.database.reading() as connection:
        sent, held, paid = await records.payments_page(connection, town.assets, ALICE, None, 10)
    assert [sent.id, held.id, paid.id] == [SENT, HELD, PAID]
    assert (sent.route.rail, held.route.rail, held.state, paid.memo) == ("chain", "ledger", State.HELD, "lunch")
    bob = Wallet(BOB, "bob", "")

    captured: Payment = await town.capture(bob, held, "20.00 EUR")
    refund = await town.refund(bob, paid, "5.00 EUR")

    assert (captured.state, refund.state) == (State.SETTLED, State.SETTLED)
    assert await town.available(bob, "EUR") == "40.00 EUR"
    assert await town.available(Wallet(ALICE, "alice", ""), "EUR") == "60.00 EUR"
    assert (await kinds(town, BOB))[3:] == [("payment.settled", HELD), ("payment.settled", refund.id)]
    assert await town.wrong() == []


async def test_of_handles_that_look_alike_the_first_has_the_look_and_all_stay(empty: Database) -> None:
    before = [name for name in _migrations() if name < "0036_confusables"]
    handles = ["aiice", "alice", "carol", "alice_", "a__b", "ab", "admin"]
    values = ", ".join(
        f"('{uuid(n)}', '{handle}', '0x{n:040}', 'gateway', '2029-01-0{n}')"
        for n, handle in enumerate(handles, start=1)
    )
    claimed = (
        f"WITH claimed AS (INSERT INTO wallet (id, handle, address, custody, created_at) VALUES {values} RETURNING *) "
        "INSERT INTO wallet_address (address, wallet_id, custody, since) "
        "SELECT address, id, custody, created_at FROM claimed"
    )
    await as_it_was(empty, before, claimed)

    await migrate(empty)

    async with empty.reading() as connection:
        found = await connection.fetch("SELECT handle, looks FROM wallet ORDER BY created_at")
    assert [row["handle"] for row in found] == handles
    assert [row["looks"] for row in found] == ["allce", None, "carol", None, "ab", None, "adrnln"]
