"""The client as it is installed: with its own dependencies, in the versions of the lock, and with nothing else."""

import asyncio
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
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
        *(
            "gateway.notifications",
            "gateway.outbound",
            "gateway.payments",
            "gateway.retry_after_header",
            "gateway.webhooks",
        ),
    ]


def test_the_command_says_which_extra_it_needs(python: Path) -> None:
    ran = subprocess.run([python, "-P", "-m", "gateway", "balance"], capture_output=True, text=True)
    assert ran.returncode == 1
    assert ran.stderr == ("gateway: this command needs more than the client: install wallet-gateway[server]\n")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `pip wheel .` makes of a copy of what is in a checkout, without asking a registry."""
    source, made = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT / "gateway", source / "gateway", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    pip("wheel", source, "--no-deps", "--no-build-isolation", "--wheel-dir", made)
    (built,) = made.iterdir()
    assert built.name == f"wallet_gateway-{gateway.__version__}-py3-none-any.whl"
    return built


def pip(*argv: str | Path, python: Path | None = None) -> str:
    """Runs pip for a Python, that of the tests by default, which asks no registry. Returns what it printed."""
    of = ("--python", str(python)) if python else ()
    settings = alone() | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    ran = subprocess.run([sys.executable, "-m", "pip", *of, *argv], capture_output=True, text=True, env=settings)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def alone() -> dict[str, str]:
    """The environment of a program that finds nothing in the checkout."""
    return environ() | {"PYTHONPATH": ""}


def installed(folder: Path, wheel: Path, option: str) -> Path:
    """The Python of a fresh virtual environment with the wheel, and what the lock has for it."""
    python = made(folder, option)
    Path(sysconfig.get_path("purelib", vars={"base": str(folder)}), "gateway.pth").unlink()
    pip("install", "--no-deps", "--no-compile", wheel, python=python)
    return python


def test_an_installed_wheel_is_the_client_alone(wheel: Path, tmp_path: Path) -> None:
    python = installed(tmp_path / "client", wheel, "--client")

    def ran(*argv: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*argv], cwd=tmp_path, capture_output=True, text=True, env=alone())

    guide = "\n".join(line for line in GUIDE.read_text().splitlines() if re.match(r"(from|import) gateway", line))
    imported = ran(python, "-P", "-c", f"{guide}\nimport gateway; print(gateway.__file__)")
    assert imported.stdout.strip() == str(site_of(python) / "gateway" / "__init__.py"), imported.stderr
    assert guide.count("gateway.client") > 0
    assert "No broken requirements" in pip("check", python=python)
    assert "install wallet-gateway[server]" in ran(python.with_name("gateway"), "balance").stderr


def test_the_server_extra_runs_a_gateway_without_what_only_traces_need(wheel: Path, tmp_path: Path) -> None:
    python = installed(tmp_path / "server", wheel, "--server")
    code = (
        "import importlib.util, sys\n"
        "from gateway.cli.operate import operations\n"
        "from gateway.cli.processes import serve, work\n"
        "from gateway.__main__ import main\n"
        "print(main.__globals__['__file__'])\n"
        "print(importlib.util.find_spec('opentelemetry'), importlib.util.find_spec('pytest'))\n"
        "sys.argv = ['gateway', 'config', 'check']\n"
        "main()\n"
    )

    def ran(*argv: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*argv], cwd=tmp_path, env=alone(), capture_output=True, text=True)

    checked = ran(python, "-P", "-c", code)
    version = ran(python.with_name("gateway"), "--version")

    assert "Collecting" not in pip("install", "--dry-run", f"{wheel}[server]", python=python), "all is there"
    assert version.stdout.strip() == gateway.__version__, version.stderr
    assert checked.stdout.startswith(f"{site_of(python) / 'gateway' / '__main__.py'}\nNone None\n"), checked.stderr
    assert checked.returncode == 0, checked.stderr


def site_of(python: Path) -> Path:
    return Path(sysconfig.get_path("purelib", vars={"base": str(python.parents[1])}))


@pytest.fixture(scope="module")
def packed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is in the wheel."""
    folder = tmp_path_factory.mktemp("packed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_a_wheel_has_every_file_of_the_package(packed: Path) -> None:
    every = {file for file in (ROOT / "gateway").rglob("*") if file.is_file() and "__pycache__" not in file.parts}
    ours = {file.relative_to(ROOT) for file in every if "node_modules" not in file.parts}
    names = ("htmx.min.js", "hx-csp.min.js", "hx-sse.min.js")
    htmx = {file.relative_to(ROOT) for file in every if file.name in names}
    assert len(htmx) == len(names), "what npm has installed and the pages are served with"
    has = {file.relative_to(packed) for file in (packed / "gateway").rglob("*") if file.is_file()}
    assert has - htmx == ours
    assert has >= htmx


def test_what_is_in_a_wheel_is_found_from_there(packed: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from gateway.__main__ import main\n"
        "from gateway.web.content import has_live_parts, static\n"
        "assert has_live_parts() and static('style.css') and static('texts.th.js')\n"
        "print(main.__globals__['__file__'], flush=True)\n"
        "sys.argv = ['gateway', 'config', 'check']\n"
        "main()\n"
    )
    settings = environ() | {"PYTHONPATH": str(packed)}
    ran = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, env=settings, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[0] == str(packed / "gateway" / "__main__.py")


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
