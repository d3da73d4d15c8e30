"""Groups of payments asked for at once, and the same asked for one by one in a second world.

A crowd is people with money, keys, limits and a passkey, made once; both worlds are copies of its database. A group is
drawn from a seed, asked of the first world at once, so that its payments share commits, and of the second one by one,
in an order that explains what the first has answered:

  - what was accepted, in the order of its events; where a payroll was paid, in that of the statements' numbers too,
    since it writes its events before it locks accounts;
  - what was refused, or answered again from its key, at a moment at which a small model of the crowd expects that
    answer. It changed nothing, so any such moment is right; where there is none, no order explains the answer.

Then both worlds say the same of everything but ids and times. Nothing here knows how payments are accepted: everything
is asked over the application's own HTTP interface.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from gateway.ids import number_of, read
from tests.api.groups.crowd import EVERYBODY, PAID_ONLY
from tests.api.groups.draw import Draw
from tests.api.groups.request import Answer, Asked, lines
from tests.api.groups.world import FEES, World

#: After so many groups it is looked at what everybody has.
LOOK_EVERY = 5


class Unexplained(AssertionError):
    """No order of the group explains these answers."""


class Different(AssertionError):
    """The worlds do not agree."""


@dataclass
class Both:
    """The crowd twice: what is asked at once in the first is asked one by one in the second."""

    together: World
    alone: World
    draw: Draw
    seen: Counter[str] = field(default_factory=Counter)
    told: dict[str, list[str]] = field(default_factory=lambda: {who: [] for who in EVERYBODY})

    async def live(self, groups: int) -> None:
        for n in range(groups):
            await self.group(self.draw.group(), self.draw.chance.choice(FEES))
            if n % LOOK_EVERY == LOOK_EVERY - 1:
                await self.look()
        await self.look()
        together, alone = await self.together.everything(), await self.alone.everything()
        for name, said in together.items():
            if said != alone[name]:
                raise Different(f"{name}\nis at once:     {said}\nand one by one: {alone[name]}")
        assert await self.together.api.wrong() == await self.alone.api.wrong() == []

    async def group(self, asked: Sequence[Asked], fee: int) -> None:
        """One group, in both worlds. Raises AssertionError where they differ, Unexplained where no order would do."""
        first, model = self.together, self.draw.model
        answers = await asyncio.gather(*(first.answer(one, fee) for one in asked))
        for one, answer in zip(asked, answers, strict=True):
            first.learn(one, answer)
            words = [f"{one.kind}: {answer.status}", answer.code, "again" * answer.replayed]
            self.seen[" ".join(filter(None, words))] += 1
        told = await first.news()
        order = await self._order(asked, answers, told)

        waiting = [place for place in range(len(asked)) if place not in set(order)]
        for moment in range(len(order) + 1):
            for place in [place for place in waiting if model.expects(asked[place], answers[place])]:
                waiting.remove(place)
                await self._again(asked[place], answers[place], fee)
                if answers[place].is_new:
                    model.accept(asked[place], {})
            if moment < len(order):
                place = order[moment]
                answer = await self._again(asked[place], answers[place], fee)
                model.accept(asked[place], await self._payments(asked[place], answer))
        if waiting:
            raise Unexplained("\n".join(f"{asked[place]}\n-> {answers[place]}" for place in waiting))
        for who, events in told.items():
            self.told[who] += [_told(first, event) for event in events]

    async def look(self) -> None:
        """What everybody was told of, and what they have."""
        for who, events in (await self.alone.news()).items():
            # A payroll is told of before it is done: what others do then is told of in between.
            assert sorted(_told(self.alone, event) for event in events) == sorted(self.told[who]), who
            self.told[who] = []
        for who, balances in (await self.together.wallets()).items():
            for asset, balance in balances.items():
                has = self.draw.model.available.get((who, asset), Decimal(0))
                assert Decimal(balance["available"]) == has, (who, asset, balance, has)

    async def _again(self, asked: Asked, first: Answer, fee: int) -> Answer:
        """Ask it of the second world: the answer is the first world's."""
        answer = await self.alone.answer(asked, fee)
        self.alone.learn(asked, answer)
        one, other = _said(self.together, first), _said(self.alone, answer)
        if one != other:
            raise Different(f"{asked}\nis answered at once: {one}\nand one by one:       {other}")
        return answer

    async def _payments(self, asked: Asked, answer: Answer) -> Any:
        """What the model is told of what was done."""
        if asked.kind != "payroll":
            return answer.said
        made = lines(asked, answer.said)
        return {label: await self.alone.get("pat", f"/v1/payments/{line['id']}") for label, line in made}

    async def _order(self, asked: Sequence[Asked], answers: Sequence[Answer], told: dict[str, list[Any]]) -> list[int]:
        """The places of what was done, in the order in which it was."""
        numbers: dict[tuple[str, str], int] = {}
        for events in told.values():
            for event in events:
                numbers[event["data"]["id"], event["type"]] = number_of(read("evt", event["id"]))
        when: dict[int, int] = {}
        place_of: dict[str, int] = {}
        for place, (one, answer) in enumerate(zip(asked, answers, strict=True)):
            if not answer.is_new:
                continue
            made = [line for _, line in lines(one, answer.said)] if one.kind == "payroll" else [answer.said]
            if not made:
                continue
            place_of |= {payment["id"]: place for payment in made if payment["state"] == "settled"}
            when[place] = min(numbers[of["id"], f"payment.{of['state']}"] for of in made)
        order = sorted(when, key=lambda place: when[place])
        for place in [place for place in order if asked[place].kind == "payroll"]:
            order.remove(place)
            order.insert(await self._after(place, order, place_of), place)
        return order

    async def _after(self, place: int, order: list[int], place_of: dict[str, int]) -> int:
        """Where in the order a payroll was paid: after all that stands before it in the statements it is in."""
        after = 0
        for who in ("pat", *PAID_ONLY):
            entries = (await self.together.get(who, "/v1/entries?asset=EUR&limit=200"))["items"]
            places = [place_of.get(entry["payment_id"], -1) for entry in reversed(entries)]
            before = places[: places.index(place)] if place in places else []
            after = max([after, *(order.index(one) + 1 for one in before if one in order)])
        return after


def _said(world: World, answer: Answer) -> tuple[int, bool, str]:
    return answer.status, answer.replayed, world.plain(answer.body.decode())


def _told(world: World, event: Any) -> str:
    return world.plain(json.dumps([event["type"], event["sequence"], event["data"]], sort_keys=True))
