"""The key of scripts/wallet: in a keystore (Web3 Secret Storage, version 3: scrypt and AES-128-CTR), a file that only
its owner can read and that a password opens. It is opened for one signature at a time, never printed, and sent nowhere.
"""

import json
import secrets
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress, HexAddress, HexStr

from gateway.address import read
from gateway.cli.wallet.calls import password_of
from gateway.config.environment import from_environment
from gateway.errors import GatewayError
from gateway.keys import keystore


class Refused(GatewayError):
    """Something the wallet will not or cannot do, in one sentence."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__()

    message = "{reason}"


def place(given: Path | None) -> Path:
    """Where the keystore is: where somebody says, or in the home."""
    return given or from_environment().home / "keystore.json"


def make(path: Path, password_file: Path | None) -> str:
    """A new key in a keystore at `path`, where nothing may be yet; returns its address."""
    if path.exists():
        raise Refused(f"{path} already exists and is not overwritten; name another with --keystore")
    password = password_of(password_file)
    account: LocalAccount = Account.create(secrets.token_bytes(32))
    return keystore.write(path, account.key.to_0x_hex(), password)


def address_of(path: Path) -> ChecksumAddress:
    """The address that a keystore says it is of."""
    found = read("0x" + str(_opened(path).get("address", "")).removeprefix("0x"))
    if found is None:
        raise Refused(f"{path} is not a keystore with an address")
    return ChecksumAddress(HexAddress(HexStr(found)))


def unlocked(path: Path, password_file: Path | None) -> LocalAccount:
    """The key, for one signature."""
    kept = _opened(path)
    password = password_of(password_file, confirm=False)
    try:
        account: LocalAccount = Account.from_key(Account.decrypt(kept, password))
    except (ValueError, KeyError, TypeError):
        raise Refused(f"this password does not open {path}") from None
    return account


def _opened(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        raise Refused(f"there is no keystore at {path}: make one with scripts/wallet new") from None
    except OSError as error:
        raise Refused(f"the keystore {path} cannot be read: {error.strerror}") from None
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("version") != 3:
        raise Refused(f"{path} is not a keystore (Web3 Secret Storage, version 3)")
    return found
