"""Payments in sessions that one statement settles or holds by itself: only such as the checks let through, and most of
those.

`sessions_with_room` (schema/10_spending.sql) says in one statement that no check has anything to say; session.py and
the checks say it with their reasons. Hypothesis drives both over sessions, policies and days that are partly spent.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from gateway.errors import Unauthenticated
from gateway.idempotency import Claim
from gateway.identity import wallet as wallets
from gateway.identity.sign_in import session
from gateway.identity.sign_in.session import FRESH, LASTS, ROTATES_AFTER
from gateway.identity.wallet import Wallet
from gateway.ids import PaymentId, TransferId, new_id
from gateway.ledger import account, ledger
from gateway.ledger.transfer import Leg, Transfer
from gateway.money import Assets, Money
from gateway.payments import pay
from gateway.payments.checks import caps, policy
from gateway.payments.checks.caps import Cap
from gateway.payments.checks.policy import DAY, FIRST_DAY
from gateway.payments.model.payment import Payment
from gateway.payments.model.plain import NeedsChecks, NotDone, Undecided
from gateway.payments.model.policy import Limit, Policy
from gateway.payments.model.route import RailName
from gateway.payments.pay import PayRequest
from gateway.payments.rails import chain as chain_rail
from gateway.payments.rails import ledger as ledger_rail
from gateway.payments.rails.chain import Queued, TokenPayment
from gateway.payments.rails.hold import HeldFirst
from gateway.payments.rails.ledger import HeldPayment, LedgerPayment, Settled
from gateway.postgres.pool import Connection, Database
from gateway.secret import hash_of
from tests.api.conftest import contracts
from tests.databases import until_waiting
from tests.factory import NOW
from tests.payments.test_ledger_rail import LedgerTown
from tests.payments.test_settle_payments import WRITTEN, undone

pytestmark = pytest.mark.anyio

TICK, MINUTE, HOUR = timedelta(microseconds=1), timedelta(minutes=1), timedelta(hours=1)

#: What counts, and whom the payer has paid, beside what every payment writes.
COUNTED = {
    "counted": "SELECT scope, scope_id, number, asset, bucket, at, amount FROM counted_payment ORDER BY at, amount",
    "spending": "SELECT * FROM spending ORDER BY bucket",
    "known": "SELECT * FROM known_payee ORDER BY payee",
}


#: Everything that a payment writes whose money is held first, but for its key, its ids, and the numbers of events.
HELD = {
    "payment": """SELECT state, rail, payer, payee, payee_address, asset, amount, fee, memo, route::text,
        transfer_id = id AS own_transfer, authorization_id = id AS own_authorization, created_at, expires_at, approval,
        capture, undo_until, hidden_from_payee FROM staged_payment ORDER BY created_at, amount""",
    "hold": "SELECT state, debit_id, credit_id, amount, purpose, leg, created_at FROM hold ORDER BY created_at, amount",
    "account": WRITTEN["account"],
    "authorization": """SELECT kind, asset, from_address, to_address, value, nonce, valid_before, state, signed_by
        FROM token_authorization ORDER BY nonce""",
    "event": WRITTEN["event"],
}

#: What a payment becomes, the asset that it is of, what it writes, and the statement.
WAYS: dict[str, tuple[str, Any, Any]] = {
    "settled": ("EUR", WRITTEN, ledger_rail.pay_in),
    "held": ("EUR", HELD, ledger_rail.hold_in),
    "queued": ("USDX", HELD, chain_rail.pay_in),
}

RAILS: tuple[RailName, ...] = get_args(RailName)

KNOW = "INSERT INTO known_payee (wallet_id, payee, first_paid_at) VALUES ($1, $2, $3)"


@dataclass
class Signed:
    """Somebody with a session: what they show."""

    wallet: Wallet
    token: str


class Avenue(LedgerTown):
    """alice, whose wallet is guarded and who has signed in, and bob, whom she has paid before."""

    async def move_in(self) -> None:
        self.now = NOW - 9 * DAY
        self.settings = replace(self.settings, contracts=contracts(self.assets))
        self.bob, self.carol = await self.person("bob", "9.00 EUR"), await self.person("carol", "9.00 EUR")
        self.alice = await self.signed_in("alice")
        await self.has_tokens(self.bob, "9 USDX")
        await self.has_tokens(self.alice.wallet, "900 USDX")
        self.now = NOW

    async def has_tokens(self, owner: Wallet, text: str) -> None:
        usdx, id = self.assets["USDX"], TransferId(new_id(self.now))
        codes = account.system_account("supply", usdx), account.wallet(owner.handle, usdx)
        async with self.database.transaction() as connection:
            ids = await ledger.accounts(connection, [(code, usdx) for code in codes])
            leg = Leg(*(ids[code] for code in codes), self.money(text).units)
            await ledger.post(connection, [Transfer(id, "observation", id, (leg,), unconditional=True)], self.now)

    async def signed_in(self, handle: str, passkey_at: datetime | None = NOW - 9 * DAY, frozen: bool = False) -> Signed:
        """A guarded wallet nine days old, which has paid bob, and a session of a minute ago by its passkey, or without
        one. It may have been frozen before it was guarded.
        """
        wallet = await self.person(handle, "900.00 EUR")
        passkey, token = new_id(self.now), f"gs_{handle}"
        if frozen:
            await self.change("UPDATE wallet SET frozen_at = $2 WHERE id = $1", wallet.id, NOW)
        async with self.database.transaction() as connection:
            await wallets.guard(connection, wallet.id)
            await connection.execute("UPDATE policy SET since = $2 WHERE wallet_id = $1", wallet.id, NOW - 9 * DAY)
            await connection.execute(
                "INSERT INTO passkey (id, wallet_id, credential_id, public_key, sign_count, backed_up, name,"
                " created_at) VALUES ($1, $2, $3, '\\x01', 0, false, 'laptop', $4)",
                *(passkey, wallet.id, passkey.bytes, passkey_at or NOW),
            )
            await connection.execute(KNOW, wallet.id, self.bob.id, NOW - 8 * DAY)
            started = NOW - MINUTE
            id = new_id(started)
            by = ("passkey", passkey) if passkey_at else ("ethereum", None)
            begun = (id, wallet.id, *by, "Firefox", started, started + LASTS)
            await connection.execute(session.sql.start_session, *begun)
            await connection.execute(session.sql.add_token, hash_of(token), id, started)
        return Signed(wallet, token)

    def asked(self, *texts: str, by: Signed | None = None, to: str = "bob") -> list[LedgerPayment]:
        token = hash_of((by or self.alice).token)
        return [
            LedgerPayment(token, f"{new_id(self.now)}", b"f" * 32, to, self.money(text), "tea", of_session=True)
            for text in texts
        ]

    def first(self, way: str, units: int, by: Signed | None = None) -> HeldFirst | LedgerPayment:
        """A payment of so many hundredths that becomes this, as its statement takes it."""
        token, id, asset = hash_of((by or self.alice).token), PaymentId(new_id(self.now)), self.assets[WAYS[way][0]]
        shown = (token, f"{id}", b"f" * 32, "bob", Money(units * 10 ** (asset.decimals - 2), asset), "tea")
        if way == "settled":
            return LedgerPayment(*shown, True)
        return (HeldPayment if way == "held" else TokenPayment)(*shown, id, True)

    async def pays(self, *texts: str, by: Signed | None = None, to: str = "bob", **more: Any) -> list[type]:
        done = await ledger_rail.pay_all(
            self.database, self.settings, self.asked(*texts, by=by, to=to), self.now, **more
        )
        return [type(one) for one in done]

    async def change(self, statement: str, *values: object) -> None:
        async with self.database.transaction() as connection:
            await connection.execute(statement, *values)


@pytest.fixture
async def avenue(database: Database, assets: Assets) -> Avenue:
    avenue = Avenue(database, assets)
    await avenue.move_in()
    return avenue


# ---- over the whole space -------------------------------------------------------------------------------------------


def mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """A value that lets payments through, and others."""
    return st.sampled_from([usual] * 12 + list(others))


def near(*times: timedelta) -> list[timedelta]:
    """How long ago: at these, and a moment before and after."""
    return [time + moment for time in times for moment in (-TICK, timedelta(), TICK)]


cents = st.integers(1, 3000) | st.sampled_from([9_999, 10_000, 10_001])


@dataclass(frozen=True)
class Case:
    """alice's session and wallet, whom she pays, what her day has spent, and what she asks for."""

    guarded: bool
    guarded_ago: timedelta
    sign_in_method: str
    begun_ago: timedelta
    token_after: timedelta
    token_replaced: bool
    ended: bool
    expires_in: timedelta
    passkey_ago: timedelta
    frozen: bool
    limit: tuple[int, int] | None
    approve_new_payee: bool
    changed_payee_days: int
    new_device_hours: int
    undo_seconds: int
    known: bool
    trusted: bool
    recovered_ago: timedelta | None
    moved_ago: timedelta | None
    spent: tuple[tuple[timedelta, int], ...]
    asked: tuple[int, ...]


cases = st.builds(
    Case,
    guarded=mostly(True, False),
    guarded_ago=mostly(9 * DAY, *near(FIRST_DAY), HOUR),
    sign_in_method=mostly("passkey", "ethereum", "recovery_code"),
    begun_ago=mostly(MINUTE, *near(FRESH), ROTATES_AFTER),
    token_after=mostly(timedelta(), MINUTE, -TICK),
    token_replaced=mostly(False, True),
    ended=mostly(False, True),
    expires_in=mostly(LASTS, *near(timedelta())),
    passkey_ago=mostly(9 * DAY, *near(DAY), HOUR),
    frozen=mostly(False, True),
    limit=st.none() | st.tuples(cents, st.integers(0, 9000)).map(lambda both: (both[0], sum(both))),
    approve_new_payee=st.booleans(),
    changed_payee_days=st.sampled_from([0, 7, 365]),
    new_device_hours=st.sampled_from([0, 2, 24]),
    undo_seconds=st.sampled_from([0, 30]),
    known=mostly(True, *[False] * 4),
    trusted=st.booleans(),
    recovered_ago=mostly(None, *near(7 * DAY), HOUR),
    moved_ago=mostly(None, *near(7 * DAY), HOUR),
    spent=st.lists(st.tuples(st.sampled_from([*near(DAY), HOUR, 12 * HOUR]), cents), max_size=3).map(tuple),
    asked=st.lists(cents, min_size=1, max_size=3).map(tuple),
)


async def arranged(connection: Connection, avenue: Avenue, case: Case, way: str) -> None:
    """The rows of the case, in the caller's transaction."""
    alice, bob = avenue.alice.wallet.id, avenue.bob.id
    run = connection.execute
    asset = avenue.assets[WAYS[way][0]]

    def money(units: int) -> Money:
        return Money(units * 10 ** (asset.decimals - 2), asset)

    await policy.write(connection, alice, Policy({asset.code: Limit(money(10**9), money(10**9))}), [])
    for ago, units in sorted(case.spent, reverse=True):
        paid = PayRequest("@bob", money(units))
        await pay.pay_together(connection, avenue.settings, [(avenue.alice.wallet, paid)], NOW - ago)
    if not case.guarded:
        for table in ("policy_limit", "policy"):
            await run(f"DELETE FROM {table} WHERE wallet_id = $1", alice)
        await run("UPDATE wallet SET guarded = false WHERE id = $1", alice)
    await run("DELETE FROM known_payee WHERE wallet_id = $1", alice)
    if case.known:
        await run(KNOW, alice, bob, NOW - HOUR)
    limits = {} if case.limit is None else {asset.code: Limit(*map(money, case.limit))}
    if case.guarded:
        of = Policy(
            limits, case.approve_new_payee, True, case.changed_payee_days, case.new_device_hours, case.undo_seconds
        )
        await policy.write(connection, alice, of, [(bob, None)] if case.trusted else [])
        await run("UPDATE policy SET since = $2 WHERE wallet_id = $1", alice, NOW - case.guarded_ago)
    if case.recovered_ago is not None:
        await run("UPDATE wallet SET recovered_at = $2 WHERE id = $1", bob, NOW - case.recovered_ago)
    if case.moved_ago is not None:
        moved = "INSERT INTO wallet_address (address, wallet_id, custody, since) VALUES ($1, $2, 'owner', $3)"
        await run(moved, "0x" + "b0" * 20, bob, NOW - case.moved_ago)
    begun = NOW - case.begun_ago
    await run(
        "UPDATE session SET sign_in_method = $2, passkey_id = CASE WHEN $2 = 'passkey' THEN passkey_id END,"
        " created_at = $3, expires_at = $4, ended_at = $5, ended_by = $6 WHERE wallet_id = $1",
        *(alice, case.sign_in_method, begun, NOW + case.expires_in),
        *((NOW, "signed_out") if case.ended else (None, None)),
    )
    made = "UPDATE session_token SET made_at = $1, replaced_at = $2"
    await run(made, begun + case.token_after, NOW if case.token_replaced else None)
    device_since = NOW - case.passkey_ago if case.sign_in_method == "passkey" else begun
    await run("UPDATE session SET device_since = $2 WHERE wallet_id = $1", alice, device_since)
    if case.frozen:
        await run("UPDATE wallet SET frozen_at = $2 WHERE id = $1", alice, NOW)


async def by_the_checks(
    connection: Connection, avenue: Avenue, asked: Sequence[HeldFirst | LedgerPayment], way: str
) -> list[bool]:
    """Which of these the long way settles, holds or queues, in order: session.open_all, and then the checks."""
    found = (await session.open_all(connection, [hash_of(avenue.alice.token)], NOW)).get(hash_of(avenue.alice.token))
    if found is None or "pay" not in found.scopes:
        return [False for _ in asked]
    requests = [
        PayRequest(
            *("@bob", one.money, one.memo, way != "held"),
            by=found,
            claim=Claim(found.wallet.id, one.idempotency_key, b"f" * 32),
        )
        for one in asked
    ]
    results = await pay.pay_together(connection, avenue.settings, [(found.wallet, one) for one in requests], NOW)
    return [isinstance(one, Payment) and one.state.value == way for one in results]


async def rows(connection: Connection, way: str) -> dict[str, list[dict[str, Any]]]:
    return {
        name: [dict(row) for row in await connection.fetch(read)] for name, read in (WAYS[way][1] | COUNTED).items()
    }


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(case=cases)
async def test_what_one_statement_lets_through_the_checks_do_too_with_the_same_rows(
    avenue: Avenue, case: Case, way: str
) -> None:
    async with avenue.database.reading() as connection, undone(connection):
        await arranged(connection, avenue, case, way)
        asked = [avenue.first(way, units) for units in case.asked]
        async with undone(connection):
            outcomes = await WAYS[way][2](connection, avenue.settings, asked, NOW)
            left = await rows(connection, way)
        done = [one for one, outcome in zip(asked, outcomes, strict=True) if not isinstance(outcome, NotDone)]
        async with undone(connection):
            assert all(await by_the_checks(connection, avenue, done, way))
            assert await rows(connection, way) == left
        async with undone(connection):
            passed = await by_the_checks(connection, avenue, asked, way)
    event(f"{len(done)} of {len(asked)}")
    trusts = case.trusted and case.approve_new_payee and not case.known
    undoes = way == "queued" and case.guarded and case.undo_seconds
    if all(passed) and not trusts and not undoes and case.token_after >= timedelta():
        assert len(done) == len(asked), "and all that the checks let through, but for whom the wallet trusts"


async def test_whoever_has_signed_in_pays_somebody_known_in_one_statement(avenue: Avenue) -> None:
    assert await avenue.pays("100.00 EUR", "100.00 EUR", "99.99 EUR") == [Settled] * 3
    assert await avenue.pays("0.01 EUR") == [Settled]
    assert await avenue.pays("0.01 EUR") == [NeedsChecks], "nothing is left of the day"
    assert await avenue.wrong() == []


async def test_who_is_paid_first_is_known_from_then_on(avenue: Avenue) -> None:
    assert await avenue.pays("1.00 EUR", to="carol") == [NeedsChecks]
    await avenue.change("UPDATE policy SET approve_new_payee = false")
    assert await avenue.pays("1.00 EUR", "1.00 EUR", to="carol") == [Settled] * 2
    await avenue.change("UPDATE policy SET approve_new_payee = true")
    assert await avenue.pays("1.00 EUR", to="carol") == [Settled]


async def test_what_is_too_dear_is_left_to_the_checks_and_the_rest_of_the_group_goes(avenue: Avenue) -> None:
    assert await avenue.pays("100.01 EUR", "1.00 EUR") == [NeedsChecks, Settled]
    assert await avenue.pays("100.00 EUR", "100.00 EUR", "100.00 EUR") == [NeedsChecks] * 3, (
        "more than the day has left"
    )


async def test_a_session_that_is_none_or_short_or_pays_somebody_unknown_is_left_to_others(avenue: Avenue) -> None:
    nobody = Signed(avenue.alice.wallet, "gs_nobody")
    assert await avenue.pays("1.00 EUR", by=nobody) == [Unauthenticated]
    assert await avenue.pays("1.00 EUR", to="nobody") == [NeedsChecks]
    await avenue.pay(avenue.alice.wallet, "@bob", "899.00 EUR", capture=False)
    assert await avenue.pays("1.01 EUR", "1.00 EUR") == [NeedsChecks, Settled]


async def test_a_session_of_a_new_passkey_or_of_none_is_left_to_the_checks(avenue: Avenue) -> None:
    dora = await avenue.signed_in("dora", NOW - DAY)
    erin = await avenue.signed_in("erin", NOW - DAY + TICK)
    fred = await avenue.signed_in("fred", None)
    assert [await avenue.pays("1.00 EUR", by=one) for one in (dora, erin, fred)] == [
        [Settled],
        [NeedsChecks],
        [NeedsChecks],
    ]


async def test_whom_another_address_was_given_lately_is_left_to_the_checks(avenue: Avenue) -> None:
    async def moves(letter: str, at: datetime) -> None:
        moved = "INSERT INTO wallet_address (address, wallet_id, custody, since) VALUES ($1, $2, 'owner', $3)"
        await avenue.change(moved, "0x" + letter * 40, avenue.bob.id, at)

    await moves("b", NOW - 7 * DAY)
    assert await avenue.pays("1.00 EUR") == [Settled]
    await moves("c", NOW - 7 * DAY + TICK)
    assert await avenue.pays("1.00 EUR") == [NeedsChecks]


async def test_a_wallet_that_was_frozen_before_its_first_passkey_pays_nothing(avenue: Avenue) -> None:
    dora = await avenue.signed_in("dora", frozen=True)
    assert await avenue.pays("1.00 EUR", by=dora) == [NeedsChecks]
    await avenue.change("UPDATE wallet SET frozen_at = NULL WHERE id = $1", dora.wallet.id)
    assert await avenue.pays("1.00 EUR", by=dora) == [Settled]


async def test_what_wallets_that_have_asked_too_often_ask_for_is_left_to_the_checks(avenue: Avenue) -> None:
    assert await avenue.pays("1.00 EUR", left_out=[str(avenue.bob.id)]) == [Settled]
    assert await avenue.pays("1.00 EUR", left_out=[str(avenue.alice.wallet.id)]) == [NeedsChecks]


async def test_an_idempotency_key_is_used_once_in_both_ways(avenue: Avenue) -> None:
    (asked,) = avenue.asked("1.00 EUR")
    group = [asked]
    assert isinstance((await ledger_rail.pay_all(avenue.database, avenue.settings, group, NOW))[0], Settled)
    assert type((await ledger_rail.pay_all(avenue.database, avenue.settings, group, NOW))[0]) is Undecided


# ---- at the same moment ---------------------------------------------------------------------------------------------


SIGN_OUT = "UPDATE session SET ended_at = now(), ended_by = 'signed_out' WHERE wallet_id = $1"


@pytest.mark.parametrize("way", ["held", "queued"])
async def test_a_hold_and_tokens_in_a_session_count_and_wait_for_the_policy(avenue: Avenue, way: str) -> None:
    async def pays(*units: int) -> list[Any]:
        async with avenue.database.transaction() as connection:
            asked = [avenue.first(way, one) for one in units]
            return list(await WAYS[way][2](connection, avenue.settings, asked, NOW))

    assert not any(isinstance(one, NotDone) for one in await pays(100_00, 100_00))
    assert [type(one) for one in await pays(100_00, 1)] == [NeedsChecks] * 2, "more than the day has left"
    async with avenue.database.transaction() as other:
        await other.execute("SELECT FROM policy FOR UPDATE")
        await other.execute(SIGN_OUT, avenue.alice.wallet.id)
        paying = asyncio.create_task(pays(1))
        async with avenue.database.reading() as connection:
            await until_waiting(connection, 1, paying)
    assert [type(one) for one in await paying] == [NeedsChecks]
    assert await avenue.wrong() == []


@pytest.mark.parametrize(
    "change",
    [
        SIGN_OUT,
        "UPDATE wallet SET frozen_at = now() WHERE id = $1",
        "UPDATE policy SET (approve_new_payee, changed_payee_days, new_device_hours) = (true, 7, 720)"
        " WHERE wallet_id = $1",
        "DELETE FROM known_payee WHERE wallet_id = $1",
        "INSERT INTO policy_limit (wallet_id, asset, payment, day) VALUES ($1, 'EUR', 99, 500)",
        "UPDATE wallet SET recovered_at = '2030-01-31' WHERE handle = 'bob' AND id <> $1",
        "SELECT count_spending(now, now, '{policy}', ARRAY[$1::uuid], '{0}', '{EUR}', ARRAY[$1], '{29901}')"
        " FROM (SELECT timestamptz '2030-01-31') AS clock (now)",
    ],
)
async def test_what_changes_while_a_payment_waits_for_the_policy_is_seen(avenue: Avenue, change: str) -> None:
    async with avenue.database.transaction() as other:
        await other.execute("SELECT FROM policy FOR UPDATE")
        await other.execute(change, avenue.alice.wallet.id)
        paying = asyncio.create_task(avenue.pays("1.00 EUR"))
        async with avenue.database.reading() as connection:
            await until_waiting(connection, 1)
    assert await paying == [NeedsChecks]


async def test_a_freeze_waits_for_the_payment_that_is_being_made_and_lets_no_other_go(avenue: Avenue) -> None:
    async with avenue.database.transaction() as first:
        (paid,) = await ledger_rail.pay_in(first, avenue.settings, avenue.asked("1.00 EUR"), NOW)
        freezing = asyncio.create_task(avenue.change("UPDATE wallet SET frozen_at = now() WHERE handle = 'alice'"))
        async with avenue.database.reading() as connection:
            await until_waiting(connection, 1)
    await freezing
    assert isinstance(paid, Settled)
    assert await avenue.pays("1.00 EUR") == [NeedsChecks]


async def test_fifty_groups_at_once_find_no_more_room_than_the_day_has(avenue: Avenue) -> None:
    done = await asyncio.gather(*(avenue.pays("10.00 EUR", "10.00 EUR") for _ in range(50)))

    assert sorted(done, key=str) == [[NeedsChecks] * 2] * 35 + [[Settled] * 2] * 15
    assert await avenue.available(avenue.alice.wallet, "EUR") == "600.00 EUR"


async def test_keys_with_caps_and_sessions_of_two_wallets_wait_for_each_other_in_no_ring(avenue: Avenue) -> None:
    """A group with a key of one wallet and a session of the other locks the policies of both in one order."""
    signed = [avenue.alice, await avenue.signed_in("dora")]
    keys = [await with_caps(avenue, one.wallet) for one in signed]

    def group(first: int) -> list[LedgerPayment]:
        (by_session,) = avenue.asked("1.00 EUR", by=signed[1 - first])
        return [LedgerPayment(keys[first], f"{new_id(NOW)}", b"f" * 32, "bob", by_session.money, None), by_session]

    paying: list[asyncio.Task[list[ledger_rail.Outcome]]] = []
    async with avenue.database.transaction() as other, avenue.database.reading() as connection:
        await other.execute("SELECT FROM policy WHERE wallet_id = $1 FOR UPDATE", signed[1].wallet.id)
        for n in (1, 0):
            paying.append(asyncio.create_task(ledger_rail.pay_all(avenue.database, avenue.settings, group(n), NOW)))
            await until_waiting(connection, len(paying))
    done = await asyncio.gather(*paying)

    assert {type(one) for outcomes in done for one in outcomes} == {Settled}
    assert await avenue.wrong() == []


async def test_a_cap_of_a_rail_covers_tokens_only_if_it_is_the_chain(avenue: Avenue) -> None:
    usdx = avenue.assets["USDX"]

    async def pays(key: bytes, *texts: str) -> list[type]:
        asked = [
            TokenPayment(key, f"{id}", b"f" * 32, "bob", usdx.parse(text), None, id)
            for text in texts
            for id in [PaymentId(new_id(NOW))]
        ]
        return [type(one) for one in await chain_rail.pay_all(avenue.database, avenue.settings, asked, NOW)]

    day = usdx.parse("2.00")
    by_ledger, by_chain = [
        await with_caps(avenue, avenue.alice.wallet, Cap("USDX", rail, None, None, day)) for rail in RAILS
    ]
    assert await pays(by_ledger, "1.00") == [NeedsChecks]
    assert await pays(by_chain, "1.00", "1.00") == [Queued] * 2
    assert await pays(by_chain, "0.01") == [NeedsChecks]


async def with_caps(avenue: Avenue, owner: Wallet, cap: Cap | None = None) -> bytes:
    """The SHA-256 of a key with caps."""
    id = new_id(NOW)
    hashed = hash_of(f"key {id}")
    async with avenue.database.transaction() as connection:
        await connection.execute(
            "INSERT INTO api_key (id, hash, wallet_id, created_at, scopes, capped, approved)"
            " VALUES ($1, $2, $3, $4, '{pay}', true, true)",
            *(id, hashed, owner.id, NOW),
        )
        await caps.give(connection, id, [cap or Cap("EUR", None, None, None, avenue.money("500.00 EUR"))])
    return hashed
