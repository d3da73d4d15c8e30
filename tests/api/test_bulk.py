"""Many payments in one call: each on its own or all or none, an array or lines, cut off and sent again."""

import asyncio
import gzip
import json
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from gateway.payments import batch
from tests.api.conftest import Api, Person, code_of

pytestmark = pytest.mark.anyio

#: Nobody's address.
OUTSIDE = "0x" + 40 * "1"


def to(handle: str, amount: str, **fields: Any) -> dict[str, Any]:
    return {"to": f"@{handle}", "amount": amount, "asset": "EUR", **fields}


async def send(payer: Person, items: Any, key: str, mode: str = "each") -> httpx.Response:
    return await payer.post(f"/v1/payments/batch?mode={mode}", items, key)


async def send_lines(payer: Person, text: bytes, key: str) -> list[dict[str, Any]]:
    headers = {**payer.bearer, "Idempotency-Key": key, "Content-Type": "application/x-ndjson"}
    answer = await payer.api.client.request("POST", "/v1/payments/batch", content=text, headers=headers)
    assert answer.status_code == 200
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_each_payment_has_its_own_result_in_order(api: Api) -> None:
    alice, bob = await api.person("alice", "100.00 EUR"), await api.person("bob")
    items = [
        to("bob", "10.00"),
        to("nobody_here", "1.00"),
        to("bob", "95.00"),
        {"to": "@bob", "amount": 5, "asset": "EUR"},
        to("alice", "1.00"),
        to("bob", "20.00", memo="rent", capture=False),
        to("bob", "30.00"),
    ]

    answer = await send(alice, items, "payroll")

    results = answer.json()
    assert [one["index"] for one in results] == list(range(7))
    assert [one["status"] for one in results] == [201, 404, 409, 422, 422, 201, 201]
    codes = [one["problem"]["code"] for one in results if "problem" in one]
    assert codes == ["unknown_payee", "insufficient_funds", "invalid_amount", "self_payment"]
    assert [one["state"] for one in results if "state" in one] == ["settled", "held", "settled"]
    assert await alice.balance("EUR") == ("60.00", "20.00", "40.00")
    assert (await bob.balance("EUR"))[0] == "40.00"
    assert await api.wrong() == []


async def test_payments_of_a_capped_key_share_a_commit_and_each_has_its_own_result(api: Api) -> None:
    alice, _ = await api.person("alice", "100.00 EUR"), await api.person("bob")
    cap = {"asset": "EUR", "payment": "20.00", "day": "50.00"}
    made = await alice.post("/v1/keys", {"name": "payroll", "scopes": ["pay"], "caps": [cap]})
    payroll = replace(alice, api_key=made.json()["api_key"])
    items = [
        to("bob", "20.00"),
        to("bob", "20.01"),
        to("nobody_here", "1.00"),
        to("bob", "20.00", idempotency_key="june"),
        to("bob", "10.01"),
        to("bob", "20.00", idempotency_key="june"),
        to("bob", "1.00", capture=False),
    ]

    results = (await send(payroll, items, "first")).json()

    assert [one["status"] for one in results] == [201, 409, 404, 201, 409, 201, 201]
    assert [one["id"] for one in results if one["index"] in (3, 5)] == [results[3]["id"]] * 2
    async with api.services.database.reading() as connection:
        assert await connection.fetchval("SELECT count(DISTINCT xmin::text) FROM ledger_payment") == 1
    assert await alice.balance("EUR") == ("60.00", "1.00", "59.00")
    assert (await send(payroll, items, "first")).json() == results
    assert await api.wrong() == []


async def test_a_call_of_a_capped_key_that_pays_nothing_leaves_nothing(api: Api) -> None:
    alice, _ = await api.person("alice", "100.00 EUR"), await api.person("bob")
    made = await alice.post(
        "/v1/keys", {"name": "payroll", "scopes": ["pay"], "caps": [{"asset": "EUR", "payment": "1.00"}]}
    )
    payroll = replace(alice, api_key=made.json()["api_key"])
    before = await api.counts()

    results = (await send(payroll, [to("bob", "2.00"), to("bob", "3.00")], "first")).json()

    assert [one["status"] for one in results] == [409, 409]
    after = await api.counts()
    assert after == {**before, "idempotency_key": before["idempotency_key"] + 1}, "the key of the whole call"


async def test_the_same_call_again_is_answered_with_the_first_answer(api: Api) -> None:
    alice, bob = await api.person("alice", "100.00 EUR"), await api.person("bob")
    items = [to("bob", "10.00"), to("bob", "95.00")]
    first = await send(alice, items, "payroll")
    await alice.receive("500.00 EUR")

    again = await send(alice, items, "payroll")

    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert (await bob.balance("EUR"))[0] == "10.00"
    assert code_of(await send(alice, items[:1], "payroll")) == (422, "idempotency_key_reused")


async def test_fifty_of_the_same_call_at_once_pay_each_line_once(api: Api) -> None:
    alice, bob = await api.person("alice", "100.00 EUR"), await api.person("bob")
    items = [to("bob", "1.00") for _ in range(20)]

    answers = await asyncio.gather(*(send(alice, items, "payroll") for _ in range(50)))

    paid = [[one["id"] for one in answer.json()] for answer in answers if answer.status_code == 200]
    assert paid
    assert all(ids == paid[0] for ids in paid)
    assert {code_of(one)[0] for one in answers if one.status_code != 200} <= {409, 503}
    fresh = [one for one in answers if one.status_code == 200 and "idempotency-replayed" not in one.headers]
    assert len(fresh) == 1
    assert {one.content for one in answers if one.status_code == 200} == {fresh[0].content}
    assert (await bob.balance("EUR"))[0] == "20.00"
    assert await api.wrong() == []


async def test_of_two_of_the_same_call_at_once_that_pay_nothing_one_is_marked_as_a_replay(api: Api) -> None:
    alice, _ = await api.person("alice", "1.00 EUR"), await api.person("bob")

    answers = await asyncio.gather(*(send(alice, [to("bob", "2.00")], "payroll") for _ in range(2)))

    assert answers[0].content == answers[1].content
    assert [answer.headers.get("idempotency-replayed") for answer in answers].count("true") == 1


async def test_a_call_that_was_cut_off_pays_the_rest_when_it_is_sent_again(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = await api.person("alice", "100.00 EUR"), await api.person("bob")
    items = [to("bob", "1.00") for _ in range(20)]
    monkeypatch.setattr(batch, "AT_ONCE", 5)
    pay_part, parts = batch.pay_each, 0

    async def cut_off_at_the_third(*arguments: Any) -> Any:
        nonlocal parts
        parts += 1
        if parts == 3:
            raise ConnectionResetError
        return await pay_part(*arguments)

    monkeypatch.setattr(batch, "pay_each", cut_off_at_the_third)
    assert (await send(alice, items, "payroll")).status_code == 500
    assert (await bob.balance("EUR"))[0] == "10.00"

    answer = await send(alice, items, "payroll")

    assert {one["status"] for one in answer.json()} == {201}
    assert len({one["id"] for one in answer.json()}) == 20
    assert (await bob.balance("EUR"))[0] == "20.00"


async def test_all_or_none_pays_all(api: Api) -> None:
    alice, bob = await api.person("alice", "100.00 EUR"), await api.person("bob")

    answer = await send(alice, [to("bob", "60.00"), to("bob", "40.00")], "payroll", "all")

    assert [one["state"] for one in answer.json()] == ["settled", "settled"]
    assert (await bob.balance("EUR"))[0] == "100.00"


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (to("bob", "60.00"), (409, "insufficient_funds")),
        (to("nobody_here", "1.00"), (404, "unknown_payee")),
        (to("bob", "0"), (422, "invalid_amount")),
        ({"to": "@bob"}, (400, "invalid_request")),
    ],
)
async def test_all_or_none_pays_none_and_names_the_one_that_fell(
    api: Api, bad: dict[str, Any], expected: tuple[int, str]
) -> None:
    alice = await api.person("alice", "100.00 EUR")
    await api.person("bob", "1.00 EUR")
    before = await api.counts()

    answer = await send(alice, [to("bob", "50.00"), bad, to("bob", "1.00")], "payroll", "all")

    assert code_of(answer) == expected
    assert answer.json()["index"] == 1
    assert await api.counts() == before
    assert await alice.balance("EUR") == ("100.00", "0.00", "100.00")


async def test_lines_are_answered_by_lines_in_order(api: Api) -> None:
    alice, bob = await api.person("alice", "100.00 EUR"), await api.person("bob")
    text = b"\n".join(json.dumps(to("bob", "0.01")).encode() for _ in range(2500)) + b"\n\nnot json\n"

    results = await send_lines(alice, text, "payouts")

    assert [one["index"] for one in results] == list(range(2501))
    assert [one["status"] for one in results] == [201] * 2500 + [400]
    assert (await bob.balance("EUR"))[0] == "25.00"
    again = await send_lines(alice, text, "payouts")
    assert [one.get("id") for one in again] == [one.get("id") for one in results]
    assert (await bob.balance("EUR"))[0] == "25.00"
    assert await api.wrong() == []


async def test_a_payment_may_have_a_key_of_its_own(api: Api) -> None:
    alice, bob = await api.person("alice", "100.00 EUR"), await api.person("bob")
    await send(alice, [to("bob", "1.00", idempotency_key="may-salary")], "first")

    answer = await send(
        alice,
        [to("bob", "1.00", idempotency_key="may-salary"), to("bob", "2.00", idempotency_key="may-salary")],
        "second",
    )

    assert [one["status"] for one in answer.json()] == [201, 422]
    assert answer.json()[1]["problem"]["code"] == "idempotency_key_reused"
    assert (await bob.balance("EUR"))[0] == "1.00"


@pytest.mark.parametrize(
    "items", [[], {}, "text", [to("bob", "0.01")] * 10_001], ids=["none", "object", "text", "many"]
)
async def test_what_is_no_array_of_one_to_ten_thousand_is_refused(api: Api, items: Any) -> None:
    alice = await api.person("alice", "100.00 EUR")

    assert code_of(await send(alice, items, "payroll")) == (400, "invalid_request")


async def test_an_array_that_is_too_large_is_refused(api: Api) -> None:
    alice = await api.person("alice")

    assert code_of(await send(alice, b"[" + b" " * 9_000_000 + b"]", "payroll")) == (413, "body_too_large")


async def test_a_call_needs_a_key_and_a_caller(api: Api) -> None:
    alice = await api.person("alice")
    without = await api.call("POST", "/v1/payments/batch", content=b"[]", headers=alice.bearer)

    assert code_of(without) == (400, "idempotency_key_missing")
    assert code_of(await api.call("POST", "/v1/payments/batch", content=b"[]")) == (401, "unauthenticated")


async def test_the_longest_key_leaves_room_for_every_line(api: Api) -> None:
    alice = await api.person("alice", "100.00 EUR")
    await api.person("bob")

    answer = await send(alice, [to("bob", "1.00"), to("bob", "1.00")], "k" * 255)

    assert [one["status"] for one in answer.json()] == [201, 201]


async def test_holds_stand_or_fall_together_too(api: Api) -> None:
    alice = await api.person("alice", "100.00 EUR", "5 USDX")
    await api.person("bob")
    mixed = [to("bob", "60.00", capture=False), {"to": "@bob", "amount": "5", "asset": "USDX"}]

    fell = await send(alice, [*mixed, to("bob", "41.00")], "first", "all")
    assert (code_of(fell), fell.json()["index"]) == ((409, "insufficient_funds"), 2)
    assert await alice.balance("EUR") == ("100.00", "0.00", "100.00")

    stood = await send(alice, [*mixed, to("bob", "40.00")], "second", "all")
    assert [one["state"] for one in stood.json()] == ["held", "queued", "settled"]
    assert await alice.balance("EUR") == ("60.00", "60.00", "0.00")
    assert (await send(alice, [*mixed, to("bob", "40.00")], "second", "all")).content == stood.content


async def test_no_more_than_a_thousand_stand_or_fall_together(api: Api) -> None:
    alice = await api.person("alice", "100.00 EUR")

    assert code_of(await send(alice, [to("bob", "0.01")] * 1001, "payroll", "all")) == (400, "invalid_request")


async def test_a_line_that_cannot_be_read_is_refused_and_no_other(api: Api) -> None:
    alice, _ = await api.person("alice", "100.00 EUR"), await api.person("bob")
    texts = [
        b'{"to": "@bob", "amount": "1.00", "asset": "EUR", "memo": "rent"}',
        b'{"to": "@bob", "amount": "1.00", "amount": "2.00", "asset": "EUR"}',
        b'{"to": "@bob", "amount": "1.00", "asset": "EUR", "memo": null, "memo": "rent"}',
        b'{"to": "@bob", "amount": "1.00", "asset": "EUR", "memo": "rent", "memo": null}',
        b'{"to": "@bob", "amount": "1.00", "asset": "EUR", "capture": true, "capture": true}',
        b'{"to": "@bob", "amount": "1.00", "asset": "EUR", "\\u0061mount": "2.00"}',
        b'{"to": "@bob", "amount": "1.00", "asset": "EUR", "memo": null, "capture": true}',
        b'{"to": "@bob", "amount": "1.00", "asset": "EUR", "memo": "amount"}',
        b'{"to": "@bob", "amount": "1.00", "asset": "EUR", "metadata": {"to": "x", "amount": 1}}',
        b'{"to": "@bob", "amount": "1.00", "asset": "EUR", "colour": "red"}',
        b'"@bob"',
    ]
    bad = dict.fromkeys((1, 2, 3, 4, 5), "repeated_field") | {9: "unknown_field", 10: "object"}

    together = (await send(alice, b"[" + b",".join(texts) + b"]", "array")).json()
    by_line = await send_lines(alice, b"\n".join(texts), "lines")
    alone = [(await send(alice, b"[%b]" % text, f"alone-{n}")).json()[0] for n, text in enumerate(texts)]

    for results in (together, by_line, alone):
        kinds = {n: one["problem"]["type"].rpartition(":")[2] for n, one in enumerate(results) if "problem" in one}
        assert kinds == bad
        assert [one["status"] for one in results] == [400 if n in bad else 201 for n in range(len(texts))]
    assert (await alice.balance("EUR"))[2] == "88.00"


async def test_lines_in_one_call_come_to_what_each_comes_to_in_a_call_of_its_own(api: Api) -> None:
    alice, _ = await api.person("alice", "1000.00 EUR", "100 USDX"), await api.person("bob")
    await alice.receive("10.00 USD")
    draw = random.Random(5)
    items = [
        {
            "to": draw.choice(["@bob", "bob", "@BOB", "@nobody", "@alice", "@", "0x1", OUTSIDE]),
            "amount": draw.choice(["1.00", "1", "0.5", "0", "-1", "1.001", "1e3", "5000.00"]),
            "asset": draw.choice(["EUR", "EUR", "EUR", "USD", "USDX", "XXX"]),
            **draw.choice([{}, {}, {"memo": "tea"}, {"memo": "x" * 281}, {"capture": False}, {"capture": None}]),
            **draw.choice([{}, {}, {}, {"reference": "order-1"}, {"reference": ""}, {"idempotency_key": "a b"}]),
        }
        for _ in range(120)
    ]

    together = (await send(alice, items, "together")).json()
    alone = [(await send(alice, [item], f"alone-{n}")).json()[0] for n, item in enumerate(items)]

    def told(one: dict[str, Any]) -> Any:
        problem = {name: value for name, value in one.get("problem", {}).items() if name not in ("detail", "available")}
        return one["status"], one.get("state"), problem

    assert [told(one) for one in together] == [told(one) for one in alone]
    assert {201, 202, 404, 409, 422} <= {one["status"] for one in together}
    assert await api.wrong() == []


@pytest.mark.parametrize("memos", [[None, ""], ["tea", None, ""], [None, None]])
async def test_each_line_keeps_its_own_memo(api: Api, memos: list[str | None]) -> None:
    alice, bob = await api.person("alice", "100.00 EUR"), await api.person("bob")

    results = (await send(alice, [to("bob", "1.00", memo=memo) for memo in memos], "payroll")).json()

    assert [(await bob.get(f"/v1/payments/{one['id']}")).json()["memo"] for one in results] == memos


async def test_an_array_of_several_parts_is_answered_in_order_and_again_with_its_key(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, _ = await api.person("alice", "1.00 EUR"), await api.person("bob")
    monkeypatch.setattr(batch, "AT_ONCE", 3)
    items = [to("bob" if n % 4 else "nobody", "0.10", reference=f"order-{n}") for n in range(16)]

    first = await send(alice, items, "payroll")
    monkeypatch.undo()
    again = await send(alice, items, "payroll")

    assert [one["index"] for one in first.json()] == list(range(16))
    assert [one["status"] for one in first.json()] == [201 if n % 4 else 404 for n in range(13)] + [201, 409, 409]
    assert again.content == first.content
    listed = (await alice.get("/v1/payments")).json()
    assert {one["reference"] for one in listed["items"]} == {f"order-{n}" for n in range(14) if n % 4}


LINE = b'{"to": "@bob", "amount": "1.00", "asset": "EUR"}'


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf" + LINE + b"\n" + LINE,
        b"\xef\xbb\xbf" + LINE,
        b"\xef\xbb\xbf\n" + LINE,
        *((LINE + b"\n" + LINE).decode().encode(name) for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32")),
        gzip.compress(LINE + b"\n"),
    ],
    ids=["mark", "mark and one line", "mark alone", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "gzip"],
)
async def test_lines_that_are_not_in_utf_8_are_refused_before_any_is_paid(api: Api, text: bytes) -> None:
    alice, _ = await api.person("alice", "100.00 EUR"), await api.person("bob")
    headers = {**alice.bearer, "Idempotency-Key": "payroll", "Content-Type": "application/x-ndjson"}

    for parts in ([text], [text[:1], text[1:2], text[2:]]):
        answer = await api.call("POST", "/v1/payments/batch", content=_in(parts), headers=headers)
        assert code_of(answer) == (415, "unsupported_media_type")
        assert answer.json()["kind"] == "encoding"

    assert await alice.balance("EUR") == ("100.00", "0.00", "100.00")


async def _in(parts: list[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_an_array_that_is_not_in_utf_8_is_refused_with_what_it_is(api: Api) -> None:
    alice = await api.person("alice", "100.00 EUR")
    for written in (b"\xef\xbb\xbf[" + LINE + b"]", gzip.compress(b"[" + LINE + b"]")):
        assert code_of(await send(alice, written, "payroll")) == (415, "unsupported_media_type")


@pytest.mark.parametrize("fields", [{}, {"capture": False}], ids=["at once", "held"])
async def test_a_key_that_is_there_twice_pays_once_and_the_second_line_says_so(
    api: Api, fields: dict[str, Any]
) -> None:
    alice, _ = await api.person("alice", "100.00 EUR"), await api.person("bob")
    items = [to("bob", "1.00", idempotency_key="rent", **fields), to("bob", "2.00")]
    again = [items[0], to("bob", "3.00", idempotency_key="rent", **fields)]

    first, _, second, other = (await send(alice, [*items, *again], "payroll")).json()
    lines = await send_lines(alice, json.dumps(items[0]).encode(), "other")

    assert second == {**first, "index": 2, "replayed": True}
    assert "replayed" not in first
    assert (other["status"], other["problem"]["code"]) == (422, "idempotency_key_reused")
    assert lines == [{**first, "index": 0, "replayed": True}]
    assert (await alice.balance("EUR"))[2] == "97.00"


async def test_payments_that_stand_or_fall_together_have_no_keys_of_their_own(api: Api) -> None:
    alice, _ = await api.person("alice", "100.00 EUR"), await api.person("bob")
    items = [to("bob", "1.00"), to("bob", "1.00", idempotency_key="rent")]

    answer = await send(alice, items, "payroll", "all")

    assert (code_of(answer), answer.json()["index"]) == ((400, "invalid_request"), 1)
    assert "idempotency_key" in answer.json()["detail"]
    assert (await alice.balance("EUR"))[2] == "100.00"
