"""gateway config check: all faults at once, and no secret."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.operate.configuration import check
from gateway.config.settings import SETTINGS
from tests.running import Ran, environ

KEY = "11" * 32


def faults(**variables: str) -> list[tuple[str, str]]:
    return [(fault.name, fault.message) for fault in check(variables).faults]


def ran(*options: str, **variables: str) -> Ran:
    argv = [sys.executable, "-P", "-m", "gateway", "config", "check", *options]
    return subprocess.run(argv, env=environ() | variables, capture_output=True, text=True, check=False)


def test_without_any_setting_all_fit_and_every_value_is_the_default() -> None:
    found = check({})

    assert found.faults == []
    assert [one.name for one in found.settings] == [name for name, _, _ in SETTINGS]
    assert {one.source for one in found.settings} == {"default"}
    assert found.config is not None


def test_it_shows_each_value_and_where_it_comes_from() -> None:
    shown = {one.name: (one.value, one.source) for one in check({"GATEWAY_PORT": "81", "GATEWAY_HOST": " "}).settings}

    assert shown["GATEWAY_PORT"] == ("81", "environment")
    assert shown["GATEWAY_HOST"] == ("127.0.0.1", "default"), "blank is as if it were not set"


def test_every_fault_is_told_at_once_in_a_sentence_that_says_what_to_do() -> None:
    found = faults(
        GATEWAY_PORT="x",
        GATEWAY_CURRENCIES="EUR,XXY",
        GATEWAY_RPC_URL="ws://node.example",
        GATEWAY_DATABASE_URL="mysql://db.example/gateway",
        GATEWAY_DATBASE_URL="postgresql://db.example",
        GATEWAY_NONSENSE="1",
    )

    assert [name for name, _ in found] == [
        *("GATEWAY_DATBASE_URL", "GATEWAY_NONSENSE", "GATEWAY_PORT", "GATEWAY_RPC_URL", "GATEWAY_CURRENCIES"),
        "GATEWAY_DATABASE_URL",
    ]
    said = dict(found)
    assert said["GATEWAY_DATBASE_URL"] == (
        "GATEWAY_DATBASE_URL is not a setting: did you mean GATEWAY_DATABASE_URL? Otherwise remove it"
    )
    assert said["GATEWAY_NONSENSE"] == "GATEWAY_NONSENSE is not a setting: remove it; 'gateway --help' lists them"
    assert said["GATEWAY_PORT"] == "GATEWAY_PORT='x': set it to a whole number from 0 to 65535"
    assert said["GATEWAY_DATABASE_URL"].endswith("it should begin with postgresql://, without the name of a driver")


def test_two_settings_that_do_not_fit_together_are_one_fault() -> None:
    assert faults(GATEWAY_CURRENCIES="EUR") == [
        ("GATEWAY_CURRENCIES", "GATEWAY_TOKENS: USDX is backed by 'USD', which is not in GATEWAY_CURRENCIES")
    ]


def test_a_key_file_that_is_there_is_read_and_one_that_is_not_is_made_later(tmp_path: Path) -> None:
    open_to_all, no_key = tmp_path / "open", tmp_path / "no key"
    open_to_all.write_text(KEY)
    open_to_all.chmod(0o644)
    no_key.touch(0o600)
    no_key.write_text("hello")

    assert faults(GATEWAY_HOME=str(tmp_path)) == []
    found = faults(
        GATEWAY_HOME=str(tmp_path), GATEWAY_MASTER_KEY_FILE=str(open_to_all), GATEWAY_ROOT_KEY_FILE=str(no_key)
    )
    assert [name for name, _ in found] == ["GATEWAY_MASTER_KEY_FILE", "GATEWAY_ROOT_KEY_FILE"]
    assert "run chmod 600" in found[0][1]
    (missing,) = faults(GATEWAY_RELAYER_KEY_FILE=str(tmp_path / "none"))
    assert missing[1].endswith("none cannot be read: No such file or directory")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEWAY_DATABASE_URL", "postgresql://gateway:hunter2@db.example/gateway"),
        ("GATEWAY_DATABASE_URL", "postgresql://gateway:hunter2#@db.example/gateway"),
        ("GATEWAY_DATABASE_URL", "mysql://gateway:hunter2@db.example/gateway"),
        ("GATEWAY_RPC_URL", "https://node.example/hunter2"),
        ("GATEWAY_RPC_URL", "ws://node.example/hunter2"),
        ("GATEWAY_RPC_URL", "hunter2"),
        ("GATEWAY_DATBASE_URL", "postgresql://gateway:hunter2@db.example/gateway"),
    ],
)
def test_no_secret_is_shown_whether_it_fits_or_not(name: str, value: str) -> None:
    assert "hunter2" not in json.dumps(check({name: value}).plain())


def test_the_command_has_the_status_of_what_it_found() -> None:
    right, wrong = ran(GATEWAY_PORT="81"), ran("--json", GATEWAY_PORT="x")

    assert (right.returncode, right.stderr) == (0, "")
    assert right.stdout.endswith("\nevery setting is valid\n")
    assert (wrong.returncode, wrong.stderr) == (1, "")
    found = json.loads(wrong.stdout)
    assert [fault["name"] for fault in found["faults"]] == ["GATEWAY_PORT"]
    assert {one["name"]: one["source"] for one in found["settings"]}["GATEWAY_PORT"] == "environment"


def test_variables_of_others_are_ignored() -> None:
    assert faults(**{name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}) == []


def test_it_says_what_comes_from_files_and_shows_no_secret_of_theirs(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://gateway:secret@db.example/gateway")
    (tmp_path / "gateway.toml").write_text(f'port = 81\nhost = "::1"\ndatabase_url_file = "{tmp_path}/url"\n')

    found = check({"GATEWAY_CONFIG_FILE": str(tmp_path / "gateway.toml"), "GATEWAY_HOST": "10.0.0.1"})

    shown = {one.name: (one.value, one.source) for one in found.settings}
    assert shown["GATEWAY_PORT"] == ("81", "file")
    assert shown["GATEWAY_HOST"] == ("10.0.0.1", "environment")
    assert shown["GATEWAY_DATABASE_URL"] == ("(set, not shown)", "file")
    assert found.faults == []


def test_a_fault_in_a_file_is_told_beside_the_others(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text("prot = 81\n")

    told = faults(GATEWAY_CONFIG_FILE=str(tmp_path / "gateway.toml"), GATEWAY_BLOCK_SECONDS="x")

    assert [name for name, _ in told] == ["GATEWAY_CONFIG_FILE", "GATEWAY_BLOCK_SECONDS"]


def test_what_notifications_need_is_warned_of_and_is_no_fault() -> None:
    mail = {"GATEWAY_SMTP_URL": "smtp://mail.example", "GATEWAY_EMAIL_FROM": "no-reply@pay.example"}
    tried: dict[str, list[str]] = {
        "": ["GATEWAY_PUBLIC_URL"],
        "https://pay.example": [],
        "http://pay.example": ["GATEWAY_PUBLIC_URL", "GATEWAY_VAPID_SUBJECT"],
    }
    for url, names in tried.items():
        found = check(mail | {"GATEWAY_PUBLIC_URL": url})
        assert (found.faults, [one.name for one in found.warnings]) == ([], names)
    assert check({}).warnings == []
    subject = {"GATEWAY_PUBLIC_URL": "http://pay.example", "GATEWAY_VAPID_SUBJECT": "mailto:ops@pay.example"}
    assert check(subject).warnings == []

    told = ran(**mail)
    assert told.returncode == 0
    assert told.stdout.splitlines()[-1].startswith("warning: GATEWAY_PUBLIC_URL is not set, so links in e-mail")
    assert [one["name"] for one in json.loads(ran("--json", **mail).stdout)["warnings"]] == ["GATEWAY_PUBLIC_URL"]


def test_a_key_for_push_messages_that_is_none_is_a_fault() -> None:
    ((name, says),) = faults(GATEWAY_VAPID_PRIVATE_KEY="not-a-key")
    assert (name, "is not a private key of P-256" in says, "not-a-key" in says) == (
        *("GATEWAY_VAPID_PRIVATE_KEY", True, False),
    )
