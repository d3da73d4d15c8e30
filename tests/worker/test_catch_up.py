"""What is said by a worker that is far behind."""

from datetime import UTC, datetime, timedelta

from gateway.chain.block import Block
from gateway.chain.watcher.block_range import BlockRange
from gateway.worker.catch_up import CatchUp

BEGUN = datetime(2030, 1, 31, 12, 0, tzinfo=UTC)


def block_range(first: int, last: int, final: int) -> BlockRange:
    return BlockRange(frozenset(), first, Block(last, bytes(32), bytes(32), 0, 0), final, [], [], [])


def at(seconds: float) -> datetime:
    return BEGUN + timedelta(seconds=seconds)


def test_who_is_near_says_nothing() -> None:
    catch_up = CatchUp()

    assert catch_up.line(block_range(1, 500, 2_499), at(0)) is None
    assert catch_up.line(block_range(501, 1_000, 2_499), at(60)) is None
    assert catch_up.line(block_range(1_001, 2_499, 2_499), at(120)) is None


def test_who_is_far_says_how_far_how_fast_and_how_long_yet() -> None:
    catch_up = CatchUp()

    assert catch_up.line(block_range(1, 500, 100_000), at(0)) == "catching up: block 500 of 100,000"
    assert (
        catch_up.line(block_range(501, 41_500, 100_000), at(10))
        == "catching up: block 41,500 of 100,000, 4,100 blocks/s, 14 s left"
    )


def test_a_line_comes_every_few_seconds_and_no_more_often() -> None:
    catch_up = CatchUp()
    said = [catch_up.line(block_range(n, n, 100_000), at(n)) for n in range(1, 13)]

    assert [n for n, line in enumerate(said, 1) if line] == [1, 6, 11]


def test_the_end_is_said_once() -> None:
    catch_up = CatchUp()
    catch_up.line(block_range(101, 600, 100_100), at(0))

    end = catch_up.line(block_range(601, 100_100, 100_100), at(8))

    assert end == "caught up with block 100,100, 99,500 blocks in 8 s"
    assert catch_up.line(block_range(100_101, 100_102, 100_102), at(60)) is None


def test_a_second_way_is_measured_from_its_own_beginning() -> None:
    catch_up = CatchUp()
    catch_up.line(block_range(1, 500, 100_000), at(0))
    catch_up.line(block_range(501, 100_000, 100_000), at(10))

    catch_up.line(block_range(100_001, 100_500, 200_000), at(1_000))
    line = catch_up.line(block_range(100_501, 102_000, 200_000), at(1_010))

    assert line == "catching up: block 102,000 of 200,000, 150 blocks/s, 653 s left"
