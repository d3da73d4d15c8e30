"""Webhooks are verified as the specification's own library does."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from gateway.client import Client, UnknownEvent, WebhookNotVerified
from gateway.client.resources.webhooks import Webhooks
from gateway.webhooks import message

SECRET = bytes(range(32))
TEXT = message.secret_text(SECRET)
BODY = json.dumps(
    {
        "id": "evt_1",
        "type": "deposit.settled",
        "created_at": "t",
        "api_version": "v1",
        "wallet_id": "wal_1",
        "sequence": 1,
        "data": {"object": "bank_movement", "id": "dep_1", "state": "settled", "amount": "1.00", "asset": "EUR"}
        | {"created_at": "t"},
    }
).encode()


def now() -> datetime:
    return datetime.now(UTC)


def signed(body: bytes = BODY, *keys: bytes) -> dict[str, str]:
    return dict(message.headers(keys or (SECRET,), "evt_1", now(), body))


def test_what_the_gateway_signs_is_verified_and_read() -> None:
    event = Client("http://127.0.0.1").webhooks.verify(BODY, signed(), TEXT)
    assert (event.id, event.type, event.data.id) == ("evt_1", "deposit.settled", "dep_1")  # type: ignore[union-attr]
    assert Webhook(TEXT).verify(BODY, signed())["id"] == event.id


def test_names_of_headers_come_in_any_case_and_two_secrets_sign_while_one_is_rotated() -> None:
    for keys in ((SECRET, b"x" * 32), (b"x" * 32, SECRET)):
        headers = {name.title(): value for name, value in signed(BODY, *keys).items()}
        assert Webhooks.verify(BODY, headers, TEXT).id == "evt_1"


def test_a_webhook_that_was_too_large_has_only_what_to_ask_for() -> None:
    body = message.fitting(BODY.replace(b'"created_at": "t"}}', b'"x": "%s", "created_at": "t"}}' % (b"x" * 20_000)))
    event = Webhooks.verify(body, signed(body), TEXT)
    assert isinstance(event, UnknownEvent)
    assert event.data == {"object": "bank_movement", "id": "dep_1"}


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "evt_2"},
        {"webhook-timestamp": str(int(time.time()) - 301)},
        {"webhook-timestamp": str(int(time.time()) + 3_600)},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,\u00e9"},
        {"webhook-signature": signed()["webhook-signature"].replace("v1,", "v2,")},
        {"webhook-signature": signed(BODY, b"x" * 32)["webhook-signature"]},
    ],
)
def test_what_the_library_refuses_is_refused(change: dict[str, str]) -> None:
    headers = signed() | change
    with pytest.raises((WebhookVerificationError, ValueError)):
        Webhook(TEXT).verify(BODY, headers)
    with pytest.raises(WebhookNotVerified):
        Webhooks.verify(BODY, headers, TEXT)


@pytest.mark.parametrize("seconds", [-310, 310])
def test_a_signed_webhook_is_good_for_five_minutes(seconds: int) -> None:
    headers = dict(message.headers((SECRET,), "evt_1", now() + timedelta(seconds=seconds), BODY))
    with pytest.raises(WebhookVerificationError):
        Webhook(TEXT).verify(BODY, headers)
    with pytest.raises(WebhookNotVerified, match="its time is not that of now"):
        Webhooks.verify(BODY, headers, TEXT)


def test_another_body_and_a_missing_header_are_refused() -> None:
    headers = signed()
    with pytest.raises(WebhookNotVerified, match="no signature is by this secret"):
        Webhooks.verify(BODY + b" ", headers, TEXT)
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        with pytest.raises(WebhookNotVerified, match=f"it has no header {name}"):
            Webhooks.verify(BODY, {key: value for key, value in headers.items() if key != name}, TEXT)


def test_a_secret_that_is_none_is_said_to_be_none() -> None:
    with pytest.raises(ValueError, match="whsec_ and base64"):
        Webhooks.verify(BODY, signed(), "whsec_!")
