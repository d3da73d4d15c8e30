"""Sign-In with Ethereum (EIP-4361): the exact text that a wallet shows its owner and signs with personal_sign. Pure.

A text that comes back is never parsed for its meaning: its nonce names a stored one, which is written again, and the
two must be the same byte for byte. So this module has one writer and no reader.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from eth_hash.auto import keccak

from gateway.clock import rfc3339

#: EIP-4361's grammar (ABNF), the part that the gateway writes, with a nonce long enough not to be guessed.
_TEXT = re.compile(
    r"(?P<domain>[A-Za-z0-9.-]+(:[0-9]+)?|\[[0-9a-fA-F:.]+\](:[0-9]+)?)"
    r" wants you to sign in with your Ethereum account:\n"
    r"(?P<address>0x[0-9a-fA-F]{40})\n"
    r"\n"
    r"(?P<statement>[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;= -]+)\n"
    r"\n"
    r"URI: (?P<uri>[a-z][a-z0-9+.-]*:[!-~]+)\n"
    r"Version: 1\n"
    r"Chain ID: (?P<chain_id>[0-9]+)\n"
    r"Nonce: (?P<nonce>[A-Za-z0-9]{8,64})\n"
    r"Issued At: (?P<issued_at>[0-9TZ:.-]+)\n"
    r"Expiration Time: (?P<expires_at>[0-9TZ:.-]+)\n"
    r"Resources:"
    r"(?P<resources>(\n- [a-z][a-z0-9+.-]*:[!-~]+)+)"
)

#: The name of each line.
_LINES = (
    *("domain", "address", "blank line", "statement", "blank line", "URI", "version", "chain id", "nonce"),
    *("issued at", "expiration time", "resources", "resource"),
)


@dataclass(frozen=True, slots=True)
class SignIn:
    """The fields of a text. `domain` is the requesting authority (RFC 3986), `uri` what is signed in to, `address` is
    EIP-55 checksummed, `statement` one line of ASCII, `nonce` 8 or more letters and digits, used once.
    """

    domain: str
    address: str
    statement: str
    uri: str
    chain_id: int
    nonce: str
    issued_at: datetime
    expires_at: datetime
    resource: str

    def text(self) -> str:
        """Return the message, line by line as the EIP specifies."""
        text = (
            f"{self.domain} wants you to sign in with your Ethereum account:\n"
            f"{self.address}\n"
            "\n"
            f"{self.statement}\n"
            "\n"
            f"URI: {self.uri}\n"
            "Version: 1\n"
            f"Chain ID: {self.chain_id}\n"
            f"Nonce: {self.nonce}\n"
            f"Issued At: {rfc3339(self.issued_at)}\n"
            f"Expiration Time: {rfc3339(self.expires_at)}\n"
            "Resources:\n"
            f"- {self.resource}"
        )
        assert _TEXT.fullmatch(text), f"not a message of EIP-4361: {text!r}"
        return text


def nonce_of(text: str) -> str | None:
    """Return the nonce of a message in the form that the gateway writes; None if it has another form."""
    found = _TEXT.fullmatch(text)
    return found["nonce"] if found else None


def differing_line(text: str, other: str) -> str:
    """Return the name of the first line that differs, for the error."""
    pairs = zip(_LINES, text.split("\n"), other.split("\n"), strict=False)
    return next((name for name, line, expected in pairs if line != expected), "number of lines")


def digest(text: str) -> bytes:
    """Return the 32 bytes that personal_sign signs (EIP-191, version 0x45)."""
    raw = text.encode()
    return keccak(b"\x19Ethereum Signed Message:\n" + str(len(raw)).encode() + raw)
