"""What the gateway's customers ask of it over HTTP, and what they were answered.

A customer who got no answer asks again with the same key, later; one who got one asks again now and then, and it is the
same.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx

from gateway.http.services import Services
from gateway.postgres.errors import DatabaseUnavailable
from tests.applications import application
from tests.cuts import CutDatabase, Fate
from tests.front import client_of
from tests.simulation.view import View
from tests.simulation.world import Person, World

#: The gateway answers a request that is sent so often at the latest: what cuts it off does so once.
_TIMES_MAX = 20


@dataclass
class Asked:
    """A request, and its first answer that decided something: None while nobody knows."""

    person: Person
    path: str
    body: dict[str, Any]
    key: str
    status: int | None = None
    answer: Any = None

    @property
    def accepted(self) -> bool:
        return self.status is not None and self.status < 300

    @property
    def id(self) -> str:
        return str(self.answer["id"])

    @cached_property
    def kind(self) -> str:
        """What it asks for, in a word."""
        if self.path == "/v1/payments":
            return "hold" if self.body.get("capture") is False else "payment"
        return self.path.rpartition("/")[2].removesuffix("s")  # conversion, deposit, refund, capture, void


@dataclass
class Cut(Fate):
    """The gateway's connection to its database is lost at the next commit, before it or after."""

    world: World | None = None
    side: str = ""

    async def before(self, what: str) -> None:
        self._strike("before")

    async def after(self, what: str) -> None:
        self._strike("after")

    def _strike(self, side: str) -> None:
        if self.side == side:
            self.side = ""
            assert self.world is not None
            self.world.saw(f"the gateway was cut {side} its commit")
            raise DatabaseUnavailable("cut")


@dataclass
class Customers:
    """Everybody's requests, in order."""

    world: World
    client: httpx.AsyncClient
    cut: Cut
    view: View  #: The node as the gateway sees it.
    asked: list[Asked] = field(default_factory=list)

    # ---- asking -----------------------------------------------------------------------------------------------------

    async def ask(self, asked: Asked) -> None:
        """Send a request, for the first time or again. What was accepted once is answered the same for ever. What was
        refused may be accepted when it is asked again, since a refusal does not use up its key: where that answer is
        lost, nobody knows any more.
        """
        status, answer = await self.post(asked.person, asked.path, asked.body, {"Idempotency-Key": asked.key})
        if status >= 500:
            if not asked.accepted:
                asked.status = None
            return
        if asked.accepted:
            self.world.seen["a key was repeated"] += 1
            if (status, answer) != (asked.status, asked.answer):
                raise self.world.violated("a key has one answer for ever", f"{asked} and then {status} {answer}")
            return
        asked.status, asked.answer = status, answer
        self.world.seen[f"answered {status}{'' if status < 300 else ' ' + answer['code']}"] += 1

    async def post(
        self, person: Person, path: str, body: dict[str, Any], headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Send what somebody asks; returns status and answer. From 500 on they know nothing."""
        headers = {**(headers or {}), "Authorization": f"Bearer {person.api_key}", "Content-Type": "application/json"}
        response = await self.client.post(path, content=json.dumps(body), headers=headers)
        if response.status_code >= 500:
            self.world.seen["a customer got no answer"] += 1
        return response.status_code, response.json()

    async def new(self, person: Person, path: str, body: dict[str, Any]) -> Asked:
        asked = self.note(person, path, body)
        await self.ask(asked)
        return asked

    def note(self, person: Person, path: str, body: dict[str, Any]) -> Asked:
        """A request that is about to be sent."""
        asked = Asked(person, path, body, f"key-{len(self.asked)}")
        self.asked.append(asked)
        return asked

    async def see(self, asked: Asked) -> Any:
        """A payment or a conversion as its owner sees it now."""
        kind = "conversions" if asked.kind == "conversion" else "payments"
        headers = {"Authorization": f"Bearer {asked.person.api_key}"}
        response = await self.client.get(f"/v1/{kind}/{asked.id}", headers=headers)
        assert response.status_code == 200, response.text
        return response.json()

    async def claim(self, handle: str) -> Person:
        claimed = (await self.client.post("/v1/handles", json={"handle": handle})).json()
        person = Person(handle, claimed["address"], claimed["api_key"])
        self.world.people.append(person)
        return person

    # ---- acts -------------------------------------------------------------------------------------------------------

    async def pay(self, count: int, capture: bool = True) -> list[Asked]:
        """So many payments at once, of anybody to anybody."""
        fresh = [self._payment(capture) for _ in range(count)]
        self.world.say(f"{count} payments at once" if count > 1 else self._words(fresh[0]))
        await asyncio.gather(*(self.ask(one) for one in fresh))
        return fresh

    def _payment(self, capture: bool) -> Asked:
        rng, world = self.world.rng, self.world
        payer, payee = rng.sample(world.people, 2)
        to = rng.choice(world.strangers + world.unbound) if rng.random() < 0.15 else f"@{payee.handle}"
        code = rng.choice(world.tokens)
        maximum = 500_000 if rng.random() < 0.03 else 3_000  # some have nothing like that
        body = {"to": to, "amount": f"{rng.randint(1, maximum)}.{rng.randint(0, 99):02}", "asset": code}
        if not capture:
            body["capture"] = False  # type: ignore[assignment] # JSON
        return self.note(payer, "/v1/payments", body)

    def _words(self, asked: Asked) -> str:
        body = asked.body
        return f"@{asked.person.handle} {asked.path[4:]} {' '.join(str(one) for one in body.values())}, {asked.key}"

    async def convert(self) -> None:
        rng, world = self.world.rng, self.world
        token = world.town.assets[rng.choice(world.tokens)]
        pair = [str(token.backing), token.code]
        rng.shuffle(pair)
        maximum = 500_000 if rng.random() < 0.1 else 3_000
        body = {"amount": f"{rng.randint(1, maximum)}.{rng.randint(0, 99):02}", "asset": pair[0], "to_asset": pair[1]}
        asked = self.note(rng.choice(world.people), "/v1/conversions", body)
        world.say(self._words(asked))
        await self.ask(asked)

    async def refund(self) -> None:
        """Somebody who was paid gives some of it back, or asks for too much."""
        rng = self.world.rng
        paid = [one for one in self.asked if one.accepted and one.kind == "payment" and "@" in one.body["to"]]
        if not paid:
            return
        first = rng.choice(paid)
        payee = next(one for one in self.world.people if f"@{one.handle}" == first.body["to"])
        amount = {} if rng.random() < 0.3 else {"amount": f"{rng.randint(1, 1500)}.00"}
        asked = self.note(payee, f"/v1/payments/{first.id}/refund", amount)
        self.world.say(self._words(asked))
        await self.ask(asked)

    async def end_a_hold(self) -> None:
        held = [one for one in self.asked if one.accepted and one.kind == "hold"]
        if held:
            one = self.world.rng.choice(held)
            verb = self.world.rng.choice(["capture", "capture", "void"])
            asked = self.note(one.person, f"/v1/payments/{one.id}/{verb}", {})
            self.world.say(self._words(asked))
            await self.ask(asked)

    async def repeat(self) -> None:
        """Somebody asks again with the same key: the answer is the first one."""
        if self.asked:
            asked = self.world.rng.choice(self.asked)
            self.world.say(f"again: {self._words(asked)}")
            await asyncio.gather(*(self.ask(asked) for _ in range(self.world.rng.randint(1, 3) if asked.status else 1)))

    async def insist(self) -> None:
        """Whoever was never answered asks until they are."""
        for _ in range(_TIMES_MAX):
            waiting = [one for one in self.asked if one.status is None]
            if not waiting:
                return
            for asked in waiting:
                await self.ask(asked)
        raise self.world.violated("who insists is answered", waiting[0])

    def payments(self) -> int:
        """How many payments are accepted, or may be for all that anybody knows: no hold and no refund among them."""
        return sum((one.status is None or one.status < 300) and one.kind == "payment" for one in self.asked)

    def cut_off(self) -> None:
        """The gateway loses its database at its next commit."""
        self.cut.side = self.world.rng.choice(["before", "after"])


@asynccontextmanager
async def customers(world: World) -> AsyncIterator[Customers]:
    """The gateway over this world, and who asks it."""
    cut = Cut(world=world)
    view = View(world.node, _nothing_is_sent)
    services = Services(CutDatabase(world.town.database, cut), world.town.settings, world.vault, world.clock, view)
    app = application(services)
    async with client_of(app) as client:
        yield Customers(world, client, cut, view)


async def _nothing_is_sent(raw: bytes) -> None:
    raise AssertionError("the gateway sends nothing: its workers do")
