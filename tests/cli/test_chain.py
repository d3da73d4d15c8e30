"""gateway chain reread, against a running `up`."""

from tests.running import Up


def test_blocks_are_read_again_and_nothing_is_posted_twice(up: Up) -> None:
    read = up.gateway("chain", "reread", "1", "3")

    assert read.returncode == 0, read.stderr
    assert read.stdout == "blocks 1 to 3 were read again: the ledger lacked nothing\n"
    assert up.json("chain", "reread", "1", "3") == {"first": 1, "last": 3, "posted": 0}
    assert up.gateway("reconcile").returncode == 0


def test_blocks_that_are_not_in_the_ledger_are_refused(up: Up) -> None:
    refused = up.gateway("chain", "reread", "1", "999999")

    assert refused.returncode == 1
    assert "blocks 1 to 999999 cannot be read again: blocks 1 to " in refused.stderr


def test_blocks_in_the_wrong_order_are_refused(up: Up) -> None:
    refused = up.gateway("chain", "reread", "3", "2")

    assert refused.returncode == 1
    assert refused.stderr == "gateway: block 2 is before block 3: name the first block first\n"
