"""Ids: UUIDv7 inside, TypeID outside."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.ids import new_id, read, show
from tests.factory import NOW

UUIDS = st.uuids() | st.integers(0, 2**128 - 1).map(lambda value: UUID(int=value))


@given(value=UUIDS, prefix=st.sampled_from(["pay", "wal", "cnv", "a_b"]))
def test_an_id_is_read_as_it_was_shown(value: UUID, prefix: str) -> None:
    shown = show(prefix, value)
    assert len(shown) == len(prefix) + 27
    assert read(prefix, shown) == value


@given(one=UUIDS, other=UUIDS)
def test_ids_are_shown_in_their_order(one: UUID, other: UUID) -> None:
    assert (one < other) == (show("pay", one) < show("pay", other))


def test_an_id_is_shown_as_the_specification_says() -> None:
    assert show("prefix", UUID("01890a5d-ac96-774b-bcce-b302099a8057")) == "prefix_01h455vb4pex5vsknk084sn02q"
    assert show("prefix", UUID(int=0)) == "prefix_" + "0" * 26
    assert show("prefix", UUID(int=2**128 - 1)) == "prefix_7" + "z" * 25


@given(text=st.text() | st.from_regex(r"pay_[0-9a-z]{25,27}", fullmatch=True))
def test_whatever_is_no_id_is_refused(text: str) -> None:
    try:
        value = read("pay", text)
    except InvalidRequest:
        return
    assert show("pay", value) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "pay", "pay_", "pay_" + "0" * 9999, "pay_01h455vb4pex5vsknk084sn02", "pay_01h455vb4pex5vsknk084sn02qq"),
        *("wal_01h455vb4pex5vsknk084sn02q", "PAY_01h455vb4pex5vsknk084sn02q", "pay_81h455vb4pex5vsknk084sn02q"),
        *("pay_01H455VB4PEX5VSKNK084SN02Q", "pay_01h455vb4pex5vsknk084sn02u", "pay01h455vb4pex5vsknk084sn02q"),
        "pay__01h455vb4pex5vsknk084sn02q",
    ],
)
def test_these_are_no_ids_of_payments(text: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read("pay", text)
    assert len(str(refusal.value)) < 200


@given(at=st.datetimes(timezones=st.just(UTC)).filter(lambda at: 1970 < at.year < 9999))
def test_an_id_begins_with_its_time_and_says_its_version(at: datetime) -> None:
    id = new_id(at)
    assert (id.version, id.variant) == (7, "specified in RFC 4122")
    assert id.int >> 80 == int(at.timestamp() * 1000)


def test_ids_of_later_milliseconds_sort_later_and_none_is_made_twice() -> None:
    made = [new_id(NOW + timedelta(milliseconds=n)) for n in range(1000)]
    assert made == sorted(made)
    assert len({new_id(NOW) for _ in range(10_000)}) == 10_000
