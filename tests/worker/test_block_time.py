"""How often the chain is asked for news follows how long its blocks take."""

from datetime import timedelta

from gateway.worker.block_time import BlockTime


def questions(of: BlockTime, clock: list[float], seconds: float, awaited: bool = False) -> int:
    """How many are asked in so many seconds, by a loop that turns every 0.1 s."""
    asked = 0
    for _ in range(round(seconds * 10)):
        clock[0] += 0.1
        asked += of.due(awaited)
    return asked


def measured(seconds: float) -> tuple[BlockTime, list[float]]:
    clock = [1_000.0]
    of = BlockTime(now=lambda: clock[0])
    of.came(10, 10 * seconds)
    return of, clock


def test_an_idle_worker_asks_a_few_times_in_each_slow_block_and_once_a_second_where_they_are_quick() -> None:
    slow, clock = measured(12)
    questions(slow, clock, 30)
    assert questions(slow, clock, 120) <= 41

    quick, clock = measured(0.5)
    questions(quick, clock, 30)
    assert questions(quick, clock, 60) <= 61


def test_before_a_block_was_seen_the_questions_become_rare_too() -> None:
    clock = [0.0]
    of = BlockTime(now=lambda: clock[0])
    assert questions(of, clock, 1) >= 5
    questions(of, clock, 60)
    assert questions(of, clock, 60) <= 16


def test_what_is_awaited_on_a_chain_that_rests_is_seen_at_once() -> None:
    resting, clock = measured(30)
    questions(resting, clock, 60)
    assert questions(resting, clock, 1, awaited=True) >= 5
    questions(resting, clock, 60, awaited=True)
    assert questions(resting, clock, 60, awaited=True) <= 16


def test_there_is_more_to_read_at_once() -> None:
    of, clock = measured(12)
    questions(of, clock, 30)
    assert of.due(False) + of.due(False) < 2
    of.at_once()
    assert of.due(False)


def test_relayers_are_looked_after_about_twice_a_block_but_always_in_time_for_readiness() -> None:
    often = timedelta(seconds=1.5)
    for seconds, every in ((0.5, 1.5), (12, 6), (600, 20)):
        assert measured(seconds)[0].rounds(often) == timedelta(seconds=every)
    assert BlockTime().rounds(often) == often
