"""The chain's files, cut and damaged where a kill or a disk could."""

import gzip
from pathlib import Path

import pytest

from gateway.embedded.journal import Block, Journal, unpacked


def block(number: int, branch: str = "") -> Block:
    parent = "" if number == 1 else branch
    header = {
        "number": hex(number),
        "hash": f"{number}{branch}",
        "parentHash": f"{number - 1}{parent}",
        "timestamp": "0x1",
    }
    return Block(header, ["0xaa"])


def state(text: str) -> list[bytes]:
    return list(unpacked(gzip.compress(text.encode())))


def reopened(folder: Path) -> tuple[str | None, list[int]]:
    """The snapshot's content and the numbers of the blocks after it, as the next run would find them."""
    found = Journal(folder).read()
    assert found is not None
    snapshot, blocks = found
    return snapshot.path and snapshot.path.read_text(), [one.number for one in blocks]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    journal = Journal(tmp_path)
    journal.begin(genesis=1)
    for number in (1, 2, 3):
        journal.add(block(number))
    return journal


def test_blocks_come_back_as_they_were_written(journal: Journal, tmp_path: Path) -> None:
    assert reopened(tmp_path) == (None, [1, 2, 3])


def test_a_line_cut_off_at_any_byte_costs_that_block_alone(journal: Journal, tmp_path: Path) -> None:
    log = tmp_path / "blocks-000000.log"
    whole = log.read_bytes()
    before_last = whole.rstrip(b"\n").rindex(b"\n") + 1

    for end in range(before_last, len(whole)):
        log.write_bytes(whole[:end])
        assert reopened(tmp_path) == (None, [1, 2])


def test_a_snapshot_takes_the_place_of_the_blocks_before_it(journal: Journal, tmp_path: Path) -> None:
    journal.snapshot(state("at 3"), genesis=1)
    journal.add(block(4))

    assert reopened(tmp_path) == ("at 3", [4])


def test_a_damaged_snapshot_costs_nothing(journal: Journal, tmp_path: Path) -> None:
    journal.snapshot(state("at 3"), genesis=1)
    journal.add(block(4))
    journal.snapshot(state("at 4"), genesis=1)
    journal.add(block(5))
    (tmp_path / "state-000002.json").write_text("at X")

    assert reopened(tmp_path) == ("at 3", [4, 5])


def test_a_snapshot_killed_before_its_rename_costs_nothing(journal: Journal, tmp_path: Path) -> None:
    journal.snapshot(state("at 3"), genesis=1)
    journal.add(block(4))
    journal.snapshot(state("at 4"), genesis=1)
    (tmp_path / "state-000002.json").rename(tmp_path / "state-000002.tmp")

    assert reopened(tmp_path) == ("at 3", [4])
    assert not list(tmp_path.glob("*.tmp"))


def test_what_a_later_branch_undid_is_not_kept(journal: Journal, tmp_path: Path) -> None:
    journal.add(Block({"number": "0x3", "hash": "3b", "parentHash": "2", "timestamp": "0x1"}, []))
    journal.add(block(4, "b"))

    assert reopened(tmp_path) == (None, [1, 2, 3, 4])


def test_only_two_snapshots_are_kept(journal: Journal, tmp_path: Path) -> None:
    for n in range(5):
        journal.snapshot(state(str(n)), genesis=1)

    assert sorted(path.name for path in tmp_path.glob("state-*")) == ["state-000004.json", "state-000005.json"]
    assert len(list(tmp_path.glob("blocks-*"))) == 2
