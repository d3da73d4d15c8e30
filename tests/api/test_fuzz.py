"""Whatever is sent, the answer is one that the document announces, and never our mistake."""

import json
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.conftest import Api, Person

pytestmark = pytest.mark.anyio

FUZZ = settings(
    max_examples=120,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

PATHS = [
    *(f"/v1/{name}" for name in ("handles", "deposits", "withdrawals", "conversions", "payments", "payments/preview")),
    *(f"/v1/payments/pay_01h455vb4pex5vsknk084sn02q/{end}" for end in ("capture", "void", "refund")),
]
TEXT = st.one_of(
    st.text(),
    st.sampled_from(["@bob", "alice", "EUR", "USDX", "1.00", "0.01", "JPY", "1e5", "-1", "\0", "0x1"]),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
NEAR = st.fixed_dictionaries(
    {},
    optional={
        "to": TEXT | JSON, "amount": TEXT | JSON, "asset": TEXT | JSON, "to_asset": TEXT | JSON,
        "memo": TEXT | JSON, "capture": JSON, "handle": TEXT | JSON,
    },
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@FUZZ
@given(body=JSON | NEAR, at_once=st.booleans())
async def test_any_json_is_answered(alice: Person, bob: Person, path: str, body: Any, at_once: bool) -> None:
    answer = await alice.post(path, json.dumps(body, ensure_ascii=at_once).encode("utf-8", "surrogatepass"))
    assert answer.status_code < 500


@pytest.mark.parametrize("path", PATHS[-6:])
@FUZZ
@given(body=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
async def test_any_bytes_are_answered(alice: Person, bob: Person, path: str, body: bytes) -> None:
    assert (await alice.post(path, body)).status_code < 500


@FUZZ
@given(header=st.text(st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n"), max_size=300))
async def test_any_header_is_answered(alice: Person, header: str) -> None:
    for name in ("Authorization", "Idempotency-Key", "X-Request-Id", "Content-Type", "Accept"):
        headers = {**alice.bearer, "Idempotency-Key": uuid4().hex, name: header.encode("latin-1")}
        answer = await alice.api.call("POST", "/v1/deposits", json={"amount": "1", "asset": "JPY"}, headers=headers)
        assert answer.status_code < 500


@FUZZ
@given(value=st.text(max_size=60), where=st.sampled_from(["asset=EUR&cursor", "asset", "limit", "after"]))
async def test_any_parameter_is_answered(alice: Person, value: str, where: str) -> None:
    *first, name = where.split("&")
    given = dict(part.split("=") for part in first) | {name: value.encode("utf-8", "ignore").decode()}
    for path in ("/v1/entries", "/v1/payments", "/v1/events"):
        answer = await alice.api.call("GET", path, params=given, headers=alice.bearer)
        assert answer.status_code < 500


async def test_after_all_of_it_the_ledger_is_right(shared: Api) -> None:
    assert await shared.wrong() == []
