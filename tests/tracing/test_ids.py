"""Ids of traces, what is sampled, and what a caller's `traceparent` says."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ids import new_id, show
from gateway.tracing.ids import Caller, Context, Ratio, caller_of, root_of

NOW = datetime(2030, 1, 1, tzinfo=UTC)
PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@given(st.uuids(), st.floats(0, 1))
def test_an_id_and_its_text_are_sampled_alike(id: UUID, ratio: float) -> None:
    takes = Ratio(ratio)
    assert takes.takes(id) == takes.takes_letters(show("pay", id)[-8:].encode())


@given(st.uuids())
def test_all_are_sampled_at_one_and_none_at_nought(id: UUID) -> None:
    assert Ratio(1).takes(id)
    assert not Ratio(0).takes(id)
    assert not Ratio(0).takes_letters(b"zzzzzzzz")


def test_a_tenth_of_the_ids_of_one_moment_is_a_tenth() -> None:
    takes = Ratio(0.1)
    taken = sum(takes.takes(new_id(NOW)) for _ in range(20_000))
    assert 1_600 < taken < 2_400


def test_what_is_sampled_at_a_ratio_is_sampled_at_a_higher_one() -> None:
    ids = [new_id(NOW) for _ in range(1_000)]
    some, more = ({id for id in ids if Ratio(ratio).takes(id)} for ratio in (0.2, 0.5))
    assert some < more


def test_the_trace_of_a_payment_is_its_uuid() -> None:
    id = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
    assert root_of(id) == Context(0x01890A5DAC96774BBCCEB302099A8057, 0xBCCEB302099A8057)


@pytest.mark.parametrize(("flags", "sampled"), [(b"00", False), (b"01", True), (b"03", True), (b"02", False)])
def test_the_callers_span_is_read(flags: bytes, sampled: bool) -> None:
    context = Context(0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7)
    assert caller_of([(b"host", b"x"), (b"traceparent", PARENT[:-2] + flags)]) == Caller(context, sampled)


def test_a_later_version_may_say_more() -> None:
    assert caller_of([(b"traceparent", b"cc" + PARENT[2:] + b"-what-else")]) is not None


@pytest.mark.parametrize(
    "value",
    [
        b"",
        PARENT[:-1],
        PARENT + b"-more",
        PARENT.upper(),
        b"ff" + PARENT[2:],
        b"00-" + b"0" * 32 + PARENT[35:],
        PARENT[:36] + b"0" * 16 + b"-01",
    ],
)
def test_what_the_specification_says_to_ignore_is_ignored(value: bytes) -> None:
    assert caller_of([(b"traceparent", value)]) is None
