"""scripts/deploy: the systemd units, checked by systemd-analyze, and that their settings fit what the gateway reads."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.cli.operate.configuration import check
from gateway.config.settings import SETTINGS
from tests.deploy.containerfile import DEPLOY

UNIT = "gateway@.service"
INSTANCES = ("serve", "work", "migrate", "deploy", "doctor")

#: What `systemd-analyze security` may say at most, in tenths: 0 is a service that can do nothing, 100 all.
EXPOSURE_MAX = 15


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """A folder of units, whose program is one that is there."""
    for path in DEPLOY.glob("gateway@*"):
        (shutil.copytree if path.is_dir() else shutil.copy)(path, tmp_path / path.name)
    text = (tmp_path / UNIT).read_text()
    (tmp_path / UNIT).write_text(text.replace("/opt/gateway/.venv/bin/gateway", "/bin/true"))
    return tmp_path


def analyze(units: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    argv = ["systemd-analyze", "--no-pager", *words]
    environ = os.environ | {"SYSTEMD_UNIT_PATH": f"{units}:"}
    return subprocess.run(argv, env=environ, cwd=units, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("instance", INSTANCES)
def test_systemd_takes_each_unit_without_a_word(units: Path, instance: str) -> None:
    verified = analyze(units, "verify", f"gateway@{instance}.service")
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")


@pytest.mark.parametrize("wrong", ["ProtectSytem=strict", "ProtectSystem=stricter"])
def test_what_systemd_would_pass_over_is_told(units: Path, wrong: str) -> None:
    text = (units / UNIT).read_text()
    (units / UNIT).write_text(text.replace("ProtectSystem=strict", wrong))
    assert analyze(units, "verify", "gateway@serve.service").stderr


def test_little_of_the_machine_is_exposed(units: Path) -> None:
    found = analyze(units, "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", str(units / UNIT))
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize(
    "line",
    [
        "ProtectSystem=strict",
        "NoNewPrivileges=yes",
        "DynamicUser=yes",
        "CapabilityBoundingSet=",
        "PrivateTmp=yes",
        "UMask=0077",
    ],
)
def test_what_hardens_it_is_there(line: str) -> None:
    assert line in (DEPLOY / UNIT).read_text().splitlines()


def environment(instance: str, folder: Path) -> tuple[dict[str, str], set[str]]:
    """The settings of a unit, its credentials in the folder, and the files that these come from."""
    files = [DEPLOY / UNIT, *sorted((DEPLOY / f"gateway@{instance}.service.d").glob("*.conf"))]
    text = "\n".join(file.read_text() for file in files)
    pairs = [word for line in re.findall(r"^Environment=(.*)$", text, re.MULTILINE) for word in line.split()]
    settings = dict(pair.replace("%d", str(folder)).replace("%S", str(folder)).split("=", 1) for pair in pairs)
    credentials = dict(line.split(":") for line in re.findall(r"^LoadCredential=(.*)$", text, re.MULTILINE))
    for name in credentials:
        (folder / name).touch(0o600)
        (folder / name).write_text(_URLS.get(name) or os.urandom(32).hex())
    return settings, set(credentials.values())


_URLS = {"database_url": "postgresql:///gateway?host=/run/postgresql", "rpc_url": "https://node.example"}


@pytest.mark.parametrize("instance", INSTANCES)
def test_each_unit_has_the_keys_that_it_needs_as_credentials_and_settings_that_fit(
    instance: str, tmp_path: Path
) -> None:
    settings, files = environment(instance, tmp_path)
    relays = instance in ("work", "deploy", "doctor")

    assert check(settings).faults == []
    keys = ("master.key", "root.key", *(["relayer.key"] if relays else []))
    assert files == {f"/etc/gateway/{name}" for name in (*_URLS, *keys)}
    for name, value in settings.items():
        assert not name.endswith("_FILE") or Path(value).exists(), name


def test_the_example_of_settings_fits_and_leaves_time_to_stop() -> None:
    lines = [line for line in (DEPLOY / "gateway.env").read_text().splitlines() if not line.startswith("#")]
    settings = dict(line.split("=", 1) for line in lines)

    assert check(settings).faults == []
    values = {name: default for name, default, _ in SETTINGS} | settings
    (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", (DEPLOY / UNIT).read_text(), re.MULTILINE)
    assert float(values["GATEWAY_DRAIN_SECONDS"]) + float(values["GATEWAY_STOP_SECONDS"]) + 15 <= float(seconds)


def test_what_runs_once_is_not_started_again() -> None:
    for instance in ("migrate", "deploy", "doctor"):
        once = (DEPLOY / f"gateway@{instance}.service.d" / "once.conf").read_text().splitlines()
        assert {"Type=oneshot", "Restart=no"} <= set(once)
