"""The files of master keys, the root key and relayers' keys: readable by the owner alone, and never half-written."""

import os
import secrets
import struct
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from gateway.errors import Misconfigured
from gateway.escape import for_shell
from gateway.keys.signer import RelayerSigner


def load_master_keys(path: Path, create: bool = False) -> list[bytes]:
    """Return the master keys of a file, in its order: 32 bytes in hex on a line each. The database says which of them
    encrypts.

    With `create`, a missing file is created with one key, readable by its owner alone. Any number of processes may
    create it at once: all get the same key. Raises Misconfigured, which never shows a key.
    """
    if create and not path.exists():
        _create(path, f"{secrets.token_hex(32)}\n".encode())
    return list(_keys(path, _MASTER))


def load_root_key(path: Path, create: bool = False) -> bytes:
    """Return the root key, 32 bytes in hex, alone in its file. With `create`, a missing file is created, once however
    many processes do it. Raises Misconfigured, which never shows a key.
    """
    if create and not path.exists():
        _create(path, f"{secrets.token_hex(32)}\n".encode())
    keys = list(_keys(path, _ROOT))
    if len(keys) != 1:
        raise Misconfigured(f"{_ROOT}: {path} should hold one key, and has {len(keys)}")
    return keys[0]


def add_master_key(path: Path) -> bytes:
    """Append a new master key to the file, and return it. The file is never half-written. A symbolic link is followed.
    Nobody else may write the file at the same time. Raises Misconfigured.
    """
    load_master_keys(path)
    fresh, file = secrets.token_bytes(32), path.resolve()
    try:
        _replace(file, file.read_bytes().rstrip(b"\n") + f"\n{fresh.hex()}\n".encode())
    except OSError as error:
        raise Misconfigured(f"{_MASTER}: {file} cannot be written: {error.strerror}") from None
    return fresh


#: The largest key file: a thousand keys with a comment each.
_KEY_FILE_BYTES_MAX = 256 * 1024


def load_relayer_keys(path: Path) -> list[bytes]:
    """Return the relayers' private keys of a file, in its order: 32 bytes in hex on a line each. Blank lines and lines
    that begin with # are skipped. Raises Misconfigured, which names the line and never shows a key.
    """
    keys = _keys(path, _RELAYER)
    for key, number in keys.items():
        try:
            RelayerSigner(key)
        except ValueError:
            raise Misconfigured(f"{_RELAYER}: line {number} of {path} is not a private key of secp256k1") from None
    return list(keys)


_RELAYER, _MASTER, _ROOT = "GATEWAY_RELAYER_KEY_FILE", "GATEWAY_MASTER_KEY_FILE", "GATEWAY_ROOT_KEY_FILE"


def _keys(path: Path, setting: str) -> dict[bytes, int]:
    """Return the keys of a file, each with its line number."""
    keys: dict[bytes, int] = {}
    for number, line in enumerate(_read_private(path, setting, _KEY_FILE_BYTES_MAX).splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        key = _from_hex(text)
        if key is None:
            raise Misconfigured(
                f"{setting}: line {number} of {path} should be a key, 32 bytes in hex, which are 64 digits, alone"
            )
        if key in keys:
            raise Misconfigured(f"{setting}: line {number} of {path} repeats the key of line {keys[key]}: remove one")
        keys[key] = number
    if not keys:
        raise Misconfigured(f"{setting}: {path} should hold a key, 32 bytes in hex, which are 64 digits")
    return keys


def _from_hex(text: str) -> bytes | None:
    """Return 32 bytes; None if the text is not that many."""
    digits = text.strip().removeprefix("0x")
    try:
        raw = bytes.fromhex(digits)
    except ValueError:
        return None
    return raw if len(digits) == 64 and len(raw) == 32 else None


def _read_private(path: Path, setting: str, bytes_max: int) -> str:
    """Return the text of a file that nobody else can read. Bytes that are not ASCII are replaced by a character that is
    no digit.
    """
    try:
        with path.open("rb") as file:
            found, ours = os.fstat(file.fileno()), {os.getegid(), *os.getgroups()}
            open_to_others = others_may(found, ours, _access_list(file.fileno()))
            raw = file.read(bytes_max + 1)
    except OSError as error:
        raise Misconfigured(f"{setting}: {path} cannot be read: {error.strerror}") from None
    if open_to_others:
        raise Misconfigured(
            f"{setting}: others can read it; run chmod 600 {for_shell(str(path))}, and think of it as known to them"
        )
    if len(raw) > bytes_max:
        raise Misconfigured(f"{setting}: {path} has more than {bytes_max} bytes; it should hold keys of 64 digits")
    return raw.decode("ascii", "replace")


def _access_list(descriptor: int) -> bytes | None:
    """Return the file's access control list (acl(5)), as the kernel stores it; None if it has none besides its mode."""
    try:
        return os.getxattr(descriptor, "system.posix_acl_access")
    except OSError:
        return None


def others_may(file: os.stat_result, groups: Collection[int], access_list: bytes | None) -> bool:
    """Return whether anybody but the owner and this process, which is in these groups, has any right to a file.

    A file owned by root may be readable by one of this process's groups: Kubernetes mounts secrets so for a pod with an
    fsGroup, with the mode 0440. PostgreSQL has the same rule for its private key. A file of any other owner may not,
    because people often share their group.

    With an access control list, the mode's group bits are its mask, the most that any named user or group may do, and
    not a group's right. So a credential of systemd, which root owns and the list lets the service's user read, has the
    mode 0440 and is readable by nobody else (systemd.exec(5), "LoadCredential"). The layout is that of Linux's
    posix_acl_xattr.h: a version, then a tag, the rights and a user or group for each entry.
    """
    if access_list is None:
        allowed = 0o040 if file.st_uid == 0 and file.st_gid in groups else 0
        return bool(file.st_mode & 0o077 & ~allowed)
    entries = list(struct.iter_unpack("<HHI", access_list[4:]))
    mask = next((rights for tag, rights, _ in entries if tag == _MASK), 0o7)
    others = [
        (tag, rights)
        for tag, rights, who in entries
        if tag not in (_OWNER, _MASK) and (tag, who) != (_USER, os.geteuid())
    ]
    return any(rights & (0o7 if tag == _OTHERS else mask) for tag, rights in others)


#: Tags of an entry: the owner, a user, the mask, everybody else. The other tags are of groups.
_OWNER, _USER, _MASK, _OTHERS = 0x01, 0x02, 0x10, 0x20


def _create(path: Path, content: bytes) -> None:
    """Create a file with this content, unless there is one: the first to link it wins. It is never half-written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = _write_beside(path, content)
    try:
        with suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        fresh.unlink()
    _sync_folder(path.parent)


def _replace(path: Path, content: bytes) -> None:
    """Replace a file, keeping its owner and mode. After an interruption it has the old content or the new."""
    fresh = _write_beside(path, content)
    try:
        there = path.stat()
        if os.geteuid() == 0:
            os.chown(fresh, there.st_uid, there.st_gid)
        fresh.chmod(there.st_mode & 0o777)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _write_beside(path: Path, content: bytes) -> Path:
    """Write a new file in the same folder, readable by this user alone, and flush it to the disk. Leaves no file if
    that fails.
    """
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        fresh.unlink()
        raise
    return fresh


def _sync_folder(path: Path) -> None:
    """Flush the folder's entries to the disk."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
