"""The client as it is installed: with its own dependencies, in the versions of the lock, and with nothing else."""

import asyncio
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Collection
from importlib.metadata import distribution
from pathlib import Path

import pytest

import gateway
from tests.api.conftest import Api
from tests.api.test_stream import Gateway
from tests.processes import HANG_SECONDS
from tests.running import ROOT, environ

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

GUIDE = ROOT / "gateway" / "docs" / "guides" / "python-client.md"

#: All that the client takes along.
NAMES = {"anyio", "certifi", "h11", "httpcore", "httpx", "idna", "iso4217", "msgspec", "typing-extensions"}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the client alone."""
    return made(tmp_path_factory.mktemp("client"), "--client", NAMES)


def made(folder: Path, option: str, names: Collection[str] | None = None) -> Path:
    """The Python of a fresh virtual environment. What the lock names for it is copied from the environment of the
    tests, which is made by that lock; so no registry is asked.
    """
    argv = [sys.executable, ROOT / "scripts" / "deploy" / "runtime_lock.py", ROOT / "pyproject.toml"]
    lock = subprocess.run([*argv, ROOT / "requirements.lock", option], capture_output=True, text=True, check=True)
    locked = dict(re.findall(r"^([a-z0-9-]+)(?:\[.*\])?==(\S+)", lock.stdout, re.MULTILINE))
    assert names is None or locked.keys() == names
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    for name, version in locked.items():
        installed = distribution(name)
        assert re.sub(r"\b0+(?=\d)", "", installed.version) == version  # 2.002 is 2.2 (PEP 440)
        for file in installed.files or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.locate(), site / file)
    (site / "gateway.pth").write_text(f"{ROOT}\n")
    return folder / "bin" / "python"


def test_nothing_of_the_server_is_imported(python: Path) -> None:
    code = (
        "import sys, gateway.client; of = {name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names; "
        "print(*sorted(name for name in of if not name.startswith('_'))); "
        "print(*sorted(name for name in sys.modules if name.startswith('gateway.') and name.count('.') == 1))"
    )
    ran = subprocess.run([python, "-P", "-c", code], capture_output=True, text=True, check=True)
    packages, rooms = ran.stdout.splitlines()
    assert set(packages.split()) - {"gateway"} <= {name.replace("-", "_") for name in NAMES} | {"sitecustomize"}
    assert rooms.split() == [
        *("gateway.api", "gateway.client", "gateway.errors", "gateway.http", "gateway.identity", "gateway.money"),
        *("gateway.notifications", "gateway.outbound", "gateway.payments", "gateway.retry_after", "gateway.webhooks"),
    ]


def test_the_command_says_which_extra_it_needs(python: Path) -> None:
    ran = subprocess.run([python, "-P", "-m", "gateway", "balance"], capture_output=True, text=True)
    assert ran.returncode == 1
    assert ran.stderr == ("gateway: this command needs more than the client: install wallet-gateway[server]\n")


def test_the_server_extra_runs_a_gateway_without_what_only_traces_need(tmp_path: Path) -> None:
    python = made(tmp_path / "server", "--server")
    code = (
        "import importlib.util, sys\n"
        "from gateway.cli.operate import operations\n"
        "from gateway.cli.processes import serve, work\n"
        "from gateway.__main__ import main\n"
        "print(importlib.util.find_spec('opentelemetry'), importlib.util.find_spec('pytest'))\n"
        "sys.argv = ['gateway', 'config', 'check']\n"
        "main()\n"
    )
    ran = subprocess.run([python, "-P", "-c", code], cwd=tmp_path, env=environ(), capture_output=True, text=True)
    assert ran.stdout.startswith("None None\n"), ran.stderr
    assert ran.returncode == 0, ran.stderr


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a wheel is built of."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT / "gateway", folder / "gateway", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def setuptools(source: Path, *command: str) -> None:
    """Has setuptools do it there."""
    argv = [sys.executable, "-W", "ignore", "-c", "import setuptools; setuptools.setup()", "--quiet", *command]
    subprocess.run(argv, cwd=source, check=True, capture_output=True, env=environ() | {"PYTHONPATH": ""})


@pytest.fixture(scope="module")
def wheel(source: Path) -> Path:
    """What a wheel has, as setuptools puts it together."""
    setuptools(source, "build_py", "--build-lib", "packed")
    return source / "packed"


def test_what_is_installed_has_the_client_and_the_command_that_needs_the_server_extra(
    source: Path, tmp_path: Path
) -> None:
    """Installed by setuptools itself, as pip installs a wheel: package, metadata and the script of the command."""
    python = made(tmp_path / "installed", "--client", NAMES)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(tmp_path / "installed")}))
    (site / "gateway.pth").unlink()
    setuptools(
        source, "install", "--root", "/", "--prefix", str(python.parents[1]), "--single-version-externally-managed"
    )

    def ran(by: str | Path, *argv: str | Path, path: str = "") -> subprocess.CompletedProcess[str]:
        alone = environ() | {"PYTHONPATH": path}
        return subprocess.run([by, "-P", *argv], cwd=tmp_path, capture_output=True, text=True, env=alone)

    imported = ran(python, "-c", "import gateway.client; print(gateway.client.__file__)")
    assert imported.stdout.strip() == str(site / "gateway" / "client" / "__init__.py"), imported.stderr
    command = python.with_name("gateway")
    assert "install wallet-gateway[server]" in ran(python, command, "--version").stderr
    with_server = ran(sys.executable, command, "--version", path=str(site))
    assert with_server.stdout.strip() == gateway.__version__, with_server.stderr


def test_a_wheel_has_every_file_of_the_package(wheel: Path) -> None:
    every = {file for file in (ROOT / "gateway").rglob("*") if file.is_file() and "__pycache__" not in file.parts}
    ours = {file.relative_to(ROOT) for file in every if "node_modules" not in file.parts}
    names = ("htmx.min.js", "hx-csp.min.js", "hx-sse.min.js")
    htmx = {file.relative_to(ROOT) for file in every if file.name in names}
    assert len(htmx) == len(names), "what npm has installed and the pages are served with"
    packed = {file.relative_to(wheel) for file in (wheel / "gateway").rglob("*") if file.is_file()}
    assert packed - htmx == ours
    assert packed >= htmx


def test_what_is_in_a_wheel_is_found_from_there(wheel: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from gateway.__main__ import main\n"
        "from gateway.web.content import has_live_parts, static\n"
        "assert has_live_parts() and static('style.css') and static('texts.th.js')\n"
        "print(main.__globals__['__file__'], flush=True)\n"
        "sys.argv = ['gateway', 'config', 'check']\n"
        "main()\n"
    )
    settings = environ() | {"PYTHONPATH": str(wheel)}
    ran = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, env=settings, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[0] == str(wheel / "gateway" / "__main__.py")


async def test_the_guide_does_what_it_shows(python: Path, gateway: Gateway, api: Api, tmp_path: Path) -> None:
    alice = await api.person("alice", "500.00 EUR")
    for handle in ("bob", "shop"):
        await api.person(handle)
    keys = tmp_path / ".gateway" / "keys"
    keys.mkdir(parents=True)
    (keys / "alice").write_text(alice.api_key + "\n")
    text = GUIDE.read_text()
    told = re.findall(r"^```python\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", text, re.DOTALL | re.MULTILINE)
    *blocks, (stream, _) = told
    assert len(blocks) == 3

    printed = await run(python, "".join(code for code, _ in blocks), gateway, tmp_path)
    assert printed == "".join(shown for _, shown in blocks).replace("…\n", "")

    (event, *_) = (await alice.get("/v1/events")).json()["items"]
    values = f"api_key, last_seen = {alice.api_key!r}, {event['id']!r}\n"
    printed = await run(python, values + stream + "        break\n", gateway, tmp_path)
    assert re.fullmatch(r"evt_\w+ deposit\.settled\n", printed)


async def run(python: Path, code: str, gateway: Gateway, folder: Path) -> str:
    code = code.replace("http://127.0.0.1:8000", gateway.url)
    pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}
    process = await asyncio.create_subprocess_exec(python, "-P", "-c", code, cwd=folder, **pipes)
    out, said = await asyncio.wait_for(process.communicate(), HANG_SECONDS)
    assert process.returncode == 0, said.decode()
    return out.decode()
