"""Requests for money: who may make, see, pay and end one, and that it is paid once whatever comes at the same time."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from gateway.audit.log import By
from gateway.controls import wallet_freeze
from gateway.ids import WalletId, read
from tests.api.browser import browsing
from tests.api.conftest import Api, Person, amount, code_of
from tests.api.test_approvals import approve, waiting
from tests.api.test_keys import with_key

pytestmark = pytest.mark.anyio


@pytest.fixture
async def alice(api: Api) -> Person:
    return await api.person("alice")


@pytest.fixture
async def bob(api: Api) -> Person:
    return await api.person("bob", "100.00 EUR", "50 USDX")


async def ask(by: Any, who: str = "@bob", money: str = "12.50 EUR", **fields: Any) -> Any:
    return await by.post("/v1/requests", {"from": who, **amount(money), **fields})


async def asked(by: Any, who: str = "@bob", money: str = "12.50 EUR", **fields: Any) -> str:
    answer = await ask(by, who, money, **fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def state(of: Any, id: str) -> tuple[str, str | None]:
    seen = (await of.get(f"/v1/requests/{id}")).json()
    return seen["state"], seen["payment"]


async def kinds(of: Person) -> list[str]:
    return [one["type"] for one in (await of.get("/v1/events?type=request.*")).json()["items"]]


async def test_a_request_is_paid_once_and_both_see_by_what(alice: Person, bob: Person) -> None:
    made = (await ask(alice, memo="dinner")).json()
    assert (made["state"], made["from"], made["to"], made["amount"]) == ("open", "@bob", "@alice", "12.50")
    assert (made["memo"], made["payment"], made["ended_at"]) == ("dinner", None, None)

    paid = await bob.pay("@alice", "12.50 EUR", request=made["id"])

    assert (paid.status_code, paid.json()["state"]) == (201, "settled")
    for one in (alice, bob):
        assert await state(one, made["id"]) == ("paid", paid.json()["id"])
        assert await kinds(one) == ["request.created", "request.paid"]
    again = await bob.pay("@alice", "12.50 EUR", request=made["id"])
    assert code_of(again) == (409, "request_not_open")
    assert again.json()["detail"] == f"{made['id']} is paid: only an open request can be paid"
    assert await bob.balance("EUR") == ("87.50", "0.00", "87.50")


async def test_fifty_payments_of_one_request_at_once_pay_it_once(api: Api, alice: Person, bob: Person) -> None:
    id = await asked(alice, money="1.00 EUR")
    answers = await asyncio.gather(*(bob.pay("@alice", "1.00 EUR", request=id) for _ in range(50)))
    seen = [code_of(one)[1] if one.status_code != 201 else "paid" for one in answers]
    assert seen.count("paid") == 1
    assert set(seen) <= {"paid", "request_not_open", "unavailable"}
    assert await bob.balance("EUR") == ("99.00", "0.00", "99.00")
    assert (await kinds(alice)).count("request.paid") == 1
    assert await api.wrong() == []


@pytest.mark.parametrize(
    ("field", "to", "money", "other"),
    [
        ("to", "@eve", "12.50 EUR", {}),
        ("asset", "@alice", "12.50 USDX", {}),
        ("amount", "@alice", "12.51 EUR", {}),
        ("capture", "@alice", "12.50 EUR", {"capture": False}),
    ],
)
async def test_a_payment_that_is_not_what_is_asked_says_which_field_differs(
    api: Api, alice: Person, bob: Person, field: str, to: str, money: str, other: dict[str, Any]
) -> None:
    await api.person("eve")
    id = await asked(alice)
    refused = await bob.pay(to, money, request=id, **other)
    assert (code_of(refused), refused.json()["field"]) == ((422, "request_mismatch"), field)
    previewed = await bob.post("/v1/payments/preview", {"to": to, **amount(money), "request": id, **other})
    assert code_of(previewed) == (422, "request_mismatch")
    assert await state(bob, id) == ("open", None)


async def test_nobody_else_sees_pays_declines_or_cancels_a_request(api: Api, alice: Person, bob: Person) -> None:
    eve = await api.person("eve", "20.00 EUR")
    id = await asked(alice)
    assert code_of(await eve.get(f"/v1/requests/{id}")) == (404, "not_found")
    assert (await eve.get("/v1/requests")).json()["items"] == []
    for one in ("decline", "cancel"):
        assert code_of(await eve.post(f"/v1/requests/{id}/{one}", {})) == (404, "not_found")
    assert code_of(await eve.pay("@alice", "12.50 EUR", request=id)) == (404, "not_found")
    assert code_of(await bob.pay("@alice", "12.50 EUR", request="req_nonsense")) == (404, "not_found")
    assert code_of(await alice.post(f"/v1/requests/{id}/decline", {})) == (403, "forbidden")
    assert code_of(await bob.post(f"/v1/requests/{id}/cancel", {})) == (403, "forbidden")
    assert await state(bob, id) == ("open", None)


@pytest.mark.parametrize("end", ["decline", "cancel"])
async def test_a_declined_or_cancelled_request_is_not_paid_and_ends_once(alice: Person, bob: Person, end: str) -> None:
    id = await asked(alice)
    by, ended = (bob, "declined") if end == "decline" else (alice, "cancelled")
    answer = await by.post(f"/v1/requests/{id}/{end}", {})
    assert (answer.status_code, answer.json()["state"]) == (200, ended)
    assert (await by.post(f"/v1/requests/{id}/{end}", {})).json() == answer.json()
    refused = await bob.pay("@alice", "12.50 EUR", request=id)
    assert (code_of(refused), refused.json()["state"]) == ((409, "request_not_open"), ended)
    other = (alice, "cancel") if end == "decline" else (bob, "decline")
    assert code_of(await other[0].post(f"/v1/requests/{id}/{other[1]}", {})) == (409, "state_conflict")
    for one in (alice, bob):
        assert await kinds(one) == ["request.created", f"request.{ended}"]


async def test_a_request_expires_with_its_time(api: Api, alice: Person, bob: Person) -> None:
    until = (api.clock() + timedelta(hours=1)).isoformat()
    id = await asked(alice, expires_at=until)
    for wrong in (api.clock() - timedelta(seconds=1), api.clock() + timedelta(days=367)):
        assert code_of(await ask(alice, expires_at=wrong.isoformat())) == (400, "invalid_request")
    api.clock.ahead = timedelta(hours=2)
    assert await state(bob, id) == ("expired", None)
    refused = await bob.pay("@alice", "12.50 EUR", request=id)
    assert (code_of(refused), refused.json()["state"]) == ((409, "request_not_open"), "expired")
    assert code_of(await bob.post(f"/v1/requests/{id}/decline", {})) == (409, "state_conflict")


async def test_a_request_of_tokens_is_pending_until_the_chain_has_settled_its_payment(
    alice: Person, bob: Person
) -> None:
    id = await asked(alice, money="5 USDX")
    paid = await bob.pay("@alice", "5 USDX", request=id)
    assert paid.status_code == 202, paid.text
    assert await state(alice, id) == ("pending", paid.json()["id"])
    assert code_of(await bob.post(f"/v1/requests/{id}/decline", {})) == (409, "state_conflict")
    assert code_of(await alice.post(f"/v1/requests/{id}/cancel", {})) == (409, "state_conflict")
    refused = await bob.pay("@alice", "5 USDX", request=id)
    assert (code_of(refused), refused.json()["state"]) == ((409, "request_not_open"), "pending")


async def test_a_payment_that_waits_for_an_approval_holds_the_request_and_refused_opens_it_again(
    api: Api, alice: Person
) -> None:
    bob, key, _ = await browsing(api, "bob", "100.00 EUR")
    id = await asked(alice)

    first = await waiting(bob, "@alice", "12.50 EUR", request=id)

    assert await state(bob, id) == ("pending", first["id"])
    assert await state(alice, id) == ("pending", None), "its payer has not agreed to the payment yet"
    assert code_of(await bob.pay("@alice", "12.50 EUR", request=id)) == (409, "request_not_open")
    assert code_of(await bob.post(f"/v1/requests/{id}/decline", {})) == (409, "state_conflict")
    assert code_of(await alice.post(f"/v1/requests/{id}/cancel", {})) == (409, "state_conflict")
    assert (await bob.post(f"/v1/payments/{first['id']}/decline", b"")).status_code == 200
    assert await state(bob, id) == ("open", None)

    second = await waiting(bob, "@alice", "12.50 EUR", request=id)
    assert (await approve(bob, key, second)).json()["state"] == "settled"
    for one in (alice, bob):
        assert await state(one, id) == ("paid", second["id"])
        assert await kinds(one) == ["request.created", "request.paid"]


async def test_a_frozen_wallet_asks_for_nothing_and_pays_no_request(api: Api, alice: Person, bob: Person) -> None:
    id = await asked(alice)
    async with api.services.database.transaction() as connection:
        of = WalletId(read("wal", bob.wallet_id))
        await wallet_freeze.freeze(connection, of, "looked into", By("operator", "o"), None, api.clock())
    assert code_of(await ask(bob, "@alice")) == (409, "wallet_frozen")
    assert code_of(await bob.pay("@alice", "12.50 EUR", request=id)) == (409, "wallet_frozen")
    assert (await ask(alice)).status_code == 201, "that bob's wallet is frozen is nobody else's business"
    assert (await bob.post(f"/v1/requests/{id}/decline", {})).status_code == 200


async def test_a_key_with_caps_pays_a_request_within_them(api: Api, alice: Person, bob: Person) -> None:
    id = await asked(alice)
    caps = [{"asset": "EUR", "payment": "12.49"}]
    made = await bob.post("/v1/keys", {"name": "Agent", "scopes": ["pay", "read"], "caps": caps})
    capped = with_key(bob, made.json()["api_key"])
    assert code_of(await capped.pay("@alice", "12.50 EUR", request=id)) == (409, "cap_exceeded")
    assert await state(bob, id) == ("open", None)


async def test_what_cannot_be_paid_leaves_the_request_open(api: Api, alice: Person, bob: Person) -> None:
    id = await asked(alice, money="100.01 EUR")
    refused = await asyncio.gather(*(bob.pay("@alice", "100.01 EUR", request=id) for _ in range(3)))
    assert {code_of(one)[1] for one in refused} == {"insufficient_funds"}
    assert await state(bob, id) == ("open", None)
    await bob.receive("1.00 EUR")
    assert (await bob.pay("@alice", "100.01 EUR", request=id)).status_code == 201


async def test_a_bad_request_says_what_is_wrong(api: Api, alice: Person, bob: Person) -> None:
    for body, code in (
        ({"from": "@nobody_here"}, (404, "unknown_handle")),
        ({"from": "!"}, (422, "invalid_handle")),
        ({"from": "@alice"}, (422, "self_payment")),
        ({"amount": "0"}, (422, "invalid_amount")),
        ({"amount": "1.001"}, (422, "amount_too_precise")),
        ({"asset": "XXX"}, (422, "unknown_asset")),
        ({"memo": "x" * 281}, (400, "invalid_request")),
    ):
        made = await alice.post("/v1/requests", {"from": "@bob", **amount("1.00 EUR"), **body})
        assert code_of(made) == code, body
    assert (await bob.get("/v1/requests")).json()["items"] == []


async def test_ten_requests_to_one_wallet_are_open_at_once_however_many_are_made(
    api: Api, alice: Person, bob: Person
) -> None:
    answers = await asyncio.gather(*(ask(alice, money="1.00 EUR") for _ in range(14)))
    made = [one.json()["id"] for one in answers if one.status_code == 201]
    refused = [one for one in answers if one.status_code != 201]
    assert (len(made), {code_of(one) for one in refused}) == (10, {(409, "request_limit")})
    assert (refused[0].json()["kind"], refused[0].json()["maximum"]) == ("pair", 10)
    await api.person("carol")
    assert (await ask(alice, "@carol")).status_code == 201
    assert (await bob.post(f"/v1/requests/{made[0]}/decline", {})).status_code == 200
    assert (await ask(alice)).status_code == 201


async def test_a_wallet_makes_a_hundred_requests_a_day_at_the_most(
    api: Api, alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.payments.request_money.DAY_MAX", 2)
    for _ in range(2):
        await bob.post(f"/v1/requests/{await asked(alice)}/decline", {})
    refused = await ask(alice)
    assert (code_of(refused), refused.json()["kind"]) == ((409, "request_limit"), "day")
    api.clock.ahead = timedelta(hours=24, minutes=1)
    assert (await ask(alice)).status_code == 201


async def test_lists_have_both_sides_newest_first_and_every_filter(api: Api, alice: Person, bob: Person) -> None:
    carol = await api.person("carol")
    first, second = await asked(alice), await asked(alice, "@carol")
    third = await asked(bob, "@alice", "3.00 EUR")
    await bob.post(f"/v1/requests/{first}/decline", {})

    async def ids(query: str = "") -> list[str]:
        return [one["id"] for one in (await alice.get(f"/v1/requests{query}")).json()["items"]]

    assert await ids() == [third, second, first]
    assert await ids("?direction=in") == [third]
    assert await ids("?direction=out") == [second, first]
    assert await ids("?state=open") == [third, second]
    assert await ids("?counterparty=@bob") == [third, first]
    assert await ids("?direction=out&counterparty=bob&state=declined") == [first]
    assert await ids("?counterparty=@nobody_here") == []
    page = (await alice.get("/v1/requests?limit=2")).json()
    assert await ids(f"?limit=2&cursor={page['next_cursor']}") == [first]
    assert [one["id"] for one in (await carol.get("/v1/requests")).json()["items"]] == [second]


async def test_the_same_key_makes_one_request(alice: Person, bob: Person) -> None:
    body = {"from": "@bob", **amount("1.00 EUR")}
    first, second = [await alice.post("/v1/requests", body, "dinner-1") for _ in range(2)]
    assert (first.json(), second.headers["idempotency-replayed"]) == (second.json(), "true")
    reworded = await alice.post("/v1/requests", {**body, "from": "Bob", "amount": "1"}, "dinner-1")
    assert reworded.json() == first.json()
    assert code_of(await alice.post("/v1/requests", {**body, "amount": "2.00"}, "dinner-1")) == (
        422,
        "idempotency_key_reused",
    )
    assert len((await bob.get("/v1/requests")).json()["items"]) == 1
