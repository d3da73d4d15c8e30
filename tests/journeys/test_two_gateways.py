"""One key at two gateways at once, of which one is killed."""

import asyncio
import random

import pytest

from gateway.money import Assets
from tests.journeys.town import PAID_IN, PEOPLE, SEED, SHOP, Story, hold_to_the_model, random_order, town_of
from tests.load import Line, Lost

pytestmark = pytest.mark.anyio


async def test_one_key_at_two_gateways_at_once_pays_once_though_one_is_killed(assets: Assets) -> None:
    chance = random.Random(SEED)
    pairs = [Story(random_order(chance, f"pair-{n}", chance.choice(PEOPLE))) for n in range(50)]
    crowd = [Story(random_order(chance, f"crowd-{n}", chance.choice(PEOPLE))) for n in range(50)]
    load = [Story(random_order(chance, f"load-{n}", chance.choice(PEOPLE))) for n in range(1_000)]
    async with town_of(gateways=2) as town:
        await town.arrive([SHOP, *PEOPLE], **PAID_IN)
        lines = [Line(port) for port in town.setup.ports]

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
                town.setup.kill_gateway()
            try:
                answer = await line.ask(story.order.request(town.api_keys[story.order.payer]))
            except Lost:
                line.port = lines[1].port
            else:
                if not answer.again:
                    story.answers.append(answer)
                    return
            story.in_doubt += 1
            await town.ask(line, story)

        await town.each(load, ask_either)
        await town.setup.answering(lines[0].port)

        # then each was paid once, and both say so.
        assert {answer.status for story in [*pairs, *crowd, *load] for answer in story.answers} == {201}
        for again in await town.each(load, town.ask):
            assert again.replayed
        await hold_to_the_model(town, [*pairs, *crowd, *load], assets)
