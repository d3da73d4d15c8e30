"""Refunds that share a commit."""

import asyncio
import hashlib
import random
from collections import Counter

import pytest

from gateway.api.payments.payments import payment_id, refunds_of
from gateway.idempotency import Claim
from gateway.identity.wallet import Wallet
from gateway.payments.ends.refund import Refund
from tests.api.conftest import Api, code_of
from tests.api.test_attack import known_to
from tests.api.together.conftest import outcomes, wallet_of

pytestmark = pytest.mark.anyio


async def test_refunds_of_many_payees_share_one_commit_and_a_bad_one_is_refused_alone(api: Api) -> None:
    alice = await api.person("alice", "100.00 EUR")
    bob, carol = await wallet_of(api, "bob"), await wallet_of(api, "carol")
    paid = [(await alice.pay(to, "4.00 EUR")).json()["id"] for to in ("@bob", "@bob", "@carol")]
    held = (await alice.pay("@carol", "1.00 EUR", capture=False)).json()["id"]
    refunds, tasks = refunds_of(api.services), []

    def give_back(payee: Wallet, shown: str, text: str | None, key: str) -> None:
        asked = Refund(payee, payment_id(shown), text)
        claim = Claim(payee.id, key, hashlib.sha256(f"{shown} {text}".encode()).digest())
        tasks.append(asyncio.create_task(refunds.answer(claim, asked)))

    give_back(bob, paid[0], "3.00", "b1")
    give_back(carol, paid[0], None, "c1")  # bob's
    give_back(carol, paid[2], "4.01", "c2")
    give_back(carol, held, None, "c3")
    give_back(carol, paid[2], "0.001", "c4")
    give_back(carol, paid[2], None, "c5")
    give_back(bob, paid[1], None, "b2")
    give_back(bob, paid[0], "3.00", "b1")
    give_back(bob, paid[0], "2.00", "b1")

    assert await outcomes(tasks) == [
        *("201", "NotFound", "RefundExceedsPayment", "HeldPaymentRefund", "AmountTooPrecise", "201", "201", "201r"),
        "IdempotencyKeyReused",
    ]
    async with api.services.database.reading() as connection:
        rows = await connection.fetch(
            "SELECT xmin::text AS written, amount FROM ledger_payment WHERE refund_of IS NOT NULL"
        )
    assert (len({row["written"] for row in rows}), sorted(row["amount"] for row in rows)) == (1, [300, 400, 400])
    assert await alice.balance("EUR") == ("99.00", "1.00", "98.00")
    assert await api.wrong() == []


async def test_two_refunds_of_one_payment_in_one_group_give_back_no_more_than_was_paid(api: Api) -> None:
    alice, bob = await api.person("alice", "10.00 EUR"), await wallet_of(api, "bob")
    shown = (await alice.pay("@bob", "5.00 EUR")).json()["id"]
    refunds = refunds_of(api.services)
    tasks = [
        asyncio.create_task(
            refunds.answer(Claim(bob.id, f"key {n}", bytes([n]) * 32), Refund(bob, payment_id(shown), "2.00"))
        )
        for n in range(3)
    ]
    assert sorted(await outcomes(tasks)) == ["201", "201", "RefundExceedsPayment"]
    assert await alice.balance("EUR") == ("9.00", "0.00", "9.00")


async def test_refunds_of_each_others_payments_at_once_wait_in_no_ring(api: Api, other: Api) -> None:
    """Through two gateways, each of which has payments of both in its groups, with approvals' locks in between."""
    alice, bob = await api.person("alice", "100.00 EUR"), await api.person("bob", "100.00 EUR")
    to_bob = [(await alice.pay("@bob", "1.00 EUR")).json()["id"] for _ in range(12)]
    to_alice = [(await bob.pay("@alice", "1.00 EUR")).json()["id"] for _ in range(12)]
    calls = [
        *((bob, id) for id in to_bob),
        *((known_to(other, alice), id) for id in to_alice),
        *((known_to(other, bob), id) for id in to_bob),
        *((alice, id) for id in to_alice),
    ]
    random.Random(3).shuffle(calls)
    answers = await asyncio.gather(*(who.post(f"/v1/payments/{id}/refund", {"amount": "0.60"}) for who, id in calls))
    assert Counter(answer.status_code for answer in answers) == {201: 24, 409: 24}
    assert {code_of(answer)[1] for answer in answers if answer.status_code == 409} == {"refund_exceeds_payment"}
    assert await api.wrong() == []
