"""The guide's receivers, in Python and in JavaScript, verify what a worker sends, and nothing that was altered."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from gateway.embedded.ports import free_port
from tests.api.conftest import Person
from tests.clients.tools import HERE
from tests.processes import HANG_SECONDS, start
from tests.running import ROOT
from tests.webhooks.conftest import Workers, hook
from tests.webhooks.conftest import alice as alice
from tests.webhooks.conftest import api as api
from tests.webhooks.conftest import bob as bob
from tests.webhooks.conftest import other as other
from tests.webhooks.conftest import workers as workers
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.anyio

GUIDE = (ROOT / "gateway" / "docs" / "guides" / "webhooks.md").read_text(encoding="utf-8")

PROGRAMS: dict[str, list[str]] = {
    "python": [sys.executable, "-c"],
    "js": ["node", "--input-type=module", "-e"],
}


def snippet(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
    return str(found)


@pytest.mark.parametrize("language", PROGRAMS)
async def test_the_guides_receiver_verifies_what_is_sent_and_refuses_what_was_altered(
    language: str, workers: Workers, other: Receiver, alice: Person, bob: Person, tmp_path: Path
) -> None:
    port = free_port()
    made = await hook(bob, f"http://127.0.0.1:{port}/", "payment.settled")
    twin = await hook(bob, other.url, "payment.settled")
    environ = os.environ | {"WEBHOOK_SECRET": made["secret"], "PORT": str(port)}
    said = tmp_path / "said"
    with said.open("wb") as file:
        program = start(
            [*PROGRAMS[language], snippet(language)], cwd=HERE, env=environ, stdout=file, stderr=subprocess.DEVNULL
        )
    try:
        await listens(port)
        payment = (await alice.pay("@bob", "2.00 EUR", memo="café ☕")).json()["id"]
        await workers.deliver()
        (event,) = (await bob.get("/v1/events?type=payment.settled")).json()["items"]
        (delivery,) = (await bob.get(f"/v1/webhooks/{made['id']}/deliveries")).json()["items"]
        assert [one["status"] for one in delivery["attempts"]] == [204]
        assert said.read_text().split() == [event["id"], "payment.settled", payment]

        (forged,) = other.received  # signed with the secret of another endpoint
        assert twin["secret"] != made["secret"]
        async with httpx.AsyncClient() as client:
            answer = await client.post(f"http://127.0.0.1:{port}/", content=forged.body, headers=signed(forged.headers))
        assert answer.status_code == 400
        assert len(said.read_text().splitlines()) == 1
    finally:
        program.terminate()
        program.wait(HANG_SECONDS)


def signed(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith("webhook-")}


async def listens(port: int) -> None:
    async with asyncio.timeout(HANG_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)  # another process comes up, and tells nobody
            else:
                writer.close()
                return
