"""Readers of events among 32 writers at once: no reader misses an event, and each sees them in one order.

Every kind of call that writes events is drawn at random, over a database and a chain whose worker settles meanwhile.
What is drawn is the seed's; how it interleaves is the machine's, so a seed shows nothing that it does not happen upon.
test_order.py stops each writer at the one moment that matters.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.ids import number_of, read
from gateway.worker import jobs
from tests.api.browser import challenge_in, registered, signed
from tests.api.conftest import Api, Person, amount
from tests.authenticator import Authenticator
from tests.factory import Town
from tests.reconciliation.restored import opened

pytestmark = pytest.mark.anyio

#: So many writers, each with so many calls one after the other; and how many readers of each wallet.
WRITERS, CALLS, READERS = 32, 8, 2

#: What alice pays with.
MONEYS = ("0.01 EUR", "0.01 USD", "1 JPY", "0.01 USDX")

#: What the two sides of a payment are told of, as all of it is done in each run.
TOLD = {
    *(f"payment.{state}" for state in ("settled", "held", "queued", "submitted", "voided", "declined")),
    *("payment.requires_confirmation", "conversion.queued", "conversion.settled"),
    *("deposit.settled", "withdrawal.settled", "api_key.created", "mandate.granted"),
}


@dataclass
class Street:
    """Alice and grace, who pay the shop; grace has a passkey, so what she pays waits for her approval."""

    api: Api
    alice: Person
    grace: Person
    shop: Person
    passkey: Authenticator
    chance: random.Random
    mandate: str = ""
    held: list[str] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)

    async def post(self, who: Person, path: str, body: Any) -> Any:
        """The answer, where it is no refusal. Refusals are to be expected: two may capture one hold."""
        answer = await who.post(path, body)
        self.answers[answer.status_code] += 1
        return answer.json() if answer.is_success else None

    async def pay(self, who: Person, money: str, **fields: Any) -> Any:
        return await self.post(who, "/v1/payments", {"to": "@shop", **amount(money), **fields})

    async def one(self) -> None:
        paid = await self.pay(self.alice, self.chance.choice(MONEYS))
        if paid and paid["state"] == "settled":
            self.settled.append(paid["id"])

    async def many_at_once(self) -> None:
        await asyncio.gather(*(self.one() for _ in range(4)))

    async def batch(self) -> None:
        lines = [{"to": "@shop", **amount(self.chance.choice(MONEYS))} for _ in range(3)]
        await self.post(self.alice, "/v1/payments/batch", lines)

    async def hold(self) -> None:
        if held := await self.pay(self.alice, self.chance.choice(MONEYS), capture=False):
            self.held.append(held["id"])

    async def capture(self) -> None:
        if self.held:
            await self.post(self.shop, f"/v1/payments/{self.chance.choice(self.held)}/capture", {})

    async def void(self) -> None:
        if self.held:
            await self.post(self.alice, f"/v1/payments/{self.chance.choice(self.held)}/void", {})

    async def refund(self) -> None:
        if self.settled:
            await self.post(self.shop, f"/v1/payments/{self.chance.choice(self.settled)}/refund", {})

    async def deposit(self) -> None:
        await self.post(self.chance.choice([self.alice, self.shop]), "/v1/deposits", amount("1.00 EUR"))

    async def withdraw(self) -> None:
        await self.post(self.chance.choice([self.alice, self.shop]), "/v1/withdrawals", amount("0.01 USD"))

    async def convert(self) -> None:
        await self.post(self.alice, "/v1/conversions", {**amount("0.01 USD"), "to_asset": "USDX"})

    async def ask_approval(self) -> None:
        if waiting := await self.pay(self.grace, "200.00 EUR"):
            self.waiting.append(waiting["id"])

    async def approve(self) -> None:
        if self.waiting:
            path = f"/v1/payments/{self.chance.choice(self.waiting)}/approval"
            asked = await self.grace.post(f"{path}/challenge", b"")
            if asked.is_success:
                await self.post(self.grace, path, signed(self.passkey, challenge_in(asked)))

    async def refuse(self) -> None:
        if self.waiting:
            await self.post(self.grace, f"/v1/payments/{self.waiting.pop()}/decline", b"")

    async def make_key(self) -> None:
        await self.post(self.shop, "/v1/keys", {"name": "Till", "scopes": ["read"]})

    async def grant_mandate(self) -> None:
        await self.post(self.alice, "/v1/mandates", {"payee": "@shop", "asset": "EUR", "period": "1.00"})

    async def draw(self) -> None:
        await self.post(self.shop, f"/v1/mandates/{self.mandate}/draws", {"amount": "0.01"})

    def calls(self) -> list[Callable[[], Awaitable[None]]]:
        """Each kind of call; payments, of which there are most, more often."""
        return [
            *([self.one] * 4 + [self.many_at_once] * 2 + [self.batch, self.hold] * 2),
            *(self.capture, self.void, self.refund, self.deposit, self.withdraw, self.convert),
            *(self.ask_approval, self.approve, self.refuse, self.make_key, self.grant_mandate, self.draw),
        ]


async def street_of(town: Town, api: Api, seed: int) -> Street:
    """Everybody has money, and every account that is paid is open."""
    alice = await api.person("alice", "1000.00 EUR", "1000.00 USD", "100000 JPY")
    grace, shop = await api.person("grace", "100000.00 EUR"), await api.person("shop", "10.00 EUR", "10.00 USD")
    street = Street(api, alice, grace, shop, Authenticator(), random.Random(seed))
    assert await street.post(alice, "/v1/conversions", {**amount("50.00 USD"), "to_asset": "USDX"})
    await town.settle()
    for money in MONEYS:
        assert await street.pay(alice, money)
    street.mandate = (await street.post(alice, "/v1/mandates", {"payee": "@shop", "asset": "EUR", "period": "5.00"}))[
        "id"
    ]
    assert (await registered(grace, street.passkey)).status_code == 201
    return street


async def follow(reader: Person, limit: int, done: asyncio.Event) -> list[int]:
    """The numbers of the events that a reader sees, page after page, until nothing more comes."""
    seen: list[int] = []
    after = ""
    while True:
        is_last = done.is_set()
        while items := (await reader.get(f"/v1/events?limit={limit}{after}")).json()["items"]:
            seen += [number_of(read("evt", event["id"])) for event in items]
            after = f"&after={items[-1]['id']}"
        if is_last:
            return seen


async def settle_meanwhile(town: Town, done: asyncio.Event) -> None:
    """The worker: it sends, the chain goes on, and what is final is settled."""
    while not done.is_set():
        worker = town.worker()
        await jobs.relay.run(worker)
        town.chain.mine(1 + town.FINALITY)
        while await jobs.watch.run(worker):
            pass
        await jobs.expire.run(worker)


@pytest.mark.seeds(3)
async def test_readers_among_32_writers_miss_no_event_and_see_one_order(town: Town, seed: int) -> None:
    async with opened(town) as gateway:
        street = await street_of(town, gateway.api, seed)
        written, done = asyncio.Event(), asyncio.Event()

        async def write(chance: random.Random) -> None:
            for _ in range(CALLS):
                await chance.choice(street.calls())()

        people = (street.alice, street.grace, street.shop)
        readers = {
            who.handle: [asyncio.create_task(follow(who, 1 + 4 * n, done)) for n in range(READERS)] for who in people
        }
        settling = asyncio.create_task(settle_meanwhile(town, written))
        await asyncio.gather(*(write(random.Random(f"{seed} {n}")) for n in range(WRITERS)))
        written.set()
        await settling
        await town.settle()
        done.set()

        async with town.database.reading() as connection:
            rows = await connection.fetch("SELECT id, kind, wallet_id, other_id FROM event ORDER BY id")
            handles = {row["id"]: row["handle"] for row in await connection.fetch("SELECT id, handle FROM wallet")}
        for handle, following in readers.items():
            whole = [
                row["id"] for row in rows if handle in (handles.get(row["wallet_id"]), handles.get(row["other_id"]))
            ]
            for reader in following:
                assert await reader == whole, handle
    assert TOLD - {row["kind"] for row in rows} == set()
    assert [status for status in street.answers if status == 500] == []
    assert await town.differences() == []
