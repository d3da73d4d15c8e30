"""Clients that hang up in the middle of a request."""

import asyncio
import json
import random

import pytest

from gateway.money import Assets
from tests.journeys.town import PAID_IN, PEOPLE, SEED, SHOP, Story, hold_to_the_model, random_order, town_of
from tests.load import Line, request

pytestmark = pytest.mark.anyio


async def test_clients_that_hang_up_in_the_middle_of_a_request_pay_nothing_and_cost_nothing(assets: Assets) -> None:
    chance = random.Random(SEED)
    cut = [Story(random_order(chance, f"cut-{n}", chance.choice(PEOPLE))) for n in range(320)]
    whole = [Story(random_order(chance, f"whole-{n}", chance.choice(PEOPLE))) for n in range(320)]
    async with town_of() as town:
        await town.arrive([SHOP, *PEOPLE], **PAID_IN)

        def connections() -> int:
            return sum(one.status != "LISTEN" for one in town.setup.gateway().net_connections())

        async def send(line: Line, pair: tuple[Story, Story]) -> None:
            api_key = town.api_keys[pair[0].order.payer]
            deposit = request("POST", "/v1/deposits", api_key, "cut", b'{"amount": "1.00", "asset": "EUR"}')
            padded = json.dumps(pair[0].order.fields).encode() + b" " * 40  # often cut where it reads like a whole one
            for asked in (pair[0].order.with_body(api_key, padded), deposit):
                await line.leave(asked[: chance.randrange(1, len(asked))], chance.random() < 0.5)
            await town.ask(line, pair[1])

        # When two thirds of what is sent are cut off somewhere in the middle,
        await town.each(zip(cut, whole, strict=True), send)

        # then the rest was paid and nothing else, the keys are free, and no connection is left open.
        assert {(answer.status, answer.replayed) for story in whole for answer in story.answers} == {(201, False)}
        async with asyncio.timeout(10):  # much less than a connection may be idle (api/server.py)
            while connections():  # noqa: ASYNC110 - another process's, nothing tells us
                await asyncio.sleep(0.01)
        await hold_to_the_model(town, whole, assets)
        assert not any(answer.replayed for answer in await town.each(cut, town.ask))
        await hold_to_the_model(town, [*cut, *whole], assets)
        assert " ERROR " not in town.setup.log()
