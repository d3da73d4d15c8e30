"""The files that keys lie in: made once, read by us alone, and refused by the line that is wrong."""

import os
import stat
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.errors import Misconfigured
from gateway.keys import key_files
from gateway.keys.signer import LOCAL_RELAYER_KEY


def test_a_master_key_is_made_once_and_for_us_alone(tmp_path: Path) -> None:
    path = tmp_path / "home" / "master.key"

    with ThreadPoolExecutor(8) as many:
        keys = {key for (key,) in many.map(lambda _: key_files.load_master_keys(path, create=True), range(40))}

    assert keys == set(key_files.load_master_keys(path))
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_missing_master_key_is_not_made_unasked(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="No such file"):
        key_files.load_master_keys(tmp_path / "master.key")


def test_a_root_key_is_made_once_stands_alone_and_is_not_made_unasked(tmp_path: Path) -> None:
    path = tmp_path / "root.key"
    with pytest.raises(Misconfigured, match="No such file"):
        key_files.load_root_key(path)

    made = key_files.load_root_key(path, create=True)
    assert key_files.load_root_key(path, create=True) == made
    assert path.stat().st_mode & 0o777 == 0o600

    with path.open("a") as file:
        file.write(f"{bytes(range(32)).hex()}\n")
    with pytest.raises(Misconfigured, match="should hold one key, and has 2"):
        key_files.load_root_key(path)


@pytest.mark.parametrize("text", ["", "ab", 63 * "a", 66 * "a", 64 * "g", 64 * "é"])
def test_a_file_without_32_bytes_of_hex_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    path = tmp_path / "master.key"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)

    with pytest.raises(Misconfigured, match="64 digits") as refused:
        key_files.load_master_keys(path, create=True)

    assert not text or text not in str(refused.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_key_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "relayer.key"
    path.write_text(64 * "a")
    path.chmod(mode)
    if os.geteuid() == 0:
        os.chown(path, SOMEBODY, SOMEBODY)

    with pytest.raises(Misconfigured, match="chmod 600"):
        key_files.load_relayer_keys(path)


#: A user, and a group that some process is in.
SOMEBODY, GROUP = 61_100, 61_101


def file_of(mode: int, owner: int, group: int) -> os.stat_result:
    return os.stat_result((stat.S_IFREG | mode, 0, 0, 1, owner, group, 64, 0, 0, 0))


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o600, 0o640])
def test_a_secret_that_kubernetes_mounts_for_our_group_is_read(mode: int) -> None:
    assert not key_files.others_may(file_of(mode, 0, GROUP), {SOMEBODY, GROUP}, None)


@pytest.mark.parametrize(
    ("mode", "owner", "group"),
    [(0o440, 0, GROUP + 1), (0o440, SOMEBODY, GROUP), (0o444, 0, GROUP), (0o460, 0, GROUP), (0o450, 0, GROUP)],
    ids=["another group", "a group of people", "everybody", "the group writes", "the group runs"],
)
def test_a_key_that_a_group_can_reach_otherwise_is_refused(mode: int, owner: int, group: int) -> None:
    assert key_files.others_may(file_of(mode, owner, group), {SOMEBODY, GROUP}, None)


def access_list(named: int, of_user: int = 0o4, of_group: int = 0, of_others: int = 0, mask: int = 0o4) -> bytes:
    """An access control list by which the owner reads, and so does a named user, as the kernel keeps it."""
    nobody = 0xFFFFFFFF
    entries = [(1, 4, nobody), (2, of_user, named), (4, of_group, nobody), (16, mask, nobody), (32, of_others, nobody)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def with_list(path: Path, listed: bytes) -> Path:
    path.write_text(64 * "a")
    path.chmod(0o400)
    os.setxattr(path, "system.posix_acl_access", listed)
    return path


def test_a_credential_of_systemd_that_is_shown_to_us_alone_is_read(tmp_path: Path) -> None:
    """systemd gives it to the service's user by an access control list, whose mask is where a mode has the group."""
    path = with_list(tmp_path / "relayer.key", access_list(os.geteuid()))

    assert path.stat().st_mode & 0o777 == 0o440
    assert key_files.load_relayer_keys(path) == [bytes.fromhex(64 * "a")]


@pytest.mark.parametrize(
    "listed",
    [
        access_list(os.geteuid() + 1),
        access_list(os.geteuid(), of_group=0o4),
        access_list(os.geteuid(), of_others=0o4),
        access_list(os.geteuid() + 1, of_user=0o6, mask=0o2),
    ],
    ids=["another user", "a group", "everybody", "another user writes"],
)
def test_a_key_that_an_access_control_list_shows_to_others_is_refused(tmp_path: Path, listed: bytes) -> None:
    with pytest.raises(Misconfigured, match="chmod 600"):
        key_files.load_relayer_keys(with_list(tmp_path / "relayer.key", listed))


def test_a_list_whose_mask_lets_nobody_do_anything_shows_the_key_to_nobody(tmp_path: Path) -> None:
    listed = access_list(os.geteuid() + 1, of_group=0o4, mask=0)
    assert key_files.load_relayer_keys(with_list(tmp_path / "relayer.key", listed)) == [bytes.fromhex(64 * "a")]


def test_a_relayer_key_may_begin_with_0x(tmp_path: Path) -> None:
    path = tmp_path / "relayer.key"
    path.write_text("0x" + LOCAL_RELAYER_KEY.hex() + "\n")
    path.chmod(0o600)

    assert key_files.load_relayer_keys(path) == [LOCAL_RELAYER_KEY]


@pytest.mark.parametrize("digit", ["0", "f"])
def test_a_number_that_is_no_private_key_is_refused(tmp_path: Path, digit: str) -> None:
    path = tmp_path / "relayer.key"
    path.write_text(64 * digit)
    path.chmod(0o600)

    with pytest.raises(Misconfigured, match="secp256k1"):
        key_files.load_relayer_keys(path)


def relayer_file(folder: Path, text: str) -> Path:
    path = folder / "relayer.key"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


FIRST, SECOND = 64 * "1", 64 * "a"


def test_a_relayer_key_file_holds_a_key_a_line_with_blank_lines_and_comments(tmp_path: Path) -> None:
    path = relayer_file(tmp_path, f"# the first deploys\n{FIRST}\n\n  # and another\r\n 0x{SECOND} \n")

    assert key_files.load_relayer_keys(path) == [bytes.fromhex(FIRST), bytes.fromhex(SECOND)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{FIRST}\n\n{SECOND[:-1]}\n", "line 3 .* 64 digits"),
        (f"{FIRST}\n{SECOND}ff\n", "line 2 .* 64 digits"),
        (f"{FIRST} {SECOND}\n", "line 1 .* 64 digits"),
        (f"{FIRST}\n{SECOND} # mine\n", "line 2 .* 64 digits"),
        (f"{FIRST}\n{63 * 'a'}é\n", "line 2 .* 64 digits"),
        (f"{FIRST}\n{64 * '0'}\n", "line 2 .* secp256k1"),
        (f"{SECOND}\n# again\n0x{SECOND.upper()}\n", "line 3 .* repeats the key of line 1"),
        ("# nothing\n\n", "should hold a key"),
        ("", "should hold a key"),
        (f"{FIRST}\n" * 5000, "more than"),
    ],
)
def test_a_bad_relayer_key_file_is_refused_by_its_line_and_no_key_is_shown(
    tmp_path: Path, text: str, says: str
) -> None:
    path = relayer_file(tmp_path, text)

    with pytest.raises(Misconfigured, match=says) as refused:
        key_files.load_relayer_keys(path)

    shown = f"{refused.value} {refused.value!r}".lower()
    assert not any(part in shown for part in (FIRST[:20], SECOND[:20], 20 * "0"))
