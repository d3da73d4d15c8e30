"""What is sent, by the specification's own words and by its library."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from standardwebhooks import Webhook

from gateway.webhooks import message, schedule

AT = datetime(2030, 1, 31, 12, tzinfo=UTC)


def test_a_signature_is_that_of_the_library() -> None:
    secret, body = message.new_secret(), '{"data":"é"}'.encode()
    (other,) = {message.new_secret()}
    headers = message.headers([secret, other], "evt_1", AT, body)

    assert headers["webhook-timestamp"] == str(int(AT.timestamp()))
    expected = [Webhook(message.secret_text(one)).sign("evt_1", AT, body.decode()) for one in (secret, other)]
    assert headers["webhook-signature"] == " ".join(expected)


def test_the_signature_of_an_example_that_everybody_knows() -> None:
    """The one that the libraries of Standard Webhooks test themselves with."""
    secret = msgspec.json.decode(b'"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"', type=bytes)
    signed = message.signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("size", [0, 19_000, 20_000, 65_000])
def test_a_body_is_smaller_than_20_kb_and_else_names_what_to_fetch(size: int) -> None:
    event = {"id": "evt_1", "type": "payment.settled", "data": {"object": "payment", "id": "pay_1", "memo": "a" * size}}
    body = msgspec.json.encode(event)
    sent = message.fitting(body)

    assert len(sent) < 20_000
    if len(body) < 20_000:
        assert sent == body
    else:
        assert msgspec.json.decode(sent) == {**event, "data": {"object": "payment", "id": "pay_1"}}


def test_waits_grow_over_three_days_and_end() -> None:
    waits = [schedule.wait(tries) for tries in range(1, 12)]
    assert waits[9:] == [None, None]
    there = [wait for wait in waits if wait is not None]
    assert there == sorted(there)
    assert timedelta(days=3) < sum(there, timedelta()) < timedelta(days=4)
    assert len({schedule.wait(3) for _ in range(20)}) > 1, "with some chance"


def test_an_endpoint_that_fails_is_left_alone_for_longer_and_longer() -> None:
    pauses = [schedule.pause(failures) for failures in range(1, 40)]
    assert pauses[:4] == [timedelta()] * 4
    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(minutes=5)
