"""The id of an event."""

from datetime import UTC, datetime

import pytest

from gateway.errors import InvalidRequest
from gateway.events import event_id
from gateway.ids import new_id, show

AT = datetime(2030, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize("number", [0, 1, 1 << 40, (1 << 62) - 1])
def test_an_id_encodes_the_number_of_its_event(number: int) -> None:
    assert event_id.number_of(event_id.show(number, AT), "up_to", "'up_to'") == number


@pytest.mark.parametrize(
    "text",
    ["17", "", "evt_", show("evt", new_id(AT)), show("pay", new_id(AT)), "e" * 100],
    ids=["a number", "nothing", "a prefix", "an id without a number", "an id of a payment", "a long text"],
)
def test_any_other_text_is_refused_by_the_name_of_the_part_that_it_was_sent_in(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        event_id.number_of(text, "last_event_id", "Last-Event-ID")
    assert refused.value.kind == "last_event_id"
    assert str(refused.value) == f"Last-Event-ID cannot be {text[:60]!r}: it should be the id of an event (evt_…)"
