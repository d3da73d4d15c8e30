"""The vault: encrypts the wallets' private keys, and signs with them.

A new wallet's key is derived from the root key and its handle (HKDF-SHA-256, RFC 5869), so a database that is restored
from an older copy loses no address: the root key and the handle give the key. A handle belongs to one wallet
permanently, and the derivation uses no counter that a restore could set back, so no address is derived for two handles.

A key is never shown in a repr, an error or a log. A wallet's own key is shown to its owner on request
(custody/export.py). Signatures are deterministic (RFC 6979) and have a low s (EIP-2), as coincurve makes them.
"""

import hmac
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from uuid import UUID

from coincurve import GLOBAL_CONTEXT, PrivateKey
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.address import of_public_key
from gateway.errors import Misconfigured
from gateway.keys.errors import EncryptedKeyUnreadable, MasterKeyMissing

#: Bytes of the random nonce that an encrypted key begins with (NIST SP 800-38D: 96 bits).
_NONCE_BYTES = 12

#: The associated data of a key's encryption, before the wallet's id: a key decrypts for its own wallet alone.
_PURPOSE = b"wallet-gateway/wallet-key/1/"

#: The HKDF info of the root key: before a handle, to derive its wallet's key, or before another purpose.
_OF_ROOT = b"wallet-gateway/root-key/1/"
_DERIVED = _OF_ROOT + b"wallet/"

#: The order of secp256k1 (SEC 2, 2.4.1): a private key is from 1 to the order minus 1.
_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141

#: How many bytes are derived and taken modulo the order. 32 would do; 48 make every key equally likely (FIPS 186-5,
#: A.2.1).
_DERIVED_BYTES = 48

#: The most keys for which the vault remembers that they match their addresses, in some 30 MB.
_SEEN_MAX = 100_000


class Vault:
    """Encrypts the wallets' keys under master keys (AES-256-GCM), and decrypts a key only while it signs. New keys are
    derived from the root key; without a root key they are random, and lost with the database.

    A master key is named by its check value; None means the first. If the vault does not have one, it calls `reload`,
    because the file may have it by now. Random nonces are safe for 2**32 keys under one master key.
    """

    def __init__(
        self, *master_keys: bytes, root: bytes | None = None, reload: Callable[[], Sequence[bytes]] | None = None
    ) -> None:
        self._root = root
        self._ciphers = {check_value(master_key): AESGCM(master_key) for master_key in master_keys}
        self._first, self._reload = check_value(master_keys[0]), reload
        self._seen: set[tuple[str, bytes]] = set()  # Addresses, with the encrypted keys that are known to match them.

    def __repr__(self) -> str:
        return "Vault()"

    def new_key(self, wallet_id: UUID, handle: str, under: bytes | None = None) -> tuple[str, bytes]:
        """Return the key of a new wallet under this handle: its address, and the encrypted key. Raises
        MasterKeyMissing.
        """
        key = PrivateKey() if self._root is None else derived(self._root, handle)
        return of_public_key(key.public_key.format(compressed=False)), self.encrypt(wallet_id, key.secret, under)

    def address_of(self, handle: str) -> str | None:
        """Return the address that a wallet under this handle gets or got; None without a root key."""
        if self._root is None:
            return None
        return of_public_key(derived(self._root, handle).public_key.format(compressed=False))

    def derive(self, purpose: str, length: int) -> bytes | None:
        """Return secret bytes derived from the root key for a purpose other than wallets' keys; None without a root
        key.
        """
        assert "/" not in purpose, "nothing that is a wallet's"
        if self._root is None:
            return None
        return HKDF(SHA256(), length, salt=None, info=_OF_ROOT + purpose.encode()).derive(self._root)

    def encrypt(self, id: UUID, secret: bytes, under: bytes | None = None) -> bytes:
        """Encrypt a secret for this id, a wallet's or another key's. Raises MasterKeyMissing."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher(under).encrypt(nonce, secret, _PURPOSE + id.bytes)

    def sign(
        self, wallet_id: UUID, address: str, ciphertext: bytes, digest: bytes, under: bytes | None = None
    ) -> bytes:
        """Sign a digest of 32 bytes with the key of this address. Returns 65 bytes: r, s and v (27 or 28). That the key
        matches the address is checked when it first signs.

        Raises EncryptedKeyUnreadable if the key was encrypted for another wallet or under another master key, was
        changed, or is another address's; and MasterKeyMissing.
        """
        secret = self.unsafe_decrypt(wallet_id, ciphertext, under)
        if (address, ciphertext) not in self._seen:
            if of_public_key(PrivateKey(secret).public_key.format(compressed=False)) != address:
                raise EncryptedKeyUnreadable(str(wallet_id))
            if len(self._seen) >= _SEEN_MAX:
                self._seen.clear()
            self._seen.add((address, ciphertext))
        signature = _SigningKey(secret).sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([27 + signature[64]])

    def unsafe_decrypt(self, wallet_id: UUID, ciphertext: bytes, under: bytes | None = None) -> bytes:
        """Return the private key itself, for its owner who has asked for it. Anybody who sees it can take everything it
        controls.

        Raises EncryptedKeyUnreadable and MasterKeyMissing as `sign` does.
        """
        try:
            nonce, rest = ciphertext[:_NONCE_BYTES], ciphertext[_NONCE_BYTES:]
            return self._cipher(under).decrypt(nonce, rest, _PURPOSE + wallet_id.bytes)
        except (InvalidTag, ValueError):
            raise EncryptedKeyUnreadable(str(wallet_id)) from None

    def _cipher(self, under: bytes | None) -> AESGCM:
        wanted = under or self._first
        if wanted not in self._ciphers and self._reload is not None:
            with suppress(Misconfigured):  # the file is being edited: keep the known keys; this one stays missing
                self._ciphers = {check_value(key): AESGCM(key) for key in self._reload()}
        if wanted not in self._ciphers:
            raise MasterKeyMissing(fingerprint(wanted))
        return self._ciphers[wanted]


def derived(root: bytes, handle: str) -> PrivateKey:
    """Return the private key of the wallet under this handle."""
    wide = HKDF(SHA256(), _DERIVED_BYTES, salt=None, info=_DERIVED + handle.encode()).derive(root)
    return PrivateKey.from_int(1 + int.from_bytes(wide, "big") % (_ORDER - 1))


class _SigningKey(PrivateKey):
    """A key that only signs: coincurve's constructor computes two public keys first, which takes as long as signing."""

    def __init__(self, secret: bytes) -> None:
        self.secret, self.context = secret, GLOBAL_CONTEXT


def check_value(master_key: bytes) -> bytes:
    """Return 32 bytes that identify a master key and reveal nothing about it (HMAC-SHA-256, RFC 2104)."""
    return hmac.digest(master_key, _PURPOSE + b"check", "sha256")


def root_check_value(root: bytes) -> bytes:
    """Return the check value of a root key."""
    return hmac.digest(root, _DERIVED + b"check", "sha256")


def fingerprint(check_value: bytes) -> str:
    """Return the short form of a master key that is shown to people: eight hex digits."""
    return check_value[:4].hex()
