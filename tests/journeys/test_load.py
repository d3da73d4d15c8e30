"""The guarantees under load: twenty thousand payments over 64 connections, while parts are killed.

The clients are what clients are: some ask twice, some cannot pay, some send nonsense, some hang up, and all of them ask
again with the same key when an answer did not come. What must be true afterwards is worked out by a model of a dozen
lines from what was asked and what was answered, never from what the gateway has stored.

A failure prints its seed; `LOAD_SEED=<seed>` asks for the same again, though no two runs are cut at the same moment.
"""

import random
from collections import Counter
from collections.abc import Callable

import pytest

from gateway.money import Assets
from tests.journeys.town import (
    ASKED_BY_POOR,
    PAID_BY_POOR,
    PAID_IN,
    PEOPLE,
    POOR,
    SEED,
    SENT,
    SHOP,
    WRONG,
    Reader,
    Sending,
    Town,
    hold_to_the_model,
    plan,
    town_of,
)
from tests.load import Line, Setup

pytestmark = pytest.mark.anyio


@pytest.mark.timeout(1200)
async def test_under_load_and_kills_every_answer_is_true_and_every_payment_is_made_once(assets: Assets) -> None:
    chance = random.Random(SEED)
    load = plan(chance)
    stories = list({sending.story.order.key: sending.story for sending in load}.values())
    wrong, right = [s for s in stories if s.wrong], [s for s in stories if not s.wrong]
    async with town_of() as town:
        await town.arrive([SHOP])  # its accounts are opened by the first payments, all at once
        await town.arrive(PEOPLE, **PAID_IN)
        await town.arrive(POOR, EUR=PAID_BY_POOR * 1_00)

        # When everybody asks, and parts are killed
        reader = Reader(SHOP)
        assert await send_all(town, load, kills_of(chance, town.setup), reader) > 0

        # then what was wrong was refused,
        for story in wrong:
            (answer,) = story.answers
            assert (answer.status, answer.code) == WRONG[story.wrong][1], story
            story.answers.clear()

        # who hung up is told now, and whoever asks again is told the same: all who did or might have had reason to,
        # and some of the rest,
        await town.each([story for story in right if not story.answers], town.ask)
        plain = [story for story in right if story.paid and len(story.answers) == 1 and not story.in_doubt]
        left_alone = {story.order.key for story in chance.sample(plain, len(plain) * 3 // 4)}
        asked_again = [story for story in right if story.order.key not in left_alone]
        for story, again in zip(asked_again, await town.each(asked_again, town.ask), strict=True):
            assert {answer.status for answer in story.answers} in ({201}, {409}), story
            assert again.replayed == (again.status == 201), story
        refused = [story for story in right if not story.paid]
        assert Counter(story.order.payer for story in refused) == dict.fromkeys(POOR, ASKED_BY_POOR - PAID_BY_POOR)
        assert {(a.code, a.said["available"]) for s in refused for a in s.answers} == {("insufficient_funds", "0.00")}

        # what was refused left nothing: its key pays now as if it had never been used, if there is the money,
        await town.each(POOR, lambda line, handle: town.pay_in(line, handle, 3_00, "EUR"))
        assert not any(answer.replayed for answer in await town.each([*wrong, *refused], town.ask))
        assert Counter(story.order.payer for story in refused if story.paid) == dict.fromkeys(POOR, 3)
        assert all(story.paid for story in wrong)

        # a key that paid pays for nothing else,
        for other in await town.each(chance.sample([s for s in right if s.paid], 100), town.ask_for_more):
            assert (other.status, other.code) == (422, "idempotency_key_reused")

        # and what people were told, while it happened or since, is all there is.
        await hold_to_the_model(town, stories, assets)
        line = Line(town.setup.ports[0])
        await town.read_on(line, reader)
        assert reader.ids == [event["id"] for event in await town.pages(line, SHOP, "/v1/events")]
        assert " ERROR " not in town.setup.log()


def kills_of(chance: random.Random, setup: Setup) -> dict[int, Callable[[], None]]:
    """After how many answers what is killed, none of them near another or an end."""
    kills = [setup.kill_gateway, setup.kill_postgres, setup.kill_backend, setup.kill_gateway, setup.kill_postgres]
    chance.shuffle(kills)
    step = SENT // (len(kills) + 2)
    return {step * n + chance.randrange(step // 2): kill for n, kill in enumerate(kills, start=1)}


async def send_all(town: Town, load: list[Sending], kills: dict[int, Callable[[], None]], reader: Reader) -> int:
    """Send the load, reading on now and then; returns how many requests met another with their key under way."""
    answered = together = 0

    async def send(line: Line, sending: Sending) -> None:
        nonlocal answered, together
        story, api_key = sending.story, town.api_keys[sending.story.order.payer]
        if sending.hangs_up:
            story.in_doubt += 1
            await line.leave(story.order.request(api_key), sending.by_reset)
            return
        together += story.asking > 0
        await town.ask(line, story, WRONG[story.wrong][0](story.order, api_key) if story.wrong else None)
        answered += 1
        if answered in kills:
            kills.pop(answered)()
        if answered % 100 == 0:
            await town.read_on(line, reader)

    await town.each(load, send)
    assert kills == {}
    return together
