"""What is read of a stranger's answer."""

from datetime import timedelta

import pytest

from gateway.clock import system_clock
from gateway.outbound.http_client import HttpClient
from tests.webhooks.conftest import LOOPBACK
from tests.webhooks.receiver import receiving, status

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        ("Retry-After: 120", timedelta(seconds=120)),
        ("Retry-After: 90000", timedelta(days=1)),
        ("Retry-After: " + "9" * 30, timedelta(days=1)),
        ("Retry-After: soon", None),
        ("X-Other: 1", None),
    ],
)
async def test_a_stranger_can_ask_for_a_day_and_no_longer(header: str, asked: timedelta | None) -> None:
    client = HttpClient("test", LOOPBACK, system_clock, 1)
    async with receiving() as receiver:
        receiver.answer = lambda _: status(429, header)
        answer = await client.post(receiver.url, {}, b"{}")
    await client.close()
    assert (answer.status, answer.retry_after) == (429, asked)
