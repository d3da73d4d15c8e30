"""What is submitted signed: read strictly, before anything else is asked."""

from typing import Any

import pytest

from tests.api.conftest import Api, Person, code_of

pytestmark = pytest.mark.anyio

GOOD: dict[str, Any] = {
    "asset": "USDX",
    "from": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "to": "0x1111111111111111111111111111111111111111",
    "value": "1000000",
    "validAfter": "0",
    "validBefore": "1900000000",
    "nonce": "0x" + 64 * "7",
    "signature": "0x" + 65 * "1b",
}


@pytest.mark.parametrize(
    ("field", "wrong", "answer"),
    [
        ("asset", "NONE", (422, "unknown_asset")),
        ("asset", "EUR", (400, "invalid_request")),
        ("from", "@alice", (400, "invalid_request")),
        ("value", "0", (400, "invalid_request")),
        ("value", "-1", (400, "invalid_request")),
        ("value", "1.5", (400, "invalid_request")),
        ("value", 1_000_000, (400, "invalid_request")),
        ("value", "9" * 78, (400, "invalid_request")),
        ("value", "٣", (400, "invalid_request")),
        ("validAfter", "9999999999", (400, "invalid_request")),
        ("validBefore", "soon", (400, "invalid_request")),
        ("nonce", 64 * "7", (400, "invalid_request")),
        ("nonce", "0x77", (400, "invalid_request")),
        ("signature", "0x1", (400, "invalid_request")),
        ("more", "1", (400, "invalid_request")),
    ],
)
async def test_what_is_no_signed_payment_is_refused_and_says_why(
    shared: Api, alice: Person, field: str, wrong: Any, answer: tuple[int, str]
) -> None:
    address = (await alice.get("/v1/wallet")).json()["address"]
    asked = await shared.call("POST", "/v1/authorizations", json={**GOOD, "from": address, field: wrong})
    assert code_of(asked) == answer
    assert asked.json()["detail"]


async def test_out_of_an_address_that_is_no_handles_nothing_is_relayed(shared: Api) -> None:
    assert code_of(await shared.call("POST", "/v1/authorizations", json=GOOD)) == (404, "not_found")
