"""A private key in a password-protected file: a keystore (Web3 Secret Storage, version 3: scrypt and AES-128-CTR).

The command line uses it to write an exported key, and scripts/wallet to create one. No gateway process uses it.
"""

import json
import os
from pathlib import Path

from eth_account import Account

from gateway.errors import Misconfigured


def write(path: Path, private_key: str, password: str) -> str:
    """Write a new keystore, readable by its owner alone, and return the address. `private_key` is 0x and 64 hex digits.

    Raises Misconfigured if the file exists or cannot be written.
    """
    account = Account.from_key(private_key)
    try:
        path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(json.dumps(account.encrypt(password)) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        raise Misconfigured(f"{path} already exists and is not overwritten; name another file") from None
    except OSError as error:
        raise Misconfigured(f"the keystore cannot be written to {path}: {error.strerror}") from None
    return str(account.address)
