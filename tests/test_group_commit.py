"""Group commit: who shares a commit with whom, and whose fault is whose."""

import asyncio

import pytest

from gateway.group_commit import GroupCommit
from gateway.postgres.errors import Contended, DatabaseUnavailable, LockTimeout

pytestmark = pytest.mark.anyio


class Disk:
    """Commits when the test lets it: what was committed together, in order. Asked for 13, it breaks."""

    def __init__(self) -> None:
        self.commits: list[list[int]] = []
        self.may_commit = asyncio.Event()
        self.away = False
        self.contended = 0  # How many commits lose against somebody else's.
        self.held: int | None = None  # What somebody else holds for good.
        self.refused: int | None = None  # What PostgreSQL refuses at once, each time (40001).

    async def commit(self, asked: list[int]) -> list[str]:
        self.commits.append(asked)
        await self.may_commit.wait()
        if self.away:
            raise DatabaseUnavailable("gone")
        if self.contended:
            self.contended -= 1
            raise Contended
        if self.held in asked:
            raise LockTimeout
        if self.refused in asked:
            raise Contended
        if 13 in asked:
            raise ValueError("thirteen")
        return [f"answer {one}" for one in asked]


async def a_moment() -> None:
    """Let every task that can run do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_lone_request_waits_for_nobody() -> None:
    disk = Disk()
    disk.may_commit.set()
    group = GroupCommit(disk.commit)

    assert await group.submit(1) == "answer 1"
    assert disk.commits == [[1]]


async def test_requests_that_arrive_during_a_commit_share_the_next_one() -> None:
    disk = Disk()
    group = GroupCommit(disk.commit, at_once=1)
    first = group.submit(1)
    await a_moment()

    rest = [group.submit(n) for n in range(20, 60)]
    disk.may_commit.set()

    assert await first == "answer 1"
    assert await asyncio.gather(*rest) == [f"answer {n}" for n in range(20, 60)]
    assert disk.commits == [[1], list(range(20, 60))]


async def test_no_batch_is_larger_than_it_may_be() -> None:
    disk = Disk()
    disk.may_commit.set()
    group = GroupCommit(disk.commit, maximum=20, at_once=1)

    await asyncio.gather(*(group.submit(n) for n in range(100, 150)))

    assert [len(commit) for commit in disk.commits] == [20, 20, 10]


async def test_the_fault_of_one_is_not_the_fault_of_all() -> None:
    disk = Disk()
    disk.may_commit.set()
    group = GroupCommit(disk.commit, at_once=1)

    answers = await asyncio.gather(*(group.submit(n) for n in (12, 13, 14)), return_exceptions=True)

    assert answers[0] == "answer 12"
    assert isinstance(answers[1], ValueError)
    assert answers[2] == "answer 14"


async def test_when_the_database_is_away_everybody_is_told_so() -> None:
    disk = Disk()
    disk.away = True
    disk.may_commit.set()
    group = GroupCommit(disk.commit, at_once=1)

    answers = await asyncio.gather(*(group.submit(n) for n in range(5)), return_exceptions=True)

    assert all(isinstance(answer, DatabaseUnavailable) for answer in answers)
    assert len(disk.commits) == 1


async def test_when_the_database_is_away_those_who_wait_for_the_next_commit_are_told_so_too() -> None:
    disk = Disk()
    disk.away = True
    disk.may_commit.set()
    group = GroupCommit(disk.commit, maximum=2, at_once=1)

    answers = await asyncio.gather(*(group.submit(n) for n in range(7)), return_exceptions=True)

    assert [type(answer) for answer in answers] == [DatabaseUnavailable] * 7
    assert len(disk.commits) == 1


async def test_a_group_that_had_to_give_way_is_committed_again_one_by_one() -> None:
    disk = Disk()
    disk.may_commit.set()
    disk.contended = 1
    group = GroupCommit(disk.commit, at_once=1)

    answers = await asyncio.gather(*(group.submit(n) for n in range(3)))

    assert answers == ["answer 0", "answer 1", "answer 2"]
    assert disk.commits == [[0, 1, 2], [0], [1], [2]]


async def test_one_that_has_to_give_way_each_time_does_not_stop_the_rest() -> None:
    disk = Disk()
    disk.may_commit.set()
    disk.refused = 1
    group = GroupCommit(disk.commit, at_once=1)

    answers = await asyncio.gather(*(group.submit(n) for n in range(4)), return_exceptions=True)

    assert isinstance(answers[1], Contended)
    assert [answers[0], *answers[2:]] == ["answer 0", "answer 2", "answer 3"]
    assert disk.commits == [[0, 1, 2, 3], [0], [1], [2], [3]]


async def test_a_lock_that_somebody_keeps_holds_up_one_and_not_one_after_the_other() -> None:
    disk = Disk()
    disk.may_commit.set()
    disk.held = 1
    group = GroupCommit(disk.commit, at_once=1)

    answers = await asyncio.gather(*(group.submit(n) for n in range(5)), return_exceptions=True)

    assert answers[0] == "answer 0"
    assert all(isinstance(answer, LockTimeout) for answer in answers[1:])
    assert disk.commits == [[0, 1, 2, 3, 4], [0], [1]]


async def test_a_client_that_hangs_up_changes_nothing_for_the_others() -> None:
    disk = Disk()
    group = GroupCommit(disk.commit, at_once=1)
    answers = [group.submit(n) for n in range(5)]
    await a_moment()

    answers[2].cancel()
    disk.may_commit.set()

    assert await asyncio.gather(*answers[:2], *answers[3:]) == [f"answer {n}" for n in (0, 1, 3, 4)]
    assert disk.commits == [[0, 1, 2, 3, 4]]


async def test_after_a_failure_the_group_goes_on() -> None:
    disk = Disk()
    disk.may_commit.set()
    disk.away = True
    group = GroupCommit(disk.commit, at_once=1)
    with pytest.raises(DatabaseUnavailable):
        await group.submit(1)

    disk.away = False

    assert await group.submit(2) == "answer 2"
