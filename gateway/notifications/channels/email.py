"""E-mail, by the SMTP server in the settings (RFC 5321).

The connection is encrypted from the start (`smtps`) or by STARTTLS before anything is sent (`smtp`), and the server's
certificate is checked either way; without encryption only a server on this machine is used. Each message has a
connection of its own: the server would close a persistent one at a time of its choosing, and a message that is under
way then is neither sent nor not sent.

The server's answer decides. If it refuses the recipient permanently (5xx to RCPT TO), the address does not exist,
unless the reason is the message or a full mailbox (RFC 3463, 5.2.2 and 5.7). Everything else is retried later.
"""

import asyncio
import logging
import re
import ssl
from typing import Final

import aiosmtplib

from gateway.config.mail import SmtpServer
from gateway.errors import InvalidRequest
from gateway.notifications.channels.channel import Channel, Gone, Message, Outcome, Sent, TryLater
from gateway.notifications.channels.email_body import email

log = logging.getLogger(__name__)

#: The time from the look-up of the server's name to its answer to the whole message, and for one answer, in seconds.
TOTAL_SECONDS: Final = 45.0
_ANSWER_SECONDS: Final = 15.0

#: An address as RFC 5321 defines it (4.1.2), without quotes and literals: a dot-string at a domain with a dot.
_ADDRESS: Final = re.compile(
    r"(?=.{6,254}\Z)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])\Z",
    re.ASCII,
)
_LOCAL_MAX: Final = 64

#: Enhanced status codes that concern the message or the mailbox, and do not mean that there is no mailbox (RFC 3463).
_NOT_GONE: Final = re.compile(r"5\.(2\.[0234]|3\.|4\.|7\.)")


class Email(Channel):
    """Sends e-mail. `tls` is for tests, which have certificates of their own."""

    name = "email"
    at_once = 8
    needs_code = True

    def __init__(self, server: SmtpServer, tls: ssl.SSLContext | None = None, seconds: float = TOTAL_SECONDS) -> None:
        self._server, self._sender, self._seconds = server, server.sender, seconds
        self._tls = tls or (None if server.encryption == "none" else ssl.create_default_context())
        self._said = ""

    def check(self, address: str) -> str:
        """Return the address with its domain in lower case. Raises InvalidRequest."""
        local, _, domain = address.strip().rpartition("@")
        kept = f"{local}@{domain.lower()}"
        if not _ADDRESS.match(kept) or len(local) > _LOCAL_MAX:
            raise InvalidRequest(
                "address",
                "this is no e-mail address that can be written to: it should be like name@example.com, in ASCII (a "
                "domain in other letters as xn--…)",
            )
        return kept

    def shown(self, address: str) -> str:
        """`a…@example.com`."""
        local, _, domain = address.rpartition("@")
        return f"{local[:1]}…@{domain}"

    async def send(self, address: str, message: Message) -> Outcome:
        """Send it. A reason is one of: refused (gone); mailbox, server, timeout, not_reached, tls, sign_in, greylisted
        (later).
        """
        outcome: Outcome = TryLater("timeout")
        try:
            async with asyncio.timeout(self._seconds), self._connected() as client:
                await client.sendmail(self._sender.addr_spec, [address], email(message, self._sender, address))
                outcome = Sent()  # whatever happens when the connection is closed
        except TimeoutError:
            pass
        except aiosmtplib.SMTPRecipientsRefused as refused:
            outcome = _refused(refused.recipients[0].code, refused.recipients[0].message)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            outcome = outcome if isinstance(outcome, Sent) else TryLater(_why(error))
        self._say(outcome)
        return outcome

    async def close(self) -> None:
        pass

    async def test(self) -> str | None:
        """Connect and sign in, and send nothing. Returns None, or why it failed, as `send` does."""
        try:
            async with asyncio.timeout(self._seconds), self._connected():
                return None
        except TimeoutError:
            return "timeout"
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            return _why(error)

    def _connected(self) -> "aiosmtplib.SMTP":
        """Return a connection that is encrypted and signed in once it is entered."""
        server = self._server
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.encryption == "tls",
            start_tls=server.encryption == "starttls",
            tls_context=self._tls,
            username=server.user,
            password=server.password,
            timeout=min(_ANSWER_SECONDS, self._seconds),
            local_hostname=self._sender.domain,
        )

    def _say(self, outcome: Outcome) -> None:
        """Log a problem with the server, once. Nothing is logged about an address."""
        reason = outcome.reason if isinstance(outcome, TryLater) and outcome.reason in _OF_THE_SERVER else ""
        if reason and reason != self._said:
            log.warning("e-mail cannot be sent by %s:%d: %s", self._server.host, self._server.port, SAYS[reason])
        elif self._said and not reason:
            log.info("e-mail is sent again")
        self._said = reason


#: The meaning of each reason of `test`.
SAYS: Final = {
    "timeout": "it does not answer in time",
    "not_reached": "no connection",
    "tls": "its certificate is not valid for this name, or it speaks no TLS (STARTTLS where the URL says smtp://)",
    "sign_in": "it refuses the user and password of GATEWAY_SMTP_URL",
    "server": "it refuses what it is told, or hangs up",
}

#: Reasons that say nothing about the address.
_OF_THE_SERVER: Final = frozenset(SAYS)


def _refused(code: int, text: str) -> Outcome:
    """Return what the refusal of a recipient means. Pure."""
    if code < 500:
        return TryLater("greylisted")
    if code == 552 or _NOT_GONE.match(text):
        return TryLater("mailbox")
    return Gone("refused")


def _why(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return "sign_in"
    if isinstance(error, aiosmtplib.SMTPTimeoutError):
        return "timeout"
    if type(error) is aiosmtplib.SMTPException or _is_tls(error):  # raised if there is no STARTTLS
        return "tls"
    if isinstance(error, aiosmtplib.SMTPConnectError | OSError) and not isinstance(
        error, aiosmtplib.SMTPResponseException
    ):
        return "not_reached"
    return "server"


def _is_tls(error: BaseException | None) -> bool:
    """Return whether TLS is the cause: the library wraps its errors."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
