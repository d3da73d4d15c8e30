"""scripts/deploy/compose.yaml: it is valid, every service is held to the same rules, and its commands do what it says.

The commands of its services are run here in the order of `depends_on`, by this checkout's Python: what an engine adds
is names of hosts and mounts, which are replaced.
"""

import asyncio
import json
import os
import secrets
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.cli.operate.configuration import check
from gateway.cli.processes.ports import free_port
from gateway.config.settings import SETTINGS
from gateway.embedded.postgres import Postgres
from tests.anvils import running_anvil, started_anvil
from tests.databases import fresh_database
from tests.deploy.containerfile import DEPLOY, is_ignored, read
from tests.journeys.test_database_comes_and_goes import answering, line_with, running
from tests.processes import HANG_SECONDS
from tests.running import ROOT, environ
from tests.servers import by_tcp

pytestmark = pytest.mark.anyio

FILE = DEPLOY / "compose.yaml"
CHECKS = ROOT / ".venv" / "checks" / "bin"

#: Our own image's, and what takes part in it.
OURS = ("gateway", "worker", "migrate", "fund", "deploy")


def read_yaml(path: Path) -> Any:
    """By the checks' own Python, which has a reader of YAML."""
    program = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))"
    return json.loads(subprocess.run([CHECKS / "python", "-c", program, path], capture_output=True, check=True).stdout)


COMPOSE = read_yaml(FILE)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_it_is_valid_by_the_schema_of_the_compose_specification() -> None:
    argv = [CHECKS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", FILE]
    ran = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


def test_there_is_a_gateway_a_worker_a_database_and_a_chain() -> None:
    assert set(SERVICES) == {*OURS, "database", "chain"}
    stages = {stage.name for stage in read((DEPLOY / "Containerfile").read_text())[1]}
    assert {service["build"]["target"] for service in SERVICES.values() if "build" in service} <= stages
    others = [service["image"] for service in SERVICES.values() if "build" not in service]
    assert others == ["postgres:17.6-bookworm"], "pinned to a release"


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_can_gain_rights_and_none_of_ours_can_write_but_into_its_volume(name: str) -> None:
    service = SERVICES[name]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    if name != "database":
        assert (service["read_only"], service["cap_drop"], service["tmpfs"]) == (True, ["ALL"], ["/tmp"])
    assert service.get("volumes", []) in ([], ["state:/var/lib/gateway"], ["database:/var/lib/postgresql/data"])


def test_only_the_gateway_has_a_port_and_only_on_this_machine() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports == {"gateway": ["127.0.0.1:8000:8000"]}


def test_who_sends_to_the_chain_has_the_relayers_key_and_nobody_else() -> None:
    having = {name for name, service in SERVICES.items() if "relayer.key" in service.get("secrets", [])}
    assert having == {"worker", "fund", "deploy"}
    assert {name for name in OURS if "GATEWAY_RELAYER_KEY_FILE" in SERVICES[name]["environment"]} == having


def test_no_secret_is_written_into_it() -> None:
    mounted = {f"/run/secrets/{name}" for name in COMPOSE["secrets"]}
    assert {secret["file"].split("/")[0] for secret in COMPOSE["secrets"].values()} == {"secrets.d"}
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            assert not name.endswith(("PASSWORD", "SECRET", "KEY")), name
            assert not name.endswith("_FILE") or value in mounted


@pytest.mark.parametrize("name", OURS)
def test_every_setting_is_one_and_fits(name: str, tmp_path: Path) -> None:
    make_secrets(tmp_path)
    settings = {
        setting: value.replace("/run/secrets", str(tmp_path))
        for setting, value in SERVICES[name]["environment"].items()
    }
    assert check(settings | {"GATEWAY_HOME": str(tmp_path)}).faults == []


def test_a_process_has_the_time_that_its_settings_give_it_to_stop() -> None:
    defaults = {name: default for name, default, _ in SETTINGS}
    given = sum(float(defaults[name]) for name in ("GATEWAY_DRAIN_SECONDS", "GATEWAY_STOP_SECONDS"))
    for name in ("gateway", "worker"):
        assert SERVICES[name]["stop_grace_period"] == "30s"
        assert given + 15 <= 30


# ---- what its services do -------------------------------------------------------------------------------------------


def in_order() -> list[str]:
    """The services, each behind those that it depends on."""
    found: list[str] = []

    def add(name: str) -> None:
        for one in SERVICES[name].get("depends_on", {}):
            add(one)
        if name not in found:
            found.append(name)

    for name in SERVICES:
        add(name)
    return found


async def ended(name: str, settings: dict[str, str]) -> str:
    """A service that ends by itself, with 0; what it printed."""
    argv = ["-P", "-m", "gateway", *SERVICES[name].get("command", [])]
    if "entrypoint" in SERVICES[name]:
        mounted = {config["target"]: COMPOSE["configs"][config["source"]] for config in SERVICES[name]["configs"]}
        argv = [
            str(DEPLOY / mounted[word]["file"]) if word in mounted else word for word in SERVICES[name]["entrypoint"]
        ]
        argv = argv[1:]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *argv),
        env=environ() | settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, said = await asyncio.wait_for(process.communicate(), 2 * HANG_SECONDS)
    assert process.returncode == 0, said.decode()
    return out.decode()


@asynccontextmanager
async def started(name: str, settings: dict[str, str], first: str) -> AsyncIterator[None]:
    (command,) = SERVICES[name]["command"]
    async with running(command, settings) as process:
        await line_with(process.stdout, first, [])
        yield
        process.terminate()
        assert await process.wait() == 0


async def test_its_commands_in_their_order_make_a_gateway_that_pays_on_both_rails(
    server: Postgres, tmp_path: Path
) -> None:
    make_secrets(tmp_path / "secrets")
    made = tmp_path / "secrets"
    password = (made / "database_password").read_text().strip()
    chain = [word for word in SERVICES["chain"]["command"] if not word.startswith("--block-time")]
    port = str(free_port("127.0.0.1"))
    assert in_order().index("fund") < in_order().index("deploy") < in_order().index("worker")

    async with fresh_database(server.dsn) as dsn, by_tcp(dsn) as url:
        with running_anvil(tmp_path / "chain", *chain[:1], mining="--block-time=0.2") as node:
            replaced = {
                "http://chain:8545": node.url,
                "/run/secrets": str(made),
            }
            in_container = (made / "database_url").read_text().strip()
            assert in_container == f"postgresql://gateway:{password}@database/gateway"
            (made / "database_url").unlink()  # its owner may only read it
            (made / "database_url").write_text(url.replace("@", f":{password}@"))

            def settings(name: str) -> dict[str, str]:
                found = dict(SERVICES[name]["environment"]) | {"GATEWAY_HOME": str(tmp_path), "GATEWAY_PORT": port}
                for there, here in replaced.items():
                    found = {key: value.replace(there, here) for key, value in found.items()}
                return found

            for name in (name for name in in_order() if SERVICES[name]["restart"] == "no" and name != "chain"):
                printed = await ended(name, settings(name))
            assert printed.startswith("USDX is at 0x"), "the last is `deploy`"
            async with (
                started("gateway", settings("gateway"), "serving on"),
                started("worker", settings("worker"), "working"),
                httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=HANG_SECONDS) as client,
            ):
                await answering(client)
                await pay_on_both_rails(client)


def test_the_chain_that_is_copied_into_its_image_takes_the_options_that_it_is_given(tmp_path: Path) -> None:
    (stage,) = (stage for stage in read((DEPLOY / "Containerfile").read_text())[1] if stage.name == "chain")
    (copied,) = (one.words[1] for one in stage.instructions if one.keyword == "COPY")
    (binary,) = (ROOT / "contracts").glob(copied.removeprefix("/build/"))
    options = [*stage.last("ENTRYPOINT").words[1:], *SERVICES["chain"]["command"]]

    with started_anvil(tmp_path, [binary, *options, "--port", "0"]) as chain:
        assert int(chain.rpc("eth_chainId"), 16) == 31337
        chain.rpc("anvil_setBalance", "0x" + "11" * 20, "0x1")


async def pay_on_both_rails(client: httpx.AsyncClient) -> None:
    alice = (await client.post("/v1/handles", json={"handle": "alice"})).json()["api_key"]
    await client.post("/v1/handles", json={"handle": "bob"})

    async def call(path: str, **body: str) -> Any:
        headers = {"Authorization": f"Bearer {alice}", "Idempotency-Key": secrets.token_hex(8)}
        answer = await client.request("POST" if body else "GET", path, json=body or None, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    await call("/v1/deposits", amount="10.00", asset="USD")
    assert (await call("/v1/payments", to="@bob", amount="1.00", asset="USD"))["state"] == "settled"
    bought = await call("/v1/conversions", amount="5.00", asset="USD", to_asset="USDX")
    async with asyncio.timeout(HANG_SECONDS):
        while (await call(f"/v1/conversions/{bought['id']}"))["state"] != "settled":
            pass  # blocks come by themselves
        paid = await call("/v1/payments", to="@bob", amount="2.00", asset="USDX")
        while (await call(f"/v1/payments/{paid['id']}"))["state"] != "settled":
            pass


# ---- its secrets ----------------------------------------------------------------------------------------------------


def make_secrets(folder: Path) -> str:
    """What the script says."""
    return subprocess.run([DEPLOY / "secrets", folder], capture_output=True, text=True, check=True).stderr


def test_each_secret_is_made_once_and_is_its_readers_alone(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    said = make_secrets(folder)
    first = {path.name: path.read_text() for path in folder.iterdir()}
    (folder / "relayer.key").unlink()
    make_secrets(folder)
    second = {path.name: path.read_text() for path in folder.iterdir()}

    files = {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()}
    assert set(first) == files
    assert {stat.S_IMODE((folder / name).stat().st_mode) for name in files} == {0o400}
    assert first["database_url"] == f"postgresql://gateway:{first['database_password'].strip()}@database/gateway\n"
    assert {name for name in files if first[name] != second[name]} == {"relayer.key"}
    if os.getuid() == 0:
        owners = {name: (folder / name).stat().st_uid for name in files}
        assert owners == {"database_url": 10001, "relayer.key": 10001, "database_password": 999}
    else:
        assert "podman unshare chown 10001:10001" in said


def test_help_of_the_script_says_what_it_does_and_makes_nothing(tmp_path: Path) -> None:
    said = subprocess.run([DEPLOY / "secrets", "--help"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout.startswith("Makes the secrets that compose.yaml mounts")
    assert list(tmp_path.iterdir()) == []


def test_the_secrets_are_in_no_commit_and_in_no_image() -> None:
    ignored = subprocess.run(["git", "check-ignore", "scripts/deploy/secrets.d/database_url"], cwd=ROOT, check=False)
    assert ignored.returncode == 0
    patterns = [line for line in (DEPLOY / "Containerfile.dockerignore").read_text().splitlines() if line[:1] != "#"]
    assert is_ignored("scripts/deploy/secrets.d/database_url", patterns)
