"""A key makes a call happen once and gives its first answer again, whatever has happened since."""

import asyncio
import json
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from gateway import idempotency
from gateway.clock import system_clock
from tests.api.conftest import Api, Person, code_of, opened

pytestmark = pytest.mark.anyio


def paying(two: tuple[Person, Person]) -> dict[str, Any]:
    """What the first of them asks for to pay the second."""
    return {"to": f"@{two[1].handle}", "amount": "1.00", "asset": "EUR"}


async def test_no_call_that_moves_money_goes_without_a_key(shared: Api, two: tuple[Person, Person]) -> None:
    alice, _ = two
    id = (await alice.pay(f"@{two[1].handle}", "1.00 EUR", capture=False)).json()["id"]
    calls: list[tuple[str, Any]] = [
        ("/v1/payments", paying(two)),
        ("/v1/deposits", {"amount": "1.00", "asset": "EUR"}),
        ("/v1/withdrawals", {"amount": "1.00", "asset": "EUR"}),
        ("/v1/conversions", {"amount": "1.00", "asset": "USD", "to_asset": "USDX"}),
        *((f"/v1/payments/{id}/{end}", {}) for end in ("capture", "void", "refund")),
    ]
    before = await shared.counts()
    for path, body in calls:
        for key in (None, "", " ", "k" * 256, "with space", "ключ".encode(), "tab\tbed"):
            headers = alice.bearer | ({} if key is None else {"Idempotency-Key": key})
            answer = await shared.call("POST", path, json=body, headers=headers)
            if key is None or not key.strip():
                assert code_of(answer) == (400, "idempotency_key_missing"), (path, key)
            else:
                assert (code_of(answer), answer.json()["kind"]) == ((400, "invalid_request"), "idempotency_key"), key
    assert await shared.counts() == before


async def test_the_same_request_again_gives_the_first_answer_byte_for_byte(two: tuple[Person, Person]) -> None:
    alice, bob = two
    calls: list[tuple[Person, str, Any]] = [
        (alice, "/v1/deposits", {"amount": "1.00", "asset": "EUR"}),
        (alice, "/v1/withdrawals", {"amount": "1.00", "asset": "EUR"}),
        (alice, "/v1/payments", paying(two)),
        (alice, "/v1/payments", paying(two) | {"capture": False}),
        (alice, "/v1/payments", paying(two) | {"capture": False, "memo": "given back"}),
    ]
    firsts = [(caller, path, body, f"k{n}", await caller.post(path, body, f"k{n}"))
              for n, (caller, path, body) in enumerate(calls)]  # fmt: skip
    settled, held = firsts[2][4].json()["id"], firsts[3][4].json()["id"]
    voided = firsts[4][4].json()["id"]
    for path, body in (
        (f"/v1/payments/{held}/capture", {"amount": "0.40"}),
        (f"/v1/payments/{voided}/void", {}),
        (f"/v1/payments/{settled}/refund", {}),
    ):
        firsts.append((bob, path, body, path[-7:], await bob.post(path, body, path[-7:])))
    await bob.post(
        f"/v1/payments/{held}/refund", {"amount": "0.10"}
    )  # which the answer to the capture knows nothing of
    balances = [await person.balance("EUR") for person in two]

    for caller, path, body, key, first in firsts:
        again = await caller.post(path, body, key)
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert "Idempotency-Replayed" not in first.headers
    assert [await person.balance("EUR") for person in two] == balances


async def test_how_a_request_is_written_does_not_make_it_another(two: tuple[Person, Person]) -> None:
    alice, to = two[0], two[1].handle.encode()
    first = await alice.post("/v1/payments", b'{"to":"@%b","amount":"1.00","asset":"EUR"}' % to, "k")
    again = await alice.post("/v1/payments", b'{ "asset":"EUR", "amount":"1.00",\n "to":"\\u0040%b"}' % to, "k")
    assert again.content == first.content


@pytest.mark.parametrize(
    "other",
    [
        *({"amount": "1"}, {"amount": "1.0"}, {"memo": None}, {"capture": True}),
        *({"to": written} for written in ("{0}", "@{0}", "{1}", "@{1}", " @{0} ", "\uff20{0}")),
    ],
    ids=str,
)
@pytest.mark.parametrize("first", [{}, {"capture": False}, {"amount": "1"}], ids=["at once", "held", "no decimals"])
async def test_another_spelling_of_the_same_request_is_the_same_request(
    two: tuple[Person, Person], first: dict[str, Any], other: dict[str, Any]
) -> None:
    alice, bob = two
    if "to" in other:
        other = {"to": other["to"].format(bob.handle, bob.handle.upper())}
    if "capture" in other and "capture" in first:
        other = {}
    paid = await alice.post("/v1/payments", paying(two) | first, "k")
    again = await alice.post("/v1/payments", paying(two) | first | other, "k")

    assert (paid.status_code, again.content) == (201, paid.content)
    assert again.headers["Idempotency-Replayed"] == "true"
    headers = {**alice.bearer, "Idempotency-Key": "k"}
    slashed = await alice.api.client.post("/v1/payments/", json=paying(two) | first, headers=headers)
    assert slashed.content == paid.content
    assert (await alice.balance("EUR"))[2] == "99.00"


async def test_another_spelling_of_any_amount_or_address_is_the_same_request(two: tuple[Person, Person]) -> None:
    alice, bob = two
    await alice.receive("10 USDX")
    held, settled = [
        (await alice.pay(f"@{bob.handle}", "2.00 EUR", capture=capture)).json()["id"] for capture in (False, True)
    ]
    address = alice.api.services.settings.contracts["USDX"].address.replace("5F", "6F").lower()
    item = {"to": f"@{bob.handle}", "amount": "1.50", "asset": "EUR"}
    usdx = {"to": address, "amount": "1", "asset": "USDX"}
    calls: list[tuple[Person, str, Any, Any]] = [
        (alice, "/v1/deposits", {"amount": "1.50", "asset": "EUR"}, {"amount": "1.5", "asset": "EUR"}),
        (alice, "/v1/withdrawals", {"amount": "2", "asset": "EUR"}, {"amount": "2.00", "asset": "EUR"}),
        (bob, f"/v1/payments/{held}/capture", {"amount": "1.50"}, {"amount": "1.5"}),
        (bob, f"/v1/payments/{settled}/refund", {"amount": "1"}, {"amount": "1.0"}),
        (alice, "/v1/payments", usdx, usdx | {"to": "0x" + address[2:].upper()}),
        (alice, "/v1/payments/batch", [item, item], [item, item | {"amount": "1.5", "capture": True}]),
        (alice, "/v1/payments/batch?mode=all", [item, {"x": 1}][:1], [item | {"to": bob.handle, "memo": None}]),
    ]
    for caller, path, body, other in calls:
        first = await caller.post(path, body, path)
        again = await caller.post(path, other, path)
        assert first.status_code < 300, (path, first.text)
        assert (again.content, again.headers.get("Idempotency-Replayed")) == (first.content, "true"), path
        reused = await caller.post(path, json.loads(json.dumps(other).replace("1", "3").replace("2", "3")), path)
        assert code_of(reused)[0] in (404, 422), path


@pytest.mark.parametrize(
    "other", [{"amount": "1.01"}, {"amount": "10"}, {"asset": "USD"}, {"memo": ""}, {"capture": False}]
)
async def test_a_key_used_for_another_request_is_refused(two: tuple[Person, Person], other: dict[str, Any]) -> None:
    alice, _ = two
    await alice.post("/v1/payments", paying(two), "k")
    before = await alice.api.counts()

    assert code_of(await alice.post("/v1/payments", paying(two) | other, "k")) == (422, "idempotency_key_reused")
    assert code_of(await alice.post("/v1/deposits", {"amount": "1.00", "asset": "EUR"}, "k"))[0] == 422
    assert await alice.api.counts() == before


async def test_a_key_is_for_one_request_whichever_table_it_is_kept_in(two: tuple[Person, Person]) -> None:
    """A payment that settles at once has its key in its own row; every other call's is in a table of keys."""
    alice, _ = two
    calls: list[tuple[str, Any]] = [
        ("/v1/payments", paying(two)),
        ("/v1/payments", paying(two) | {"capture": False}),
        ("/v1/payments/batch", [paying(two)]),
        ("/v1/deposits", {"amount": "1.00", "asset": "EUR"}),
    ]
    for first in calls:
        key = uuid4().hex
        assert (await alice.post(*first, key)).status_code in (200, 201)
        balance = await alice.balance("EUR")
        for other in calls:
            if other is not first:
                assert code_of(await alice.post(*other, key)) == (422, "idempotency_key_reused"), (first, other)
        assert await alice.balance("EUR") == balance


async def test_the_same_key_on_another_payment_is_another_request(two: tuple[Person, Person]) -> None:
    alice, _ = two
    ids = [(await alice.pay(f"@{two[1].handle}", "1.00 EUR", capture=False)).json()["id"] for _ in range(2)]
    assert (await alice.post(f"/v1/payments/{ids[0]}/void", {}, "k")).status_code == 200
    assert code_of(await alice.post(f"/v1/payments/{ids[1]}/void", {}, "k")) == (422, "idempotency_key_reused")


async def test_a_key_belongs_to_the_wallet_that_used_it(two: tuple[Person, Person]) -> None:
    alice, bob = two
    await bob.receive("5.00 EUR")
    carol = await alice.api.person("carol")
    paid = [await payer.post("/v1/payments", paying(two) | {"to": "@carol"}, "k") for payer in (alice, bob)]
    assert [answer.status_code for answer in paid] == [201, 201]
    assert paid[0].json()["id"] != paid[1].json()["id"]
    assert await carol.balance("EUR") == ("2.00", "0.00", "2.00")


async def test_equal_requests_with_keys_of_their_own_are_each_done(two: tuple[Person, Person]) -> None:
    alice, bob = two
    await bob.receive("1.00 EUR")
    answers = await asyncio.gather(*(alice.pay(f"@{two[1].handle}", "1.00 EUR") for _ in range(10)))
    assert len({answer.json()["id"] for answer in answers}) == 10
    assert await bob.balance("EUR") == ("11.00", "0.00", "11.00")


async def test_a_key_used_fifty_times_at_once_moves_the_money_once(two: tuple[Person, Person]) -> None:
    alice, bob = two
    async with opened(alice.api.services.database, alice.api.services.settings.assets) as second:
        answers = await asyncio.gather(
            *(alice.post("/v1/payments", paying(two), "k") for _ in range(25)),
            *(
                Person(second, alice.handle, alice.api_key, "", "").post("/v1/payments", paying(two), "k")
                for _ in range(25)
            ),
        )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert [answer.headers.get("Idempotency-Replayed") for answer in answers].count(None) == 1
    assert await bob.balance("EUR") == ("1.00", "0.00", "1.00")


async def test_a_key_whose_first_request_is_still_running_is_in_progress(two: tuple[Person, Person]) -> None:
    alice, bob = two
    async with alice.api.services.database.reading() as connection:
        first = await connection.fetchval("SELECT id FROM wallet WHERE handle = $1", alice.handle)
    async with alice.api.services.database.transaction() as connection:
        await idempotency.claim(connection, first, "k", b"f" * 32, system_clock())

        answer = await alice.post("/v1/payments", paying(two), "k")

        assert code_of(answer) == (409, "idempotency_key_in_progress")
        assert answer.json()["retryable"] is True
        assert int(answer.headers["Retry-After"]) > 0
        await connection.execute("DELETE FROM idempotency_key WHERE wallet_id = $1", first)  # as if it had been refused
    assert (await alice.post("/v1/payments", paying(two), "k")).status_code == 201
    assert await bob.balance("EUR") == ("1.00", "0.00", "1.00")


@pytest.mark.parametrize("wrong", [{"amount": "100.01"}, {"to": "@nobody"}, {"to": "@x"}, {"amount": "0"}])
async def test_the_key_of_a_refused_request_can_be_used_again(
    two: tuple[Person, Person], wrong: dict[str, str]
) -> None:
    alice, _ = two
    assert (await alice.post("/v1/payments", paying(two) | wrong, "k")).status_code in (404, 409, 422)
    assert (await alice.post("/v1/payments", paying(two), "k")).status_code == 201


@pytest.mark.parametrize("when", ["at once", "at the commit"])
@pytest.mark.parametrize("table", ["ledger_payment", "staged_payment", "logged_event", "idempotency_key", "hold"])
async def test_a_crash_after_the_money_and_before_the_commit_leaves_neither(
    two: tuple[Person, Person], table: str, when: str
) -> None:
    alice, _ = two
    api, key = alice.api, uuid4().hex
    asked = paying(two) | {"capture": table == "ledger_payment"}
    kind = "TRIGGER crash AFTER" if when == "at once" else "CONSTRAINT TRIGGER crash AFTER"
    deferred = "" if when == "at once" else "DEFERRABLE INITIALLY DEFERRED"
    async with api.services.database.transaction() as connection:
        await connection.execute(
            f"CREATE OR REPLACE FUNCTION crash() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'crash'; END $$;"
            f"CREATE {kind} INSERT ON {table} {deferred} FOR EACH ROW EXECUTE FUNCTION crash()"
        )
    before = await api.counts()

    assert code_of(await alice.post("/v1/payments", asked, key)) == (500, "internal_error")

    assert await api.counts() == before
    async with api.services.database.transaction() as connection:
        await connection.execute(f"DROP TRIGGER crash ON {table}")
    available = (await alice.balance("EUR"))[2]
    again = await alice.post("/v1/payments", asked, key)
    assert again.status_code == 201
    assert "Idempotency-Replayed" not in again.headers
    assert Decimal((await alice.balance("EUR"))[2]) == Decimal(available) - 1
    assert await api.wrong() == []
