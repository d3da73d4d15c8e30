"""Payments in sessions beside what changes at the same moment: policies, freezes, other groups, keys with caps."""

import asyncio
from typing import Any

import pytest

from gateway.identity.wallet import Wallet
from gateway.ids import PaymentId, new_id
from gateway.payments.checks import caps
from gateway.payments.checks.caps import Cap
from gateway.payments.model.plain import NeedsChecks, NotDone
from gateway.payments.rails import chain as chain_rail
from gateway.payments.rails import ledger as ledger_rail
from gateway.payments.rails.chain import Queued, TokenPayment
from gateway.payments.rails.ledger import LedgerPayment, Settled
from gateway.secret import hash_of
from tests.databases import until_waiting
from tests.factory import NOW
from tests.payments.avenue import RAILS, WAYS, Avenue

pytestmark = pytest.mark.anyio

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
