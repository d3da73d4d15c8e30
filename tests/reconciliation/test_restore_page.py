"""The page about restoring does what it says."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.embedded.postgres import binaries
from gateway.worker import jobs
from tests.factory import Town
from tests.processes import HANG_SECONDS, start
from tests.reconciliation.restored import MASTER, ROOT, Copies, Gateway, convert, with_tokens

pytestmark = pytest.mark.anyio


async def test_the_page_about_restoring_does_what_it_says(
    before: Gateway, copies: Copies, database_url: str, tmp_path: Path
) -> None:
    """Every `sh` block of gateway/docs/operate/{backup,restore}.md, in order, with what happens between them."""
    backup, restore, look, confirm, give_back, reconcile, correct = blocks()
    home, url = Home(tmp_path / "home"), await copies.create()
    environment = {
        "GATEWAY_HOME": str(home.path),
        "GATEWAY_RPC_URL": before.town.chain.url,
        "HOME": str(tmp_path),
        "BACKUP": str(home.make("backup")),
        "KEYS": str(home.make("keys")),
        "RESTORED_DATABASE_URL": url,
        "PATH": f"{binaries()}:{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    alice = await with_tokens(before, "alice", "100.00 USD", "50.00 USD")
    await shell(backup, environment | {"GATEWAY_DATABASE_URL": database_url})
    carol = await before.api.person("carol")
    assert (await alice.pay("@carol", "5.00 USDX", "lost")).status_code == 202
    assert (await convert(alice, "25.00 USD", "USDX", "mint")).status_code == 202
    await before.town.settle()
    home.lose_keys()

    await shell(restore, environment | {"GATEWAY_DATABASE_URL": database_url})
    environment["GATEWAY_DATABASE_URL"] = url
    assert (await asyncio.to_thread(served_once, environment))["recovery"].startswith("in recovery since ")
    after = await copies.open(url, before.town)
    await after.watch()
    await jobs.recover.run(after.town.worker())

    assert "5.000000 USDX" in (shown := await shell(look, environment))
    assert carol.address in shown
    assert "token payments and claims go on" in await shell(confirm, environment)
    assert carol.address in await shell(give_back, environment)
    assert "reserve:USD" in await shell(reconcile, environment)
    assert "the mint in block 12 was lost" in (last := await shell(correct, environment))
    assert last.rstrip().endswith("no difference")


def blocks() -> list[str]:
    pages = Path(__file__).parents[2] / "gateway" / "docs" / "operate"
    text = "".join((pages / name).read_text() for name in ("backup.md", "restore.md"))
    found: list[str] = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return found


@dataclass
class Home:
    """A gateway's folder with its keys, those of the tests' vault."""

    path: Path

    def __post_init__(self) -> None:
        self.path.mkdir()
        for name, key in (("master", MASTER), ("root", ROOT)):
            (self.path / f"{name}.key").write_text(key.hex())
            (self.path / f"{name}.key").chmod(0o600)

    def make(self, name: str) -> Path:
        (self.path / name).mkdir()
        return self.path / name

    def lose_keys(self) -> None:
        for name in ("master", "root"):
            (self.path / f"{name}.key").unlink()


def served_once(environment: Mapping[str, str]) -> dict[str, Any]:
    """What `gateway serve` says of itself once it serves."""
    settings = {"GATEWAY_PORT": "0", "GATEWAY_FINALITY": str(Town.FINALITY)}
    serve = [sys.executable, "-P", "-m", "gateway", "serve"]
    with start(serve, env={**environment, **settings}, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().rpartition(" ")[2].strip()
            ready: dict[str, Any] = httpx.get(f"{url}/health/ready", trust_env=False, timeout=HANG_SECONDS).json()
            return ready
        finally:
            process.terminate()


async def shell(script: str, environment: Mapping[str, str]) -> str:
    """What the commands print. Each has to succeed."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", script),
        env=dict(environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, said = await process.communicate()
    assert process.returncode == 0, f"{script}\n{out.decode()}\n{said.decode()}"
    return out.decode()
