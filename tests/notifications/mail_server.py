"""An SMTP server on loopback (aiosmtpd): it takes mail or refuses it as a test says, and keeps what it has taken."""

import asyncio
import email
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from gateway.config.mail import Encryption, SmtpServer

SENDER = Address("Example Pay", addr_spec="no-reply@pay.example")

#: What a recipient or a message is answered; None: it is taken.
Answer = Callable[[str], Awaitable[str | None]]


async def taken(_to: str) -> str | None:
    return None


def refusing(answer: str) -> Answer:
    async def refuse(_: str) -> str:
        return answer

    return refuse


@dataclass(frozen=True)
class Mail:
    """A message that was taken, and how it came."""

    sender: str
    to: list[str]
    raw: bytes
    tls: bool
    user: str | None

    @property
    def message(self) -> EmailMessage:
        found = email.message_from_bytes(self.raw, policy=default)
        assert isinstance(found, EmailMessage)
        return found

    @property
    def id(self) -> str:
        return str(self.message["Message-ID"]).strip("<>").partition(".")[0]

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    def part(self, subtype: str) -> str:
        body = self.message.get_body((subtype,))
        assert body is not None
        return str(body.get_content())

    @property
    def text(self) -> str:
        return self.part("plain")


@dataclass
class MailServer:
    """`recipient` and `data` say what it answers."""

    port: int = 0
    recipient: Answer = taken
    data: Answer = taken
    goodbye: Answer = taken
    mails: list[Mail] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)
    password: tuple[str, str] | None = None

    def server(self, encryption: Encryption = "none") -> SmtpServer:
        user, password = self.password or (None, None)
        return SmtpServer("localhost", self.port, encryption, user, password, SENDER)

    def to(self, address: str) -> list[Mail]:
        return [one for one in self.mails if one.to == [address]]

    # ---- what aiosmtpd calls ----------------------------------------------------------------------------------------

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.tried.append(address)
        refused = await self.recipient(address)
        if refused is None:
            envelope.rcpt_tos.append(address)
        return refused or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        refused = await self.data(envelope.rcpt_tos[0])
        if refused is None:
            user = session.auth_data.login.decode() if session.auth_data else None
            mail = Mail(envelope.mail_from or "", envelope.rcpt_tos, envelope.content, bool(session.ssl), user)
            self.mails.append(mail)
        return refused or "250 OK"

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        return await self.goodbye("") or "221 Bye"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        is_right = (data.login.decode(), data.password.decode()) == self.password
        return AuthResult(success=is_right, handled=False, auth_data=data)


@asynccontextmanager
async def serving(
    tls: ssl.SSLContext | None = None, starttls: bool = False, password: tuple[str, str] | None = None
) -> AsyncIterator[MailServer]:
    """A mail server that listens. `tls`: from the start, or once it is asked for."""
    mails = MailServer(password=password)

    def connected() -> SMTP:
        return SMTP(
            mails,
            hostname="mail.example",
            tls_context=tls if starttls else None,
            require_starttls=starttls,
            authenticator=mails.authenticate if password else None,
            auth_required=password is not None,
            auth_require_tls=False,
        )

    server = await asyncio.get_running_loop().create_server(connected, "127.0.0.1", 0, ssl=None if starttls else tls)
    mails.port = server.sockets[0].getsockname()[1]
    try:
        yield mails
    finally:
        server.close()
