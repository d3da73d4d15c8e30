"""E-mail against a server that takes it, refuses it, hangs, or is not there; with TLS and without."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.config.mail import SmtpServer
from gateway.notifications.channels.channel import Gone, Link, Message, Sent, TryLater
from gateway.notifications.channels.email import Email
from gateway.notifications.channels.email_body import email
from gateway.notifications.vocabulary import KINDS
from tests.notifications.mail_server import SENDER, MailServer, refusing, serving
from tests.webhooks.test_sender import certified

pytestmark = pytest.mark.anyio

TO = "alice@example.com"
MESSAGE = Message(
    wallet="alice",
    id="evt_01h455vb4py0080000000000gh",
    kind=KINDS["money_out"],
    locale="en",
    at=datetime(2030, 1, 31, 12, tzinfo=UTC),
    title="You paid €10.00 to @bob",
    lines=["€10.00 went from your wallet to @bob & <friends>."],
    details=[("When", "31 January 2030")],
    links=[Link("This wasn't me", "https://pay.example/report#nm_1"), Link("Open", "https://pay.example/")],
    footer=["You get this message."],
    unsubscribe_url=f"https://pay.example/v1/notifications/unsubscribe/gu_{'A' * 43}/money_out",
    unsubscribe=Link("Stop", "https://pay.example/unsubscribe#gu_1/money_out"),
)


@pytest.fixture
async def mails() -> AsyncIterator[MailServer]:
    async with serving() as mails:
        yield mails


async def test_a_message_has_a_text_and_an_html_part_and_the_headers_of_its_kind(mails: MailServer) -> None:
    channel = Email(mails.server())
    assert await channel.send(TO, MESSAGE) == Sent()
    assert await channel.send(TO, MESSAGE) == Sent()

    first, second = mails.mails
    assert (first.sender, first.to) == ("no-reply@pay.example", [TO])
    headers = first.message
    assert headers["From"] == "Example Pay <no-reply@pay.example>"
    assert headers["Message-ID"] == second.message["Message-ID"] == f"<{MESSAGE.id}.alice@pay.example>"
    assert headers["Date"] == second.message["Date"]
    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["List-Unsubscribe"] == f"<{MESSAGE.unsubscribe_url}>"
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    for part in (first.text, first.part("html")):
        for url in ("https://pay.example/report#nm_1", "https://pay.example/unsubscribe#gu_1/money_out"):
            assert url in part
    assert "@bob &amp; &lt;friends&gt;." in first.part("html")
    assert "<img" not in first.part("html"), "whether it is read is nobody's business"
    assert max(map(len, first.raw.splitlines())) <= 998, "RFC 5322, 2.1.1"


def test_one_click_is_offered_over_https_alone() -> None:
    url = "http://127.0.0.1:8000/v1/notifications/unsubscribe/gu_1/money_out"
    mail = email(Message("evt_1", None, "en", MESSAGE.at, "Title", ["Line"], unsubscribe_url=url), SENDER, TO)
    assert f"List-Unsubscribe: <{url}>\r\n".encode() in mail
    assert b"List-Unsubscribe-Post" not in mail


@pytest.mark.parametrize("text", ["Hello\r\nBcc: mallory@example.com", "Hello\nX: y", "Hello\rX: y"])
def test_no_text_begins_a_header(text: str) -> None:
    with pytest.raises(ValueError, match=r"linefeed|carriage return|newline"):
        email(Message("evt_1", None, "en", MESSAGE.at, text, ["Line"]), SENDER, TO)


def test_no_url_begins_a_header() -> None:
    with pytest.raises(ValueError, match="line ends"):
        email(
            Message("evt_1", None, "en", MESSAGE.at, "", [], unsubscribe_url="https://a/\r\nBcc: b@c.example"),
            SENDER,
            TO,
        )


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("550 5.1.1 no such user", Gone("refused")),
        ("550 nobody here", Gone("refused")),
        ("553 5.1.3 bad address", Gone("refused")),
        ("552 5.2.2 mailbox full", TryLater("mailbox")),
        ("550 5.7.1 not from you", TryLater("mailbox")),
        ("450 4.2.0 greylisted", TryLater("greylisted")),
        ("451 4.3.0 later", TryLater("greylisted")),
    ],
)
async def test_what_a_refused_recipient_means(answer: str, outcome: object, mails: MailServer) -> None:
    mails.recipient = refusing(answer)
    assert await Email(mails.server()).send(TO, MESSAGE) == outcome


@pytest.mark.parametrize("answer", ["554 5.6.0 no such content here", "451 4.3.0 later", "552 too much"])
async def test_a_message_that_is_refused_says_nothing_of_the_address(answer: str, mails: MailServer) -> None:
    mails.data = refusing(answer)
    assert await Email(mails.server()).send(TO, MESSAGE) == TryLater("server")


async def test_a_server_that_hangs_has_so_long_and_no_longer(mails: MailServer) -> None:
    hangs = asyncio.Event()

    async def hang(_: str) -> None:
        await hangs.wait()

    mails.data = hang
    assert await Email(mails.server(), seconds=0.3).send(TO, MESSAGE) == TryLater("timeout")
    hangs.set()


async def test_what_was_taken_is_sent_though_the_server_hangs_or_breaks_off_afterwards(mails: MailServer) -> None:
    hangs = asyncio.Event()

    async def hang(_: str) -> None:
        await hangs.wait()

    mails.goodbye = hang
    assert await Email(mails.server(), seconds=0.3).send(TO, MESSAGE) == Sent()
    hangs.set()
    mails.goodbye = refusing("421 4.3.0 going down")
    assert await Email(mails.server()).send(TO, MESSAGE) == Sent()


async def test_a_server_that_says_nothing_has_so_long_and_no_longer() -> None:
    async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    channel = Email(SmtpServer("127.0.0.1", port, "none", None, None, SENDER), seconds=0.3)
    assert await channel.send(TO, MESSAGE) == TryLater("timeout")
    server.close()


async def test_a_server_that_is_not_there_is_said_once(mails: MailServer, caplog: pytest.LogCaptureFixture) -> None:
    server = mails.server()
    there = Email(server)
    away = Email(SmtpServer("127.0.0.1", 1, "none", None, None, SENDER))
    for _ in range(3):
        assert await away.send(TO, MESSAGE) == TryLater("not_reached")
    assert [one.message for one in caplog.records] == ["e-mail cannot be sent by 127.0.0.1:1: no connection"]
    assert await there.send(TO, MESSAGE) == Sent()
    assert await away.test() == "not_reached"
    assert await there.test() is None


# ---- TLS and passwords ----------------------------------------------------------------------------------------------


async def test_it_is_encrypted_from_the_start(tmp_path: Path) -> None:
    server, client = certified(tmp_path, "localhost")
    async with serving(server, password=("gateway", "pa:ss@word")) as mails:
        assert await Email(mails.server("tls"), tls=client).send(TO, MESSAGE) == Sent()
        (mail,) = mails.mails
        assert (mail.user, mail.to) == ("gateway", [TO])


async def test_or_by_starttls_before_anything_is_said(tmp_path: Path) -> None:
    server, client = certified(tmp_path, "localhost")
    async with serving(server, starttls=True, password=("gateway", "secret")) as mails:
        assert await Email(mails.server("starttls"), tls=client).send(TO, MESSAGE) == Sent()
        assert mails.mails[0].tls
        assert await Email(mails.server("starttls"), tls=client).test() is None


async def test_a_server_without_starttls_is_told_no_password_and_no_message(mails: MailServer) -> None:
    mails.password = ("gateway", "secret")
    assert await Email(mails.server("starttls")).send(TO, MESSAGE) == TryLater("tls")
    assert mails.tried == []


@pytest.mark.parametrize("starttls", [True, False])
@pytest.mark.parametrize(("name", "days"), [("localhost", 1), ("other.example", 1), ("localhost", -1)])
async def test_a_mail_server_whose_certificate_is_not_valid_is_told_nothing(
    starttls: bool, name: str, days: int, tmp_path: Path
) -> None:
    server, client = certified(tmp_path, name, days)
    trusted = client if (name, days) != ("localhost", 1) else ssl.create_default_context()
    async with serving(server, starttls=starttls) as mails:
        channel = Email(mails.server("starttls" if starttls else "tls"), tls=trusted)
        assert await channel.send(TO, MESSAGE) == TryLater("tls")
        assert mails.tried == []


async def test_a_wrong_password_is_not_the_address_s_fault(tmp_path: Path) -> None:
    server, client = certified(tmp_path, "localhost")
    async with serving(server, password=("gateway", "secret")) as mails:
        wrong = SmtpServer("localhost", mails.port, "tls", "gateway", "wrong", SENDER)
        assert await Email(wrong, tls=client).send(TO, MESSAGE) == TryLater("sign_in")
        assert "secret" not in repr(mails.server())
        assert "wrong" not in repr(wrong)
