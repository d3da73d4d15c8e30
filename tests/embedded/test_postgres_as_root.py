"""The embedded PostgreSQL where root starts it: as whom it runs, and what of root's folders it may read.

Collected for root alone (conftest.py): nobody else can be somebody else.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.embedded import postgres
from gateway.errors import Misconfigured

from .conftest import ask, everything, gone, only_postgres, status


@pytest.fixture
def open_binaries(monkeypatch) -> Iterator[None]:
    """PostgreSQL's binaries where everybody may read them, wherever the checkout lies."""
    folder = Path(tempfile.mkdtemp(prefix="gateway-test-"))
    folder.chmod(0o755)
    package = postgres.binaries().parents[1]
    for name in (package.name, f"{package.name}.libs"):  # the binaries look for their libraries there
        shutil.copytree(package.with_name(name), folder / name, symlinks=True)
    monkeypatch.syspath_prepend(folder)
    assert postgres.binaries().is_relative_to(folder)
    yield
    shutil.rmtree(folder)


def test_under_root_it_runs_as_a_user_of_its_own_without_rights(home, open_binaries):
    async def rights() -> None:
        async with only_postgres(home) as parts:
            found = status(parts.postgres.pid)
            assert found["Uid"].split() == ["61042"] * 4
            assert found["CapEff"] == found["CapBnd"] == "0" * 16

    asyncio.run(rights())


def test_below_a_folder_that_is_closed_to_others_it_may_read_and_pass_no_more(home):
    async def rights() -> None:
        home.parent.chmod(0o700)
        async with only_postgres(home) as parts:
            assert await ask(parts.dsn, "SELECT 1") == 1
            found = status(parts.postgres.pid)
            assert found["Uid"].split() == ["61042"] * 4
            assert int(found["CapEff"], 16) == 1 << 2  # CAP_DAC_READ_SEARCH, capabilities(7)

    asyncio.run(rights())


@pytest.mark.parametrize("mode", [0o755, 0o700], ids=["open", "closed"])
def test_it_ends_with_root_who_started_it_though_it_runs_as_another_user(run, home, mode):
    home.parent.chmod(mode)
    one = run(home)
    one.wait_for("ready")
    processes = everything(one)
    assert status(one.children()["postgres"].pid)["Uid"].split() == ["61042"] * 4

    one.kill()

    assert all(gone(process) for process in processes)


def test_it_starts_where_only_a_user_namespace_is_left(home, monkeypatch):
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, **options: None if name == "setpriv" else which(name, **options))

    async def namespace() -> None:
        async with only_postgres(home) as parts:
            assert await ask(parts.dsn, "SELECT 1") == 1

    asyncio.run(namespace())


def test_where_it_cannot_run_one_sentence_says_what_to_do(home, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name, **options: None)

    async def nowhere() -> None:
        with pytest.raises(Misconfigured, match="start as an ordinary user"):
            async with only_postgres(home):
                pass

    asyncio.run(nowhere())


@pytest.mark.parametrize("uid", [65_534, 61_043], ids=["with a name", "without a name"])
def test_an_ordinary_user_runs_it_directly(run, home, uid, open_binaries):
    home.mkdir()
    os.chown(home, uid, uid)
    # The right to read is for this interpreter alone, which may lie in root's home.
    read = "-all,+dac_read_search"
    ordinary = (f"--reuid={uid}", f"--regid={uid}", "--clear-groups", f"--inh-caps={read}", f"--ambient-caps={read}")

    one = run(home, prefix=("setpriv", *ordinary))
    one.wait_for("ready")

    assert status(one.children()["postgres"].pid)["Uid"].split() == [str(uid)] * 4
    assert one.end() == 0
