"""E-mail, by the SMTP server that the settings name (RFC 5321).

The connection is encrypted from the start (`smtps`) or by STARTTLS before anything is said (`smtp`), and the server's
certificate is checked either way; without encryption only a server on this machine is spoken to. Each message has a
connection of its own: one that is kept would be closed by the server at a time of its choosing, and a message that was
under way then is neither sent nor not sent.

What the server answers decides. That the recipient is refused for good (5xx to RCPT TO) means that the address is none,
unless it is refused for what was sent or for a full mailbox (RFC 3463, 5.2.2 and 5.7). All else is tried later.
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

#: From the look-up of the server's name to its answer to the whole message, and for one answer, in seconds.
TOTAL_SECONDS: Final = 45.0
_ANSWER_SECONDS: Final = 15.0

#: An address as RFC 5321 has it (4.1.2), without quotes and literals: a dot-string at a domain with a dot.
_ADDRESS: Final = re.compile(
    r"(?=.{6,254}\Z)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])\Z",
    re.ASCII,
)
_LOCAL_MAX: Final = 64

#: Enhanced status codes that say something of the message or the mailbox, not that there is none (RFC 3463).
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
        """The address with its domain in lower case. Raises InvalidRequest."""
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
        """Hand it in. A reason is one of: refused (gone); mailbox, server, timeout, not_reached, tls, sign_in,
        greylisted (later).
        """
        outcome: Outcome = TryLater("timeout")
        try:
            async with asyncio.timeout(self._seconds), self._connected() as client:
                await client.sendmail(self._sender.addr_spec, [address], email(message, self._sender, address))
                outcome = Sent()  # whatever comes of saying goodbye
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
        """Connect and sign in, and send nothing. None, or why that cannot be done, as `send` has it."""
        try:
            async with asyncio.timeout(self._seconds), self._connected():
                return None
        except TimeoutError:
            return "timeout"
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            return _why(error)

    def _connected(self) -> "aiosmtplib.SMTP":
        """A connection that is encrypted and signed in once it is entered."""
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
        """Log what is wrong with the server, once: of an address nothing is logged."""
        reason = outcome.reason if isinstance(outcome, TryLater) and outcome.reason in _OF_THE_SERVER else ""
        if reason and reason != self._said:
            log.warning("e-mail cannot be sent by %s:%d: %s", self._server.host, self._server.port, SAYS[reason])
        elif self._said and not reason:
            log.info("e-mail is sent again")
        self._said = reason


#: What each reason of `test` means.
SAYS: Final = {
    "timeout": "it does not answer in time",
    "not_reached": "no connection",
    "tls": "its certificate is not valid for this name, or it speaks no TLS (STARTTLS where the URL says smtp://)",
    "sign_in": "it refuses the user and password of GATEWAY_SMTP_URL",
    "server": "it refuses what it is told, or hangs up",
}

#: Reasons that say nothing of the address.
_OF_THE_SERVER: Final = frozenset(SAYS)


def _refused(code: int, text: str) -> Outcome:
    """What it means that a recipient is refused. Pure."""
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
    if type(error) is aiosmtplib.SMTPException or _is_tls(error):  # what it raises where there is no STARTTLS
        return "tls"
    if isinstance(error, aiosmtplib.SMTPConnectError | OSError) and not isinstance(
        error, aiosmtplib.SMTPResponseException
    ):
        return "not_reached"
    return "server"


def _is_tls(error: BaseException | None) -> bool:
    """Whether TLS is behind it: the library wraps what it has met."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
