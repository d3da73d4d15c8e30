"""gateway handle export-key, against a running `up`: the key in a keystore, and what can be done with it."""

import json
from pathlib import Path

import pytest

from tests.running import Up


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.touch(mode=0o600)
    path.write_text("correct horse\n")
    return path


def test_the_key_comes_in_a_keystore_that_signs_for_the_handles_address(
    up: Up, tmp_path: Path, password_file: Path
) -> None:
    owner = up.someone("key_owner", USD="10.00")
    address = up.json("handle", "show", owner)["address"]
    path = tmp_path / "owner.json"
    opened = ("--keystore", str(path), "--password-file", str(password_file))

    exported = up.gateway("handle", "export-key", owner, *opened)
    signed = up.wallet("sign", "0x" + 40 * "1", "1.00", "USDX", *opened)

    assert exported.returncode == 0, exported.stderr
    assert exported.stdout == f"address   {address}\nkeystore  {path}\n"
    assert exported.stderr.startswith("Anybody who sees this key can take every token at the address")
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())["crypto"]["kdf"] == "scrypt"
    assert json.loads(signed.stdout)["from"] == address
    kinds = [one["type"] for one in up.api(owner, "/v1/events")["items"]]
    assert kinds.count("wallet.key_exported") == 1


def test_a_file_that_exists_is_not_overwritten_and_no_key_is_exported(
    up: Up, tmp_path: Path, password_file: Path
) -> None:
    owner = up.someone("careful_owner")
    path = tmp_path / "mine.json"
    path.write_text("mine")

    refused = up.gateway("handle", "export-key", owner, "--keystore", str(path), "--password-file", str(password_file))

    assert refused.returncode == 1
    assert refused.stderr == f"gateway: {path} already exists and is not overwritten; name another file\n"
    assert path.read_text() == "mine"
    assert [one["type"] for one in up.api(owner, "/v1/events")["items"]] == ["wallet.created"]


@pytest.mark.parametrize(("mode", "text", "says"), [
    (0o644, "correct horse", "others can read the password"), (0o600, "", "there is no password in"),
])  # fmt: skip
def test_a_password_that_guards_nothing_is_refused(up: Up, tmp_path: Path, mode: int, text: str, says: str) -> None:
    owner = up.someone(f"loose_owner_{mode}")
    password_file = tmp_path / "password"
    password_file.write_text(text)
    password_file.chmod(mode)

    refused = up.gateway(
        *("handle", "export-key", owner, "--keystore", str(tmp_path / "k.json")),
        *("--password-file", str(password_file)),
    )

    assert refused.returncode == 1
    assert says in refused.stderr
    assert not (tmp_path / "k.json").exists()
