"""The file of a handle's API key: readable by its owner alone, and complete whenever a command is stopped."""

import os
import secrets
from pathlib import Path

from gateway.cli.options import is_visible
from gateway.errors import Misconfigured
from gateway.escape import for_shell
from gateway.secret import new_secret


def read(path: Path, handle: str) -> str:
    """The API key of a handle. Raises Misconfigured if there is none."""
    try:
        api_key = path.read_text(encoding="ascii").strip()
    except OSError:
        raise Misconfigured(
            f"there is no API key of @{handle} in {path}: if @{handle} signed up in a browser, "
            "put the API key there that the page showed, or one that 'POST /v1/keys' made; a handle that nobody "
            f"has is claimed by 'gateway handle create {for_shell(handle)}'"
        ) from None
    except ValueError:
        api_key = ""
    if not is_visible(api_key):
        raise Misconfigured(f"there is something else than an API key in {path}")
    return api_key


def replace(path: Path, api_key: str) -> None:
    """Replace the key in the file. Raises Misconfigured; then the previous one stays."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        _write(fresh, api_key)
        fresh.replace(path)
    except OSError as error:
        raise Misconfigured(f"the new API key cannot be kept in {path}: {error.strerror}") from None
    finally:
        fresh.unlink(missing_ok=True)


def kept(path: Path) -> str:
    """The API key in a file that only its owner can read. If there is none, a new key is created and synced to disk."""
    if path.exists():
        return path.read_text(encoding="ascii").strip()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    api_key, fresh = new_secret("gw"), path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        _write(fresh, api_key)
        os.link(fresh, path)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    finally:
        fresh.unlink(missing_ok=True)
    return api_key


def _write(path: Path, api_key: str) -> None:
    """Write a new file with the key, readable by its owner alone, and sync it to disk."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(api_key + "\n")
        file.flush()
        os.fsync(file.fileno())
