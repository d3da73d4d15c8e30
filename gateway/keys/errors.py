"""Keys that cannot be opened."""

from dataclasses import dataclass

from gateway.errors import Refused, Unavailable


@dataclass(eq=False)
class MasterKeyMissing(Unavailable):
    """A key is encrypted, or to be encrypted, under a master key that this process does not have, and may get."""

    fingerprint: str
    says = (
        "the file that GATEWAY_MASTER_KEY_FILE names lacks the master key {fingerprint}, which is in use: copy it from "
        "the machine where the key was rotated"
    )


@dataclass(eq=False)
class EncryptedKeyUnreadable(Refused):
    """The vault's answer to a key that was encrypted under another master key or for another wallet."""

    wallet: str
    says = (
        "the encrypted key of wallet {wallet} cannot be decrypted: GATEWAY_MASTER_KEY_FILE is not the one it was "
        "encrypted with, or the ciphertext was changed"
    )
