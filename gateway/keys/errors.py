"""Errors of keys that cannot be read."""

from dataclasses import dataclass

from gateway.errors import Refused, Unavailable


@dataclass(eq=False)
class MasterKeyMissing(Unavailable):
    """This process does not have the master key that a key is, or has to be, encrypted under."""

    fingerprint: str
    message = (
        "the file that GATEWAY_MASTER_KEY_FILE names lacks the master key {fingerprint}, which is in use: copy it from "
        "the machine where the key was rotated"
    )


@dataclass(eq=False)
class EncryptedKeyUnreadable(Refused):
    """A key that was encrypted under another master key or for another wallet."""

    wallet: str
    message = (
        "the encrypted key of wallet {wallet} cannot be decrypted: GATEWAY_MASTER_KEY_FILE is not the one it was "
        "encrypted with, or the ciphertext was changed"
    )
