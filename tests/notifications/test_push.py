"""A push, from the message to a push service, and back to the message by somebody else's code."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, derive_private_key, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from http_ece import ECEException

from gateway.clock import system_clock
from gateway.errors import InvalidRequest, Misconfigured
from gateway.notifications.channels.channel import Gone, Link, Message, Outcome, Sent, TryLater
from gateway.notifications.channels.push import Push, topic_of, urgency_of
from gateway.notifications.push import vapid
from gateway.notifications.push.encryption import MESSAGE_BYTES_MAX, encrypt, point_of
from gateway.notifications.push.subscription import BrowserKeys, BrowserSubscription, checked, of_text
from gateway.notifications.push.vapid import Vapid, from_base64, key_of, read_key, to_base64
from gateway.notifications.vocabulary import KINDS
from gateway.outbound.allowed import Allowed
from tests.notifications.browser import LOOPBACK, Browser, claims
from tests.webhooks.receiver import Receiver, receiving, status

pytestmark = pytest.mark.anyio

AT = datetime(2030, 1, 31, 12, tzinfo=UTC)
ID = "evt_01h455vb4pex5vsknk084sn02q"
HTTP = ("https", "http")


@pytest.fixture
async def service() -> AsyncIterator[Receiver]:
    """A push service, on loopback."""
    async with receiving() as receiver:
        receiver.answer = lambda _: status(201, "Location: /message/1")
        yield receiver


def message(title: str = "You received €12.50", text: str = "พี่ @bob จ่ายให้คุณ", kind: str = "money_in") -> Message:
    return Message(
        *(ID, KINDS[kind], "th", AT, title, [text, "And more."]),
        links=[Link("Open", "https://pay.example/")],
        wallet="alice",
    )


async def push(
    to: str, what: Message | None = None, allowed: Allowed = LOOPBACK, vapid: Vapid | None = None
) -> Outcome:
    channel = Push(vapid or Vapid(generate_private_key(SECP256R1()), None), allowed, system_clock)
    try:
        return await channel.send(to, what or message())
    finally:
        await channel.close()


def test_the_example_of_the_rfc() -> None:
    """RFC 8291, section 5 and appendix A."""

    def key(text: str) -> Any:
        return derive_private_key(int.from_bytes(from_base64(text), "big"), SECP256R1())

    browser = key("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94")
    ours = key("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")
    secret, salt = from_base64("BTBZMqHH6r4Tts7J_aSIgg"), from_base64("DGv6ra1nlYgDCS1FRnbzlw")

    body = encrypt(
        b"When I grow up, I want to be a watermelon", point_of(browser.public_key()), secret, ours=ours, salt=salt
    )

    assert to_base64(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl"
        "7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


async def test_a_browser_reads_what_was_sent_and_the_push_service_does_not(service: Receiver) -> None:
    browser = Browser(service.url)
    assert await push(browser.address) == Sent()
    (request,) = service.received
    assert msgspec.json.decode(browser.reads(request.body)) == {
        "title": "You received €12.50",
        "body": "พี่ @bob จ่ายให้คุณ\nAnd more.",
        "url": f"/notifications#{ID}",
        "tag": f"{ID} alice",
        "lang": "th",
    }
    assert b"@bob" not in request.body


@pytest.mark.parametrize(
    ("title", "text"), [("a", "พ" * 5_000), ("พ" * 5_000, "a"), ("ส" * 5_000, '"\\' * 5_000), ("a", '"' * 9_000)]
)
async def test_what_is_too_long_is_cut_and_says_so(service: Receiver, title: str, text: str) -> None:
    browser = Browser(service.url)
    assert await push(browser.address, message(title, text)) == Sent()
    (request,) = service.received
    assert len(request.body) <= 4_096
    shown = msgspec.json.decode(browser.reads(request.body))
    assert "…" in shown["title"] + shown["body"]
    assert shown["tag"] == f"{ID} alice"


def test_as_much_is_encrypted_as_a_push_takes() -> None:
    browser = Browser("https://push.example/1")
    full = b"x" * MESSAGE_BYTES_MAX
    body = encrypt(full, browser.subscription.key, browser.auth)
    assert (len(body), browser.reads(body)) == (4_096, full)
    assert browser.reads(encrypt(b"", browser.subscription.key, browser.auth)) == b""


async def test_no_two_pushes_have_a_key_or_a_salt_in_common(service: Receiver) -> None:
    browser = Browser(service.url)
    for _ in range(2):
        await push(browser.address)
    first, second = (request.body for request in service.received)
    assert first[:16] != second[:16]
    assert first[21:86] != second[21:86]


async def test_another_browser_reads_nothing(service: Receiver) -> None:
    browser = Browser(service.url)
    await push(browser.address)
    (request,) = service.received
    for other in (Browser(service.url), Browser(service.url, key=browser.key), Browser(service.url, auth=browser.auth)):
        with pytest.raises(ECEException, match="InvalidTag"):
            other.reads(request.body)


async def test_a_push_says_who_sends_it_until_when_and_how_urgent_it_is(service: Receiver) -> None:
    sender = Vapid(generate_private_key(SECP256R1()), "mailto:ops@pay.example")
    began = datetime.now(UTC)
    await push(Browser(f"{service.url}/a-secret-path").address, message(kind="needs_approval"), vapid=sender)
    (request,) = service.received
    said = claims(request)
    assert said["aud"] == f"http://127.0.0.1:{service.port}"
    assert said["sub"] == "mailto:ops@pay.example"
    assert timedelta(hours=1) < datetime.fromtimestamp(said["exp"], UTC) - began < timedelta(hours=24)
    assert request.headers["authorization"].endswith(f", k={sender.public_key}")
    wanted = {"ttl": "86400", "urgency": "high", "topic": topic_of(message()), "content-encoding": "aes128gcm"}
    assert {name: request.headers[name] for name in wanted} == wanted
    assert "cookie" not in request.headers


@pytest.mark.parametrize("kind", KINDS)
def test_what_its_owner_may_have_to_act_on_wakes_a_device_at_once(kind: str) -> None:
    assert urgency_of(message(kind=kind)) == ("normal" if kind in ("money_in", "bank_movement", "request") else "high")


async def test_without_a_subject_none_is_made_up(service: Receiver) -> None:
    await push(Browser(service.url).address)
    assert "sub" not in claims(service.received[0])


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        *((code, Sent()) for code in (200, 201, 202, 204)),
        *((code, Gone(f"http_{code}")) for code in (404, 410)),
        *((code, TryLater(f"http_{code}")) for code in (413, 429, 500, 502, 503, 507)),
        *((code, TryLater(f"http_{code}")) for code in (301, 307, 400, 401, 403)),
    ],
)
async def test_the_status_decides(service: Receiver, code: int, outcome: Outcome) -> None:
    service.answer = lambda _: status(code)
    assert await push(Browser(service.url).address) == outcome


async def test_what_a_push_service_asks_to_wait_is_heeded(service: Receiver) -> None:
    service.answer = lambda _: status(429, "Retry-After: 120")
    assert await push(Browser(service.url).address) == TryLater("http_429", timedelta(minutes=2))


async def test_a_push_goes_to_no_address_that_is_not_public(service: Receiver) -> None:
    """A subscription is what a browser says: its URL may name anything."""
    for host in ("127.0.0.1", "localhost"):
        to = Browser(f"http://{host}:{service.port}/push").address
        assert await push(to, allowed=Allowed(HTTP)) == Gone("address_refused")
    assert service.connections == 0


async def test_no_redirect_of_a_push_service_is_followed(service: Receiver) -> None:
    async with receiving() as other:
        for code in (301, 302, 303, 307, 308):
            service.answer = lambda _, code=code: status(code, f"Location: {other.url}")
            assert await push(Browser(service.url).address) == TryLater(f"http_{code}")
        assert other.connections == 0


async def test_a_push_service_that_breaks_off_is_tried_later(service: Receiver) -> None:
    service.answer = lambda _: b""
    assert await push(Browser(service.url).address) == TryLater("connection_lost")


def test_a_subscription_is_kept_and_read_again_and_shows_no_capability() -> None:
    kept = Browser("http://127.0.0.1:9999/capability").subscription
    assert of_text(kept.text) == kept
    assert repr(kept) == f"Subscription({kept.shown})"
    assert re.fullmatch("127.0.0.1 [0-9a-f]{8}", kept.shown)
    assert kept.shown != Browser("http://127.0.0.1:9999/another").subscription.shown


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ("http://push.example/1", "should begin with https://"),
        ("https://127.0.0.1/1", "127.0.0.1 is not a public address"),
        ("https://[::1]/1", "is not a public address"),
        ("https://user:word@push.example/1", "has a user or a password"),
        ("https://push.example:22/1", "port 22"),
        ("https://push.example/1#part", "fragment"),
        ("push.example", "should begin with https://"),
        ("https://push.example/" + "a" * 2_000, "at most 2000"),
    ],
)
def test_an_endpoint_that_no_push_can_go_to_is_refused_with_the_reason(endpoint: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said) as refused:
        checked(Allowed(), BrowserSubscription(endpoint, BrowserKeys(**Browser(endpoint).json["keys"])))
    assert refused.value.kind == "endpoint"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("p256dh", "", "65 bytes in base64url"),
        ("p256dh", "AAAA", "65 bytes in base64url"),
        ("p256dh", "A" * 87, "not a point of the curve"),
        ("p256dh", "BA" + "A" * 85, "not a point of the curve"),
        ("p256dh", "é" * 87, "65 bytes in base64url"),
        ("auth", "", "16 bytes in base64url"),
        ("auth", "A" * 21, "16 bytes in base64url"),
        ("auth", "AAAA+/AAAAAAAAAAAAAAAA", "16 bytes in base64url"),
    ],
)
def test_keys_that_are_none_are_refused_with_the_reason(name: str, value: str, said: str) -> None:
    keys = Browser("https://push.example/1").json["keys"] | {name: value}
    with pytest.raises(InvalidRequest, match=said) as refused:
        checked(Allowed(), BrowserSubscription("https://push.example/1", BrowserKeys(**keys)))
    assert refused.value.kind == name


def test_a_key_is_read_as_tools_write_it() -> None:
    key = generate_private_key(SECP256R1())
    raw = to_base64(key.private_numbers().private_value.to_bytes(32, "big"))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    assert {Vapid(read_key(text), None).public_key for text in (raw, pem, f"{raw}=")} == {Vapid(key, None).public_key}


@pytest.mark.parametrize("text", ["x", "A" * 43, "A" * 86, "é", "-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_what_is_no_key_is_said_without_showing_it(text: str) -> None:
    with pytest.raises(Misconfigured, match="generate-vapid-keys") as refused:
        read_key(text)
    assert "AAAA" not in str(refused.value)


def test_a_key_of_another_curve_is_refused() -> None:

    pem = generate_private_key(SECP384R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(Misconfigured, match=r"P-256"):
        read_key(pem.decode())


def test_the_same_secret_gives_the_same_key_and_no_secret_gives_none() -> None:
    keys = [Vapid(key_of(secret), None).public_key for secret in (bytes(48), bytes(48), b"\xff" * 48)]
    assert keys[0] == keys[1] != keys[2]
    assert "private" not in repr(vapid.Vapid(key_of(bytes(48)), None)).lower()
