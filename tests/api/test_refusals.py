"""Every way to ask for something wrong: each is its own problem, and none leaves a trace."""

from typing import Any

import pytest

from gateway.money import Assets
from gateway.postgres.pool import connect
from tests.api.conftest import Api, Person, code_of, opened

pytestmark = pytest.mark.anyio

STRANGER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
GOOD: dict[str, Any] = {"to": "@bob", "amount": "1.00", "asset": "EUR"}


async def refused(person: Person, path: str, body: Any) -> dict[str, Any]:
    """The problem that the call is answered with, having left the ledger as it was."""
    before = await person.api.counts()
    answer = await person.post(path, body)
    assert await person.api.counts() == before
    problem: dict[str, Any] = answer.json()
    code_of(answer)
    assert problem["type"].startswith(f"urn:problem:gateway:{problem['code']}")
    assert problem["detail"]
    assert problem["title"] == problem["code"].replace("_", " ")
    assert isinstance(problem["retryable"], bool)
    return problem


@pytest.mark.parametrize(
    ("amount", "code", "kind"),
    [
        *((zero, "invalid_amount", "zero") for zero in ("0", "0.00")),
        *((below, "invalid_amount", "negative") for below in ("-1", "-0", "-1.00")),
        *((fine, "amount_too_precise", None) for fine in ("1.001", "0.000", "1.00000000000000000000")),
        *((number, "invalid_amount", "not_a_string") for number in (1, 1.5, 0, -1, None, True, [], ["1"], {}, 1e300)),
        *((big, "invalid_amount", "too_large") for big in (str(2**256), "9" * 78, "9" * 77)),
        *(
            (text, "invalid_amount", "malformed")
            for text in ("", " ", "1 ", " 1", "1e2", "1E2", "+1", "1,5", "1.", ".5", ".", "1.5.0", "00", "01", "00.5")
        ),
        *(
            (text, "invalid_amount", "malformed")
            for text in (
                "0x1",
                "1_0",
                "NaN",
                "Infinity",
                "١",
                "１",
                "²",
                "1\n",
                "1\0",
                "--1",
                "- 1",
                "9" * 79,
                "9" * 5000,
            )
        ),
    ],
)
@pytest.mark.parametrize("path", ["/v1/payments", "/v1/deposits"])
async def test_an_amount_that_is_none_is_refused(
    alice: Person, bob: Person, path: str, amount: object, code: str, kind: str | None
) -> None:
    body = {"amount": amount, "asset": "EUR"} | ({"to": "@bob"} if path == "/v1/payments" else {})

    problem = await refused(alice, path, body)

    assert (problem["status"], problem["code"], problem.get("kind")) == (422, code, kind)


@pytest.mark.parametrize("number", [b"1e400", b"1" * 5000, b"-" + b"9" * 400, b"0.1e-5000"])
async def test_a_number_beyond_all_bounds_is_no_amount_either(alice: Person, bob: Person, number: bytes) -> None:
    problem = await refused(alice, "/v1/payments", b'{"to":"@bob","asset":"EUR","amount":' + number + b"}")
    assert (problem["code"], problem["kind"]) == ("invalid_amount", "not_a_string")


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        *((number, "a number") for number in (b"5.00", b"5", b"-1e3", b"1e400", b"9" * 400)),
        (b"null", "null"),
        (b"true", "a boolean"),
        (b'["5.00"]', "an array"),
        (b'{"value": "5.00"}', "an object"),
    ],
)
async def test_an_amount_that_is_no_string_is_told_what_json_it_is_and_what_to_write(
    alice: Person, bob: Person, sent: bytes, named: str
) -> None:
    problem = await refused(alice, "/v1/payments", b'{"to":"@bob","asset":"EUR","amount":' + sent + b"}")
    assert problem["detail"] == f'amount is {named} in JSON: write it as a string, in quotes, such as "12.50"'
    assert problem["amount"] == named


@pytest.mark.parametrize("asset", ["XXX", "eur", "", "EUR ", "ETH", "\0", "EUR:USD", "ＥＵＲ", "E" * 5000])
@pytest.mark.parametrize("path", ["/v1/payments", "/v1/payments/preview", "/v1/deposits", "/v1/withdrawals"])
async def test_an_asset_that_no_wallet_can_hold_is_unknown(alice: Person, bob: Person, path: str, asset: str) -> None:
    body = {"amount": "1.00", "asset": asset} | ({"to": "@bob"} if "payments" in path else {})

    problem = await refused(alice, path, body)

    assert (problem["status"], problem["code"]) == (422, "unknown_asset")
    assert problem["known"] == ["EUR", "USD", "THB", "JPY", "USDX"]


async def test_no_bank_keeps_tokens(alice: Person) -> None:
    for path in ("/v1/deposits", "/v1/withdrawals"):
        assert (await refused(alice, path, {"amount": "1", "asset": "USDX"}))["code"] == "unknown_asset"


@pytest.mark.parametrize("into", ["EUR", "USD", "JPY", "USDX", "ETH", "XXX", ""])
async def test_only_a_currency_and_its_token_convert(alice: Person, into: str) -> None:
    problem = await refused(alice, "/v1/conversions", {"amount": "1.00", "asset": "EUR", "to_asset": into})
    assert (problem["status"], problem["code"]) == (422, "unknown_asset")


@pytest.mark.parametrize(
    ("given", "into", "detail"),
    [
        (
            "EUR",
            "USDX",
            "EUR cannot be converted into USDX, for no token of this gateway is backed by EUR; it converts, in both "
            "directions: USD and USDX",
        ),
        ("USD", "EUR", "USD cannot be converted into EUR: convert it into USDX"),
        ("USDX", "EUR", "USDX cannot be converted into EUR: convert it into USD"),
        ("USDX", "USDX", "USDX cannot be converted into USDX: convert it into USD"),
    ],
)
async def test_what_does_not_convert_is_told_with_what_does(alice: Person, given: str, into: str, detail: str) -> None:
    problem = await refused(alice, "/v1/conversions", {"amount": "1.00", "asset": given, "to_asset": into})
    assert (problem["code"], problem["detail"]) == ("unknown_asset", detail)


async def test_a_token_that_is_not_deployed_is_told_as_that_and_not_as_a_node_that_is_away(
    database_url: str, assets: Assets
) -> None:
    async with connect(database_url, 2) as database, opened(database, assets, deployed=False) as api:
        alice = await api.person("alice", "10.00 USD", "5 USDX")
        for path, body in (
            ("/v1/conversions", {"amount": "1.00", "asset": "USD", "to_asset": "USDX"}),
            ("/v1/payments", {"amount": "1.00", "asset": "USDX", "to": STRANGER}),
        ):
            answer = await alice.post(path, body)
            assert code_of(answer) == (503, "unavailable")
            assert answer.json()["detail"] == (
                "USDX has no contract on the chain yet: send the same request again once the gateway's operator has "
                "run 'gateway deploy'"
            )


async def test_what_the_currency_cannot_say_is_not_converted(alice: Person) -> None:
    problem = await refused(alice, "/v1/conversions", {"amount": "1.001", "asset": "USDX", "to_asset": "USD"})
    assert (problem["status"], problem["code"], problem["decimals"]) == (422, "amount_too_precise", 2)


async def test_what_the_token_cannot_hold_is_not_converted(shared: Api) -> None:
    whale = await shared.person("whale", f"{2**256 // 100 - 1}.00 USD")
    body = {"amount": f"{2**256 // 100 - 1}.00", "asset": "USD", "to_asset": "USDX"}
    problem = await refused(whale, "/v1/conversions", body)
    assert (problem["status"], problem["code"], problem["kind"]) == (422, "invalid_amount", "too_large")


@pytest.mark.parametrize("path", ["/v1/payments", "/v1/payments/preview"])
@pytest.mark.parametrize("to", ["@alice", "alice", "@ALICE", "＠Ａｌｉｃｅ", " @alice "])
async def test_nobody_pays_oneself_whatever_it_is_called(alice: Person, path: str, to: str) -> None:
    problem = await refused(alice, path, GOOD | {"to": to})
    assert (problem["status"], problem["code"], problem["handle"]) == (422, "self_payment", "alice")


async def test_nobody_pays_oneself_by_address(alice: Person) -> None:
    for to in (alice.address, alice.address.lower(), "0x" + alice.address[2:].upper()):
        body = {"to": to, "amount": "1", "asset": "USDX"}
        assert (await refused(alice, "/v1/payments", body))["code"] == "self_payment"


@pytest.mark.parametrize("path", ["/v1/payments", "/v1/payments/preview"])
@pytest.mark.parametrize(
    "to",
    [
        *("@nobody", "", "@", "@@bob", "@b", "@bob\0", "b\0b", "@" + "b" * 31, "@аlice", "@bob" + " " * 300 + "eve"),
        *(
            "0x",
            "0xabc",
            STRANGER + "0",
            STRANGER.replace("C", "c", 1),
            "0X" + STRANGER[2:],
            "0x" + "０" * 40,
            *("0x" + end.rjust(40, "0") for end in ("", "1", "11", "100", "dead", "ffff")),
        ),
        *("0x5FbDB2315678afecb367f032d93F642f64180aa3", "@" * 5000, "@bob'; DROP TABLE payment; --"),
    ],
)
async def test_whoever_cannot_be_found_cannot_be_paid(alice: Person, bob: Person, path: str, to: str) -> None:
    problem = await refused(alice, path, {"to": to, "amount": "1", "asset": "USDX"})
    assert (problem["status"], problem["code"]) == (404, "unknown_payee")


async def test_fiat_does_not_go_to_an_address_that_is_nobodys(alice: Person) -> None:
    problem = await refused(alice, "/v1/payments", GOOD | {"to": STRANGER})
    assert (problem["status"], problem["code"]) == (404, "unknown_payee")


async def test_more_than_is_available_is_refused_with_what_is(alice: Person, bob: Person) -> None:
    problem = await refused(alice, "/v1/payments", GOOD | {"amount": "100.01"})
    assert (problem["status"], problem["code"], problem["retryable"]) == (409, "insufficient_funds", True)
    assert (problem["asked"], problem["available"]) == ("100.01", "100.00")

    for path, body in (
        ("/v1/payments", {"to": "@bob", "amount": "11", "asset": "USDX"}),
        ("/v1/payments", GOOD | {"amount": str(2**240), "capture": False}),
        ("/v1/withdrawals", {"amount": "100.01", "asset": "EUR"}),
        ("/v1/withdrawals", {"amount": "1", "asset": "JPY"}),
        ("/v1/conversions", {"amount": "11", "asset": "USDX", "to_asset": "USD"}),
    ):
        assert (await refused(alice, path, body))["code"] == "insufficient_funds"


@pytest.mark.parametrize(
    "handle", ["a", "", "a" * 31, "a b", "alice!", "аlice", "a\0b", "@", "a-b", "a.b", "ß" * 31, "x" + " " * 300 + "y"]
)
async def test_what_is_not_a_handle_cannot_be_claimed(alice: Person, handle: str) -> None:
    problem = await refused(alice, "/v1/handles", {"handle": handle})
    assert (problem["status"], problem["code"]) == (422, "invalid_handle")


@pytest.mark.parametrize("handle", ["alice", "@alice", "ALICE", "Ａｌｉｃｅ", " alice "])
async def test_a_handle_that_somebody_has_is_taken_however_it_is_typed(alice: Person, handle: str) -> None:
    problem = await refused(alice, "/v1/handles", {"handle": handle})
    assert (problem["status"], problem["code"], problem["handle"]) == (409, "handle_taken", "alice")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        *((f"/v1/{name}?limit={limit}", (400, "invalid_request"))
          for name in ("payments", "events") for limit in ("0", "-1", "201", "x", "", "1e9", "9" * 30, "１" )),
        *((f"/v1/payments?cursor={cursor}", (400, "invalid_request"))
          for cursor in ("zzz", "%00", "é", "OTk5", "cGF5Xw", "A" * 5000, "=", "cGF5X3p6enp6")),
        *((f"/v1/entries?asset=EUR&cursor={cursor}", (400, "invalid_request"))
          for cursor in ("zzz", "%00", "LTE", "MS41", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "4pG0")),
        *((f"/v1/events?after={after}", (400, "invalid_request")) for after in ("-1", "x", "", "9" * 30, str(2**63))),
        ("/v1/entries", (400, "invalid_request")),
        ("/v1/entries?asset=ETH", (422, "unknown_asset")),
        ("/v1/entries?asset=%00", (400, "invalid_request")),
        ("/v1/handles/nobody", (404, "unknown_handle")),
        *((f"/v1/handles/{handle}", (422, "invalid_handle")) for handle in ("%00", "%ff", "a", "x" * 500)),
        *((f"/v1/payments/{id}", (404, "not_found"))
          for id in ("x", "%00", "pay_", "pay_x", "wal_01h455vb4pex5vsknk084sn02q", "pay_01h455vb4pex5vsknk084sn02q")),
        ("/v1/payments/pay_81h455vb4pex5vsknk084sn02q", (404, "not_found")),
        ("/v1/payments/PAY_01H455VB4PEX5VSKNK084SN02Q", (404, "not_found")),
        ("/v1/conversions/cnv_01h455vb4pex5vsknk084sn02q", (404, "not_found")),
        ("/nope", (404, "not_found")),
        ("/", (404, "not_found")),
        ("/v1", (404, "not_found")),
        ("/v1/payments/x/y/z", (404, "not_found")),
        ("/v1/deposits", (405, "method_not_allowed")),
        ("/v1/payments/preview", (405, "method_not_allowed")),
        ("/v1/payments/pay_x/void", (405, "method_not_allowed")),
    ],
)  # fmt: skip
async def test_what_cannot_be_read_is_a_problem(alice: Person, path: str, code: tuple[int, str]) -> None:
    assert code_of(await alice.get(path)) == code


@pytest.mark.parametrize(("method", "path", "allow"), [
    ("DELETE", "/v1/wallet", "GET, HEAD, OPTIONS"), ("PUT", "/v1/payments", "GET, HEAD, OPTIONS, POST"),
    ("PATCH", "/v1/payments/pay_x", "GET, HEAD, OPTIONS"), ("GET", "/v1/payments/preview", "OPTIONS, POST"),
])  # fmt: skip
async def test_a_wrong_method_is_told_which_are_right(alice: Person, method: str, path: str, allow: str) -> None:
    answer = await alice.api.call(method, path, headers=alice.bearer)
    problem = answer.json()
    assert (code_of(answer), answer.headers["Allow"]) == ((405, "method_not_allowed"), allow)
    assert (problem["method"], problem["allowed"]) == (method, allow.split(", "))
    assert problem["detail"] == f"{path} does not take {method}; it takes {allow}"
    assert problem["type"] == "urn:problem:gateway:method_not_allowed"


@pytest.mark.parametrize(
    "path", ["/v1/nope", "/v1", "/v1/", "/v1/payments/x/y/z", "/health", "/health/nope", "/v1/" + "x" * 500]
)
async def test_a_route_that_there_is_not_is_told_as_a_route(alice: Person, path: str) -> None:
    answer = await alice.get(path)
    assert code_of(answer) == (404, "not_found")
    assert answer.json()["detail"] == f"there is no route {path[:80]}; /openapi.json lists the routes"


async def test_a_path_outside_the_api_is_told_as_a_page(alice: Person) -> None:
    assert (await alice.get("/nope")).json()["detail"] == "there is no such page"
