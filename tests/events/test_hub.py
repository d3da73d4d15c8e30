"""What is kept for whoever waits for events: a thousand, and then no more."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from gateway.events import hub
from gateway.events.hub import Subscription
from gateway.events.log import LoggedEvent
from gateway.ids import WalletId

pytestmark = pytest.mark.anyio


def shown(number: int) -> tuple[LoggedEvent, bytes]:
    return LoggedEvent(number, "payment.settled", None, {}, datetime(2030, 1, 1, tzinfo=UTC), 1), b"%d" % number


async def test_what_is_not_taken_is_kept_up_to_a_bound_and_then_nothing_comes_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub, "KEPT_MAX", 3)
    slow, quick = Subscription(WalletId(UUID(int=1))), Subscription(WalletId(UUID(int=1)))
    for number in range(5):
        for one in (slow, quick):
            one.put(shown(number))
        assert await quick.take(1) == [shown(number)]
    assert slow.cut
    assert await slow.take(1) == []
    assert not quick.cut
