"""The guarantees under load: twenty thousand payments over 64 connections, while parts are killed.

The clients are what clients are: some ask twice, some cannot pay, some send nonsense, some hang up, and all of them ask
again with the same key when an answer did not come. What must be true afterwards is worked out by a model of a dozen
lines from what was asked and what was answered, never from what the gateway has stored.

A failure prints its seed; `LOAD_SEED=<seed>` asks for the same again, though no two runs are cut at the same moment.
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

import pytest

from gateway.bank import movements
from gateway.ledger import audit
from gateway.money import Assets
from gateway.postgres import connect
from tests.load import Answer, House, Line, Lost, request, running_house

pytestmark = pytest.mark.anyio

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
class Wanted:
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
WRONG: dict[str, tuple[Callable[[Wanted, str], bytes], tuple[int, str]]] = {
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
    """What became of one wanted payment, as its client knows it."""

    wanted: Wanted
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
    stories = [Story(_wanted(chance, key, payer)) for key, payer in zip(keys, poor + rest, strict=False)]
    for n, story in enumerate(chance.sample(stories[len(poor) :], MALFORMED)):
        story.wrong = list(WRONG)[n % len(WRONG)]

    chance.shuffle(stories)
    right = [at for at, story in enumerate(stories) if not story.wrong]
    left, repeated = set(chance.sample(right, LEFT)), chance.sample(right, REPEATED)
    sendings = [(float(at), Sending(story, at in left, chance.random() < 0.5)) for at, story in enumerate(stories)]
    sendings += [(at + 0.5, Sending(stories[at])) for at in repeated[::2]]
    sendings += [(chance.uniform(at + CONNECTIONS, len(stories)), Sending(stories[at])) for at in repeated[1::2]]
    return [sending for _, sending in sorted(sendings, key=lambda one: one[0])]


def _wanted(chance: random.Random, key: str, payer: str) -> Wanted:
    payee = SHOP if chance.random() < 0.4 else chance.choice([one for one in PEOPLE if one != payer])
    memo = chance.choice([None, f"for {key}"])
    if payer in POOR:
        return Wanted(key, payer, payee, 1_00, "EUR", memo)
    if chance.random() < 0.1:
        return Wanted(key, payer, payee, chance.randint(1, 9_999), "JPY", memo)
    return Wanted(key, payer, payee, chance.randint(1, 9_99), "EUR", memo)


# ---- who asks -------------------------------------------------------------------------------------------------------


@dataclass
class Reader:
    """Somebody who reads events on and on while they are made."""

    handle: str
    after: int = 0
    numbers: list[int] = field(default_factory=list)
    alone: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass
class Town:
    """The people of a house, and the connections that they share."""

    house: House
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
        asked = asked or story.wanted.request(self.api_keys[story.wanted.payer])
        answer, again = await self.house.insist(line, asked)
        story.asking -= 1
        story.in_doubt += again
        story.answers.append(answer)
        return answer

    async def ask_for_more(self, line: Line, story: Story) -> Answer:
        """Ask for another payment with the same key."""
        more = replace(story.wanted, units=story.wanted.units + 1)
        answer, _ = await self.house.insist(line, more.request(self.api_keys[more.payer]))
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
                clients.create_task(client(self.house.ports[n % len(self.house.ports)]))
        return [came[at] for at in sorted(came)]

    async def pages(self, line: Line, handle: str, path: str) -> list[Any]:
        """A whole list of somebody's: payments by their cursor, events by their number."""
        items: list[Any] = []
        rest = ""
        while True:
            page = (await line.ask(request("GET", f"{path}?limit=200{rest}", self.api_keys[handle]))).said
            items += page["items"]
            if len(page["items"]) < 200:
                return items
            rest = f"&after={page['next_after']}" if "next_after" in page else f"&cursor={page['next_cursor']}"

    async def read_on(self, line: Line, reader: Reader) -> None:
        """Read the events that there are by now, after those that were read before."""
        async with reader.alone:
            while True:
                asked = request("GET", f"/v1/events?limit=200&after={reader.after}", self.api_keys[reader.handle])
                page = (await self.house.insist(line, asked))[0].said
                reader.numbers += [event["number"] for event in page["items"]]
                reader.after = page["next_after"]
                if len(page["items"]) < 200:
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
    async with running_house(gateways) as house:
        yield Town(house)


# ---- what must be true ----------------------------------------------------------------------------------------------


async def hold_to_the_model(town: Town, stories: Iterable[Story], assets: Assets) -> None:
    """What every client was answered is what there is, and there is nothing else."""
    for story in stories:
        hold_to_its_word(story)
    paid = {story.paid["id"]: story for story in stories if story.paid}
    balances, party_to = Counter(town.paid_in), {handle: set[str]() for handle in town.api_keys}
    for id, story in paid.items():
        wanted = story.wanted
        balances[wanted.payer, wanted.asset] -= wanted.units
        balances[wanted.payee, wanted.asset] += wanted.units
        for handle in (wanted.payer, wanted.payee):
            party_to[handle].add(id)
        assert _as_wanted(story.paid, wanted), story

    for handle, payments in (await town.of_everybody("/v1/payments")).items():
        assert Counter(payment["id"] for payment in payments) == Counter(party_to[handle]), handle
        assert [payment for payment in payments if payment != paid[payment["id"]].paid] == []

    for handle, wallet in (await town.of_everybody("/v1/wallet")).items():
        for one in wallet["balances"]:
            if one["asset"] in DECIMALS:
                has = said(balances[handle, one["asset"]], one["asset"])
                assert (one["posted"], one["available"]) == (has, has), (handle, one)

    for handle, told in (await town.of_everybody("/v1/events")).items():
        settled = Counter(event["facts"]["payment_id"] for event in told if event["kind"] == "payment.settled")
        assert settled == Counter(party_to[handle]), handle
        assert len(told) == 1 + town.deposits[handle] + settled.total(), handle
        assert [event["number"] for event in told] == sorted({event["number"] for event in told}), handle

    async with connect(town.house.dsn, connections=2) as database, database.snapshot() as connection:
        assert await connection.fetchval("SELECT count(*) FROM payment") == len(paid)
        assert await audit.recount(connection) == []
        assert await movements.reconcile(connection, assets) == []


def _as_wanted(payment: Any, wanted: Wanted) -> bool:
    """Whether the payment that was answered is the one that was asked for, paid."""
    expected = {
        **wanted.fields,
        "memo": wanted.memo,
        "from": f"@{wanted.payer}",
        "state": "settled",
        "fee": said(0, wanted.asset),
        "captured": said(wanted.units, wanted.asset),
        "refunded": said(0, wanted.asset),
    }
    return {name: payment[name] for name in expected} == expected


def hold_to_its_word(story: Story) -> None:
    """All answers to one wanted payment agree: it was paid once and said so each time, or it was refused."""
    paid = [answer for answer in story.answers if answer.status == 201]
    refused = [answer for answer in story.answers if answer.status != 201]
    assert {answer.code for answer in refused} <= {"insufficient_funds"}, story
    assert len({answer.body for answer in paid}) <= 1, story
    fresh = sum(not answer.replayed for answer in paid)
    assert fresh <= 1, story
    assert fresh == 1 or not paid or story.in_doubt, story  # without a doubt, somebody was told first


# ---- the load -------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(240)
async def test_under_load_and_kills_every_answer_is_true_and_every_payment_is_made_once(assets: Assets) -> None:
    chance = random.Random(SEED)
    load = plan(chance)
    stories = list({sending.story.wanted.key: sending.story for sending in load}.values())
    wrong, right = [s for s in stories if s.wrong], [s for s in stories if not s.wrong]
    async with town_of() as town:
        await town.arrive([SHOP])  # its accounts are opened by the first payments, all at once
        await town.arrive(PEOPLE, **PAID_IN)
        await town.arrive(POOR, EUR=PAID_BY_POOR * 1_00)

        # When everybody asks, and parts are killed
        reader = Reader(SHOP)
        assert await send_all(town, load, kills_of(chance, town.house), reader) > 0

        # then what was wrong was refused,
        for story in wrong:
            (answer,) = story.answers
            assert (answer.status, answer.code) == WRONG[story.wrong][1], story
            story.answers.clear()

        # who hung up is told now, and whoever asks again is told the same: all who did or might have had reason to,
        # and some of the rest,
        await town.each([story for story in right if not story.answers], town.ask)
        plain = [story for story in right if story.paid and len(story.answers) == 1 and not story.in_doubt]
        left_alone = {story.wanted.key for story in chance.sample(plain, len(plain) * 3 // 4)}
        asked_again = [story for story in right if story.wanted.key not in left_alone]
        for story, again in zip(asked_again, await town.each(asked_again, town.ask), strict=True):
            assert {answer.status for answer in story.answers} in ({201}, {409}), story
            assert again.replayed == (again.status == 201), story
        refused = [story for story in right if not story.paid]
        assert Counter(story.wanted.payer for story in refused) == dict.fromkeys(POOR, ASKED_BY_POOR - PAID_BY_POOR)
        assert {(a.code, a.said["available"]) for s in refused for a in s.answers} == {("insufficient_funds", "0.00")}

        # what was refused left nothing: its key pays now as if it had never been used, if there is the money,
        await town.each(POOR, lambda line, handle: town.pay_in(line, handle, 3_00, "EUR"))
        assert not any(answer.replayed for answer in await town.each([*wrong, *refused], town.ask))
        assert Counter(story.wanted.payer for story in refused if story.paid) == dict.fromkeys(POOR, 3)
        assert all(story.paid for story in wrong)

        # a key that paid pays for nothing else,
        for other in await town.each(chance.sample([s for s in right if s.paid], 100), town.ask_for_more):
            assert (other.status, other.code) == (422, "idempotency_key_reused")

        # and what people were told, while it happened or since, is all there is.
        await hold_to_the_model(town, stories, assets)
        line = Line(town.house.ports[0])
        await town.read_on(line, reader)
        assert reader.numbers == [event["number"] for event in await town.pages(line, SHOP, "/v1/events")]
        assert " ERROR " not in town.house.log()


def kills_of(chance: random.Random, house: House) -> dict[int, Callable[[], None]]:
    """After how many answers what is killed, none of them near another or an end."""
    kills = [house.kill_gateway, house.kill_postgres, house.kill_backend, house.kill_gateway, house.kill_postgres]
    chance.shuffle(kills)
    step = SENT // (len(kills) + 2)
    return {step * n + chance.randrange(step // 2): kill for n, kill in enumerate(kills, start=1)}


async def send_all(town: Town, load: list[Sending], kills: dict[int, Callable[[], None]], reader: Reader) -> int:
    """Send the load, reading on now and then; returns how many requests met another with their key under way."""
    answered = together = 0

    async def send(line: Line, sending: Sending) -> None:
        nonlocal answered, together
        story, api_key = sending.story, town.api_keys[sending.story.wanted.payer]
        if sending.hangs_up:
            story.in_doubt += 1
            await line.leave(story.wanted.request(api_key), sending.by_reset)
            return
        together += story.asking > 0
        await town.ask(line, story, WRONG[story.wrong][0](story.wanted, api_key) if story.wrong else None)
        answered += 1
        if answered in kills:
            kills.pop(answered)()
        if answered % 100 == 0:
            await town.read_on(line, reader)

    await town.each(load, send)
    assert kills == {}
    return together


# ---- two gateways ---------------------------------------------------------------------------------------------------


@pytest.mark.timeout(120)
async def test_one_key_at_two_gateways_at_once_pays_once_though_one_is_killed(assets: Assets) -> None:
    chance = random.Random(SEED)
    pairs = [Story(_wanted(chance, f"pair-{n}", chance.choice(PEOPLE))) for n in range(50)]
    crowd = [Story(_wanted(chance, f"crowd-{n}", chance.choice(PEOPLE))) for n in range(50)]
    load = [Story(_wanted(chance, f"load-{n}", chance.choice(PEOPLE))) for n in range(1_000)]
    async with town_of(gateways=2) as town:
        await town.arrive([SHOP, *PEOPLE], **PAID_IN)
        lines = [Line(port) for port in town.house.ports]

        # When the same is asked of both at once: one after the other,
        for story in pairs:
            answers = await asyncio.gather(*(town.ask(line, story) for line in lines))
            assert sorted((answer.status, answer.replayed) for answer in answers) == [(201, False), (201, True)]

        # all at once, in another order at each,
        here, there = (chance.sample(crowd, len(crowd)) for _ in lines)
        crowded = [(Line(lines[0].port), story) for story in here] + [(Line(lines[1].port), story) for story in there]
        await asyncio.gather(*(town.ask(line, story) for line, story in crowded))
        for line, _ in crowded:
            line.close()

        # and by clients whose gateway is killed, and who ask the other one at once, while it may yet commit,
        asked = 0

        async def ask_either(line: Line, story: Story) -> None:
            nonlocal asked
            asked += 1
            if asked == len(load) // 2:
                town.house.kill_gateway()
            try:
                answer = await line.ask(story.wanted.request(town.api_keys[story.wanted.payer]))
            except Lost:
                line.port = lines[1].port
            else:
                if not answer.again:
                    story.answers.append(answer)
                    return
            story.in_doubt += 1
            await town.ask(line, story)

        await town.each(load, ask_either)
        await town.house.answering(lines[0].port)

        # then each was paid once, and both say so.
        assert {answer.status for story in [*pairs, *crowd, *load] for answer in story.answers} == {201}
        for again in await town.each(load, town.ask):
            assert again.replayed
        await hold_to_the_model(town, [*pairs, *crowd, *load], assets)


# ---- half a request -------------------------------------------------------------------------------------------------


@pytest.mark.timeout(120)
async def test_clients_that_hang_up_in_the_middle_of_a_request_pay_nothing_and_cost_nothing(assets: Assets) -> None:
    chance = random.Random(SEED)
    cut = [Story(_wanted(chance, f"cut-{n}", chance.choice(PEOPLE))) for n in range(320)]
    whole = [Story(_wanted(chance, f"whole-{n}", chance.choice(PEOPLE))) for n in range(320)]
    async with town_of() as town:
        await town.arrive([SHOP, *PEOPLE], **PAID_IN)

        def connections() -> int:
            return sum(one.status != "LISTEN" for one in town.house.gateway().net_connections())

        async def send(line: Line, pair: tuple[Story, Story]) -> None:
            api_key = town.api_keys[pair[0].wanted.payer]
            deposit = request("POST", "/v1/deposits", api_key, "cut", b'{"amount": "1.00", "asset": "EUR"}')
            padded = json.dumps(pair[0].wanted.fields).encode() + b" " * 40  # often cut where it reads like a whole one
            for asked in (pair[0].wanted.with_body(api_key, padded), deposit):
                await line.leave(asked[: chance.randrange(1, len(asked))], chance.random() < 0.5)
            await town.ask(line, pair[1])

        # When two thirds of what is sent are cut off somewhere in the middle,
        await town.each(zip(cut, whole, strict=True), send)

        # then the rest was paid and nothing else, the keys are free, and no connection is left open.
        assert {(answer.status, answer.replayed) for story in whole for answer in story.answers} == {(201, False)}
        async with asyncio.timeout(10):
            while connections():  # noqa: ASYNC110 - another process's, nothing tells us
                await asyncio.sleep(0.01)
        await hold_to_the_model(town, whole, assets)
        assert not any(answer.replayed for answer in await town.each(cut, town.ask))
        await hold_to_the_model(town, [*cut, *whole], assets)
        assert " ERROR " not in town.house.log()
