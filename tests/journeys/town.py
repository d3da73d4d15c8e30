"""A town under load: what is asked, who asks, and what must be true afterwards.

That is worked out by a model of a dozen lines from what was asked and what was answered, never from what the gateway
has stored.
"""

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.bank import movements
from gateway.ids import number_of, read
from gateway.ledger import recount
from gateway.money import Assets
from gateway.postgres.pool import connect
from tests.load import Answer, Line, Setup, request, running_setup

SEED = int(os.environ.get("LOAD_SEED") or random.SystemRandom().randrange(10**9))

CONNECTIONS = 64
SENT = 20_000
REPEATED = SENT * 5 // 100  #: Half of them at the same moment as the first, half later.
SHORT = SENT * 5 // 100
MALFORMED = SENT * 2 // 100
LEFT = SENT * 2 // 100  #: The client hangs up before it is answered.
SHOP, PEOPLE, POOR = "shop", [f"person{n}" for n in range(23)], [f"poor{n}" for n in range(40)]
#: Each of the poor asks for twice as many payments of 1.00 EUR as it has the money for: which, the moment decides.
ASKED_BY_POOR, PAID_BY_POOR = 2 * SHORT // len(POOR), SHORT // len(POOR)
PAID_IN = {"EUR": 1_000_000_00, "JPY": 10_000_000}
DECIMALS = {"EUR": 2, "JPY": 0}


# ---- what is asked --------------------------------------------------------------------------------------------------


def said(units: int, asset: str) -> str:
    """The amount as it is written in JSON."""
    decimals = DECIMALS[asset]
    return f"{units // 10**decimals}.{units % 10**decimals:0{decimals}}" if decimals else str(units)


@dataclass(frozen=True)
class Order:
    """A payment that somebody wants, under a key that is nobody else's."""

    key: str
    payer: str
    payee: str
    units: int
    asset: str
    memo: str | None = None

    @property
    def fields(self) -> dict[str, Any]:
        fields = {"to": f"@{self.payee}", "amount": said(self.units, self.asset), "asset": self.asset}
        return fields if self.memo is None else {**fields, "memo": self.memo}

    def request(self, api_key: str, key: str | None = None, **others: Any) -> bytes:
        """The request for it, or with other fields for something else."""
        return self.with_body(api_key, json.dumps({**self.fields, **others}).encode(), key)

    def with_body(self, api_key: str, body: bytes, key: str | None = None) -> bytes:
        return request("POST", "/v1/payments", api_key, self.key if key is None else key, body)


#: How a request can be wrong, and how it is refused.
WRONG: dict[str, tuple[Callable[[Order, str], bytes], tuple[int, str]]] = {
    "not JSON": (lambda w, api_key: w.with_body(api_key, b'{"to": "@shop", "amount'), (400, "invalid_request")),
    "a number": (lambda w, api_key: w.request(api_key, amount=1.5), (422, "invalid_amount")),
    "an unknown field": (lambda w, api_key: w.request(api_key, note="x"), (400, "invalid_request")),
    "a missing field": (lambda w, api_key: w.with_body(api_key, b'{"to": "@shop"}'), (400, "invalid_request")),
    "no key": (lambda w, api_key: w.request(api_key, key=""), (400, "idempotency_key_missing")),
    "too precise": (lambda w, api_key: w.request(api_key, amount="1.001"), (422, "amount_too_precise")),
    "another API key": (lambda w, api_key: w.request(api_key[:-4] + "0000"), (401, "unauthenticated")),
    "nobody to pay": (lambda w, api_key: w.request(api_key, to="@nobody"), (404, "unknown_payee")),
    "to oneself": (lambda w, api_key: w.request(api_key, to=f"@{w.payer}"), (422, "self_payment")),
}


@dataclass
class Story:
    """What became of one payment, as its client knows it."""

    order: Order
    wrong: str = ""  #: How the first request for it is wrong, if it is.
    asking: int = 0  #: How many requests for it are under way.
    in_doubt: int = 0  #: How many requests for it got no answer, or one that decided nothing.
    answers: list[Answer] = field(default_factory=list)

    @property
    def paid(self) -> Any:
        """The payment that was answered, if one was."""
        return next((answer.said for answer in self.answers if answer.status == 201), None)


@dataclass(frozen=True)
class Sending:
    """One request of the load."""

    story: Story
    hangs_up: bool = False
    by_reset: bool = False


def plan(chance: random.Random) -> list[Sending]:
    """The load, in the order in which it is sent."""
    keys = (f"key-{n}" for n in range(SENT))
    poor = [payer for payer in POOR for _ in range(ASKED_BY_POOR)]
    rest = [chance.choice(PEOPLE) for _ in range(SENT - REPEATED - len(poor))]
    stories = [Story(random_order(chance, key, payer)) for key, payer in zip(keys, poor + rest, strict=False)]
    for n, story in enumerate(chance.sample(stories[len(poor) :], MALFORMED)):
        story.wrong = list(WRONG)[n % len(WRONG)]

    chance.shuffle(stories)
    right = [at for at, story in enumerate(stories) if not story.wrong]
    left, repeated = set(chance.sample(right, LEFT)), chance.sample(right, REPEATED)
    sendings = [(float(at), Sending(story, at in left, chance.random() < 0.5)) for at, story in enumerate(stories)]
    sendings += [(at + 0.5, Sending(stories[at])) for at in repeated[::2]]
    sendings += [(chance.uniform(at + CONNECTIONS, len(stories)), Sending(stories[at])) for at in repeated[1::2]]
    return [sending for _, sending in sorted(sendings, key=lambda one: one[0])]


def random_order(chance: random.Random, key: str, payer: str) -> Order:
    payee = SHOP if chance.random() < 0.4 else chance.choice([one for one in PEOPLE if one != payer])
    memo = chance.choice([None, f"for {key}"])
    if payer in POOR:
        return Order(key, payer, payee, 1_00, "EUR", memo)
    if chance.random() < 0.1:
        return Order(key, payer, payee, chance.randint(1, 9_999), "JPY", memo)
    return Order(key, payer, payee, chance.randint(1, 9_99), "EUR", memo)


# ---- who asks -------------------------------------------------------------------------------------------------------


@dataclass
class Reader:
    """Somebody who reads events on and on while they are made."""

    handle: str
    ids: list[str] = field(default_factory=list)
    alone: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass
class Town:
    """The people of a gateway, and the connections that they share."""

    setup: Setup
    api_keys: dict[str, str] = field(default_factory=dict)
    paid_in: Counter[tuple[str, str]] = field(default_factory=Counter)  #: Units, by handle and asset.
    deposits: Counter[str] = field(default_factory=Counter)

    async def arrive(self, handles: Iterable[str], **units: int) -> None:
        """Handles are claimed, and each pays in so much of each asset."""

        async def one(line: Line, handle: str) -> None:
            answer = await line.ask(request("POST", "/v1/handles", body=json.dumps({"handle": handle}).encode()))
            self.api_keys[handle] = answer.said["api_key"]
            for asset, some in units.items():
                await self.pay_in(line, handle, some, asset)

        await self.each(handles, one)

    async def pay_in(self, line: Line, handle: str, units: int, asset: str) -> None:
        body = json.dumps({"amount": said(units, asset), "asset": asset}).encode()
        key = f"deposit-{self.deposits[handle]}"
        answer = await line.ask(request("POST", "/v1/deposits", self.api_keys[handle], key, body))
        assert answer.status == 201, answer
        self.paid_in[handle, asset] += units
        self.deposits[handle] += 1

    async def ask(self, line: Line, story: Story, asked: bytes | None = None) -> Answer:
        """Ask until there is an answer, and keep it."""
        story.asking += 1
        asked = asked or story.order.request(self.api_keys[story.order.payer])
        answer, again = await self.setup.insist(line, asked)
        story.asking -= 1
        story.in_doubt += again
        story.answers.append(answer)
        return answer

    async def ask_for_more(self, line: Line, story: Story) -> Answer:
        """Ask for another payment with the same key."""
        more = replace(story.order, units=story.order.units + 1)
        answer, _ = await self.setup.insist(line, more.request(self.api_keys[more.payer]))
        return answer

    async def each(self, many: Iterable[Any], act: Callable[[Line, Any], Any]) -> list[Any]:
        """Do something for each of many, in order, over all connections to all gateways; returns what came of each."""
        queue, came = iter(enumerate(many)), {}

        async def client(port: int) -> None:
            line = Line(port)
            for at, one in queue:
                came[at] = await act(line, one)
            line.close()

        async with asyncio.TaskGroup() as clients:
            for n in range(CONNECTIONS):
                clients.create_task(client(self.setup.ports[n % len(self.setup.ports)]))
        return [came[at] for at in sorted(came)]

    async def pages(self, line: Line, handle: str, path: str) -> list[Any]:
        """A whole list of somebody's: payments by their cursor, events by their ids."""
        items: list[Any] = []
        rest = ""
        while True:
            page = (await line.ask(request("GET", f"{path}?limit=200{rest}", self.api_keys[handle]))).said
            items += page["items"]
            if len(page["items"]) < 200:
                return items
            rest = f"&{'after' if path == '/v1/events' else 'cursor'}={page['next_cursor']}"

    async def read_on(self, line: Line, reader: Reader) -> None:
        """Read the events that there are by now, after those that were read before."""
        async with reader.alone:
            while True:
                after = f"&after={reader.ids[-1]}" if reader.ids else ""
                asked = request("GET", f"/v1/events?limit=200{after}", self.api_keys[reader.handle])
                page = (await self.setup.insist(line, asked))[0].said
                reader.ids += [event["id"] for event in page["items"]]
                if not page["has_more"]:
                    return

    async def of_everybody(self, path: str) -> dict[str, Any]:
        """The path's answer to each handle: a page, or a whole list."""

        async def one(line: Line, handle: str) -> Any:
            if path == "/v1/wallet":
                return (await line.ask(request("GET", path, self.api_keys[handle]))).said
            return await self.pages(line, handle, path)

        handles = list(self.api_keys)
        return dict(zip(handles, await self.each(handles, one), strict=True))


@asynccontextmanager
async def town_of(gateways: int = 1) -> AsyncIterator[Town]:
    print(f"LOAD_SEED={SEED}")
    async with running_setup(gateways) as setup:
        yield Town(setup)


# ---- what must be true ----------------------------------------------------------------------------------------------


async def hold_to_the_model(town: Town, stories: Iterable[Story], assets: Assets) -> None:
    """What every client was answered is what there is, and there is nothing else."""
    for story in stories:
        hold_to_its_word(story)
    paid = {story.paid["id"]: story for story in stories if story.paid}
    balances, party_to = Counter(town.paid_in), {handle: set[str]() for handle in town.api_keys}
    for id, story in paid.items():
        order = story.order
        balances[order.payer, order.asset] -= order.units
        balances[order.payee, order.asset] += order.units
        for handle in (order.payer, order.payee):
            party_to[handle].add(id)
        assert _as_ordered(story.paid, order), story

    for handle, payments in (await town.of_everybody("/v1/payments")).items():
        assert Counter(payment["id"] for payment in payments) == Counter(party_to[handle]), handle
        assert [payment for payment in payments if payment != paid[payment["id"]].paid] == []

    for handle, wallet in (await town.of_everybody("/v1/wallet")).items():
        for one in wallet["balances"]:
            if one["asset"] in DECIMALS:
                has = said(balances[handle, one["asset"]], one["asset"])
                assert (one["posted"], one["available"]) == (has, has), (handle, one)

    for handle, told in (await town.of_everybody("/v1/events")).items():
        settled = Counter(event["data"]["id"] for event in told if event["type"] == "payment.settled")
        assert settled == Counter(party_to[handle]), handle
        assert len(told) == 1 + town.deposits[handle] + settled.total(), handle
        numbers = [number_of(read("evt", event["id"])) for event in told]
        assert numbers == sorted(set(numbers)), handle

    async with connect(town.setup.dsn, connections=2) as database, database.snapshot() as connection:
        assert await connection.fetchval("SELECT count(*) FROM payment") == len(paid)
        assert await recount.recount(connection) == []
        assert await movements.reconcile(connection, assets) == []


def _as_ordered(payment: Any, order: Order) -> bool:
    """Whether the payment that was answered is the one that was asked for, paid."""
    expected = {
        **order.fields,
        "memo": order.memo,
        "from": f"@{order.payer}",
        "state": "settled",
        "fee": said(0, order.asset),
        "captured": said(order.units, order.asset),
        "refunded": said(0, order.asset),
    }
    return {name: payment[name] for name in expected} == expected


def hold_to_its_word(story: Story) -> None:
    """All answers to one payment agree: it was paid once and said so each time, or it was refused."""
    paid = [answer for answer in story.answers if answer.status == 201]
    refused = [answer for answer in story.answers if answer.status != 201]
    assert {answer.code for answer in refused} <= {"insufficient_funds"}, story
    assert len({answer.body for answer in paid}) <= 1, story
    fresh = sum(not answer.replayed for answer in paid)
    assert fresh <= 1, story
    assert fresh == 1 or not paid or story.in_doubt, story  # without a doubt, somebody was told first
