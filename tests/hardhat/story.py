"""The whole story on Hardhat's node instead of anvil: deployed, bought, paid, settled, and nothing differs.

Run by scripts/hardhat, which installs Hardhat; that is 290 MB, so scripts/test goes without.
"""

import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from eth_account import Account

from gateway.cli.processes.ports import free_port
from tests.processes import HANG_SECONDS, start
from tests.running import running_up

HERE = Path(__file__).parent

#: What hardhat's program says when it listens.
_LISTENS = "Started HTTP and WebSocket JSON-RPC server"


@pytest.fixture
def hardhat(tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh Hardhat node, which makes a block for each transaction."""
    port = free_port("127.0.0.1")
    program = HERE / "node_modules" / "hardhat" / "internal" / "cli" / "bootstrap.js"
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "HARDHAT_DISABLE_TELEMETRY_PROMPT": "true"}
    with (
        (tmp_path / "node.log").open("w") as log,
        start(
            ["node", program, "node", "--hostname", "127.0.0.1", "--port", str(port)],
            cwd=HERE,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        assert any(_LISTENS in line for line in iter(process.stdout.readline, "")), (tmp_path / "node.log").read_text()
        log_on = start(["cat"], stdin=process.stdout, stdout=log)  # it would stop once the pipe is full
        yield f"http://127.0.0.1:{port}"
        process.terminate()
        process.wait(HANG_SECONDS)
        log_on.wait(HANG_SECONDS)


def test_the_story_goes_on_hardhat_as_on_anvil(hardhat: str, tmp_path: Path) -> None:
    relayer = tmp_path / "relayer.key"
    relayer.touch(mode=0o600)
    relayer.write_text(secrets.token_hex(32))
    funded = [Account.from_key(relayer.read_text()).address, hex(100 * 10**18)]
    asked = {"jsonrpc": "2.0", "id": 1, "method": "hardhat_setBalance", "params": funded}
    assert httpx.post(hardhat, json=asked).json()["result"] is True

    with running_up(GATEWAY_RPC_URL=hardhat, GATEWAY_RELAYER_KEY_FILE=str(relayer)) as up:
        made = [up.gateway("handle", "create", one) for one in ("alice", "bob")]
        deposited = up.gateway("deposit", "50.00", "USD", "--to", "@alice")
        bought = up.gateway("convert", "20.00", "USD", "USDX", "--from", "@alice")
        paid = up.gateway("pay", "@bob", "5.00", "USDX", "--from", "@alice")
        redeemed = up.gateway("convert", "2.00", "USDX", "USD", "--from", "@bob")
        reconciled = up.gateway("reconcile", GATEWAY_RPC_URL=hardhat)

        for ran in (*made, deposited, bought, paid, redeemed):
            assert ran.returncode == 0, ran.stderr
        for ran in (bought, paid, redeemed):
            assert "settled" in ran.stdout
        assert (up.available("alice", "USDX"), up.available("bob", "USDX")) == ("15.000000", "3.000000")
        assert reconciled.returncode == 0, reconciled.stdout + reconciled.stderr
        assert reconciled.stdout.endswith("\nno difference\n")
