"""The mail server and the sender of e-mail, from their two settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

from gateway.errors import Misconfigured
from gateway.escape import for_shell

Encryption = Literal["tls", "starttls", "none"]


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """The server that sends e-mail, and the sender. `user` is None if the server needs no login."""

    host: str
    port: int
    encryption: Encryption
    user: str | None
    password: str | None = field(repr=False)
    sender: Address


#: By the scheme of GATEWAY_SMTP_URL: how the connection is encrypted, and the default port (RFC 8314).
_SMTP: Final[Mapping[str, tuple[Encryption, int]]] = {
    "smtps": ("tls", 465),
    "smtp": ("starttls", 587),
    "smtp+plain": ("none", 25),
}


def smtp_server(url: str, sender: str) -> SmtpServer | None:
    """Return the mail server; None if none is set. No error shows the URL, because it may contain a password."""
    if not url and not sender:
        return None
    if not url or not sender:
        raise Misconfigured("GATEWAY_SMTP_URL and GATEWAY_EMAIL_FROM are set together: set both, or neither")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if parts.scheme not in _SMTP or not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise Misconfigured(
            "GATEWAY_SMTP_URL is not the URL of a mail server: set it to one such as "
            "smtp://user:password@mail.example:587 (STARTTLS), smtps://user:password@mail.example (TLS) or "
            "smtp+plain://127.0.0.1:25 (a server on this machine); write % @ : / of a password as %25 %40 %3A %2F"
        )
    encryption, usual = _SMTP[parts.scheme]
    if encryption == "none" and (parts.username or host not in ("localhost", "127.0.0.1", "::1")):
        raise Misconfigured(
            "GATEWAY_SMTP_URL: smtp+plain is not encrypted, so it is for a server at localhost, without a password: "
            "use smtp:// (STARTTLS) or smtps:// (TLS)"
        )
    if bool(parts.username) != bool(parts.password):
        raise Misconfigured("GATEWAY_SMTP_URL has a user without a password, or the other way: write user:password@")
    user, password = (None if part is None else unquote(part) for part in (parts.username, parts.password))
    return SmtpServer(host, port or usual, encryption, user, password, _sender(sender))


def _sender(text: str) -> Address:
    name, spec = parseaddr(text)
    try:
        sender = Address(name, addr_spec=spec)
    except (ValueError, IndexError, HeaderParseError):
        sender = Address()
    if not text.isprintable() or "." not in sender.domain or not sender.username or not spec.isascii():
        raise Misconfigured(
            f"GATEWAY_EMAIL_FROM={for_shell(text[:80])}: set it to an address such as Example Pay "
            "<no-reply@pay.example>"
        )
    return sender
