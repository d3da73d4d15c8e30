"""A reference and metadata: kept with the payment as they were written, and shown to whoever wrote them alone."""

import json
from typing import Any

import pytest

from gateway.api.payments.shapes import PaymentRequest
from gateway.money import Assets
from gateway.payments.model.note import INTEGER_MAX, METADATA_BYTES_MAX
from gateway.postgres.pool import Database
from tests.api.conftest import Api, Person, amount, code_of, opened

pytestmark = pytest.mark.anyio

NOTE = {"reference": "order-17", "metadata": {"shop": "berlin", "basket": 3, "gift": True, "weight": 0.25}}
NOTHING = {"reference": None, "metadata": None}


def note_in(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: shown[name] for name in NOTE}


async def notes(api: Api) -> int:
    async with api.services.database.reading() as connection:
        count: int = await connection.fetchval("SELECT count(*) FROM payment_note")
        return count


@pytest.mark.parametrize("money", ["1.00 EUR", "1 USDX"])
@pytest.mark.parametrize("capture", [True, False])
async def test_a_note_is_its_payers_and_the_payee_sees_nothing_of_it(
    two: tuple[Person, Person], money: str, capture: bool
) -> None:
    alice, bob = two
    await alice.receive("5 USDX")
    paid = (await alice.pay(f"@{bob.handle}", money, memo="coffee", capture=capture, **NOTE)).json()

    seen = {
        party.handle: [
            (await party.get(f"/v1/payments/{paid['id']}")).json(),
            *(await party.get("/v1/payments")).json()["items"],
            *(await party.get("/v1/payments?memo=coffee")).json()["items"],
        ]
        for party in two
    }

    assert note_in(paid) == NOTE
    assert list(map(note_in, seen[alice.handle])) == [NOTE] * 3
    assert list(map(note_in, seen[bob.handle])) == [NOTHING] * 3
    assert all(one["memo"] == "coffee" for one in seen[bob.handle])
    told = await bob.get("/v1/events?limit=200")
    assert "order-17" not in told.text
    assert "berlin" not in told.text


async def test_whoever_ends_a_payment_sees_only_their_own_note(two: tuple[Person, Person]) -> None:
    alice, bob = two
    held = [(await alice.pay(f"@{bob.handle}", "1.00 EUR", capture=False, **NOTE)).json()["id"] for _ in range(3)]

    ends = [
        await bob.post(f"/v1/payments/{held[0]}/capture", {}),
        await bob.post(f"/v1/payments/{held[1]}/void", {}),
        await alice.post(f"/v1/payments/{held[2]}/void", {}),
        await alice.post(f"/v1/payments/{held[0]}/report-unauthorized", {}),
    ]

    assert [end.status_code for end in ends] == [200] * 4
    assert [note_in(end.json()) for end in ends] == [NOTHING, NOTHING, NOTE, NOTE]


@pytest.mark.parametrize("money", ["1.00 EUR", "1 USDX"])
async def test_a_note_is_part_of_what_a_key_stands_for(two: tuple[Person, Person], money: str) -> None:
    alice, bob = two
    await alice.receive("5 USDX")
    to, turned = f"@{bob.handle}", dict(reversed(NOTE["metadata"].items()))  # type: ignore[attr-defined] # a dict
    first = await alice.pay(to, money, "k", **NOTE)

    again = await alice.pay(to, money, "k", reference="order-17", metadata=turned)
    others = [
        await alice.pay(to, money, "k", **fields)
        for fields in (NOTE | {"reference": "order-18"}, NOTE | {"metadata": {"shop": "berlin"}}, {}, NOTHING)
    ]
    bare = await alice.pay(to, money, "k2", metadata={})
    same = await alice.pay(to, money, "k2", reference=None)

    assert (again.content, again.headers["Idempotency-Replayed"]) == (first.content, "true")
    assert [code_of(other) for other in others] == [(422, "idempotency_key_reused")] * 4
    assert (same.content, same.headers["Idempotency-Replayed"]) == (bare.content, "true")


@pytest.mark.parametrize("query", ["", "?mode=all"])
@pytest.mark.parametrize("fee", [0, 100])
async def test_each_line_of_a_batch_has_its_own_note(database: Database, assets: Assets, query: str, fee: int) -> None:
    async with opened(database, assets, fee_basis_points=fee) as api:
        await pay_a_batch(api, query)


async def pay_a_batch(api: Api, query: str) -> None:
    alice, bob, _ = [await api.person(name, "100.00 EUR", "5 USDX") for name in ("alice", "bob", "carol")]
    lines = [
        {"to": "@bob", **amount("1.00 EUR"), "reference": "a", "metadata": {"n": 1}},
        {"to": "@carol", **amount("1.00 EUR")},
        {"to": "@bob", **amount("1 USDX"), "reference": "b"},
        {"to": "@bob", **amount("1.00 EUR"), "metadata": {"n": 2}},
        {"to": "@bob", **amount("1.00 EUR"), "capture": False, "reference": "c"},
    ]
    first = await alice.post(f"/v1/payments/batch{query}", lines, "k")
    again = await alice.post(f"/v1/payments/batch{query}", lines, "k")

    ids = [one["id"] for one in first.json()]
    shown = [note_in((await alice.get(f"/v1/payments/{id}")).json()) for id in ids]
    assert again.content == first.content
    assert shown == [
        {"reference": "a", "metadata": {"n": 1}},
        NOTHING,
        {"reference": "b", "metadata": None},
        {"reference": None, "metadata": {"n": 2}},
        {"reference": "c", "metadata": None},
    ]
    assert [note_in(one) for one in (await bob.get("/v1/payments")).json()["items"]] == [NOTHING] * 4
    assert await notes(api) == 4
    assert await api.wrong() == []


async def test_a_line_that_cannot_be_paid_leaves_no_note(two: tuple[Person, Person]) -> None:
    alice, bob = two
    before = await notes(alice.api)
    lines = [{"to": f"@{bob.handle}", **amount("60.00 EUR"), "reference": f"{n}"} for n in range(2)]
    answer = await alice.post("/v1/payments/batch", lines, "k")
    again = await alice.post("/v1/payments/batch", lines, "k2")

    assert [one["status"] for one in answer.json() + again.json()] == [201, 409, 409, 409]
    assert code_of(await alice.pay(f"@{bob.handle}", "500.00 EUR", **NOTE)) == (409, "insufficient_funds")
    assert await notes(alice.api) == before + 1


async def test_a_payment_without_a_note_has_no_row_for_it(two: tuple[Person, Person]) -> None:
    alice, bob = two
    before = await notes(alice.api)
    for fields in ({}, NOTHING, {"metadata": {}}, {"capture": False}):
        assert note_in((await alice.pay(f"@{bob.handle}", "1.00 EUR", **fields)).json()) == NOTHING  # type: ignore[arg-type] # fields of JSON
    assert await notes(alice.api) == before


async def test_a_refund_has_its_refunders_note_and_not_that_of_the_payment(two: tuple[Person, Person]) -> None:
    alice, bob = two
    paid = (await alice.pay(f"@{bob.handle}", "3.00 EUR", **NOTE)).json()["id"]
    plain = (await bob.post(f"/v1/payments/{paid}/refund", {"amount": "1.00"})).json()
    own = {"reference": "return-4", "metadata": {"reason": "broken"}}
    noted = (await bob.post(f"/v1/payments/{paid}/refund", {"amount": "1.00", **own}, "r")).json()
    again = await bob.post(f"/v1/payments/{paid}/refund", {"amount": "1.0", **own}, "r")
    other = await bob.post(f"/v1/payments/{paid}/refund", {"amount": "1.00", "reference": "return-5"}, "r")

    assert (note_in(plain), note_in(noted), plain["refund_of"]) == (NOTHING, own, paid)
    assert note_in((await alice.get(f"/v1/payments/{noted['id']}")).json()) == NOTHING
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (noted, "true")
    assert code_of(other) == (422, "idempotency_key_reused")


async def test_the_note_of_a_draw_is_its_payees_who_wrote_it(two: tuple[Person, Person]) -> None:
    alice, shop = two
    mandate = {"payee": f"@{shop.handle}", "asset": "EUR", "period": "20.00"}
    granted = (await alice.post("/v1/mandates", mandate)).json()["id"]

    drawn = (await shop.post(f"/v1/mandates/{granted}/draws", {"amount": "5.00", **NOTE})).json()

    assert note_in(drawn) == NOTE
    assert note_in((await shop.get(f"/v1/payments/{drawn['id']}")).json()) == NOTE
    assert note_in((await alice.get(f"/v1/payments/{drawn['id']}")).json()) == NOTHING


@pytest.mark.parametrize(
    "fields",
    [
        {"reference": "x" * 64},
        {"reference": "é" * 64},
        {"reference": "Bestellung 17/b #ü 漢"},
        {"metadata": {"k" * 40: "", " ": " \n\t", "größe": "😀", "to": "@bob", "amount": "1.00"}},
        {"metadata": {"a": INTEGER_MAX, "b": -INTEGER_MAX, "c": 1e300, "d": -0.5, "e": False, "f": 0}},
        {"metadata": {"k": "x" * (METADATA_BYTES_MAX - len('{"k":""}'))}},
    ],
)
async def test_a_note_comes_back_as_it_was_written(two: tuple[Person, Person], fields: dict[str, Any]) -> None:
    alice, bob = two
    paid = await alice.pay(f"@{bob.handle}", "0.01 EUR", **fields)
    assert paid.status_code == 201, paid.text
    shown = (await alice.get(f"/v1/payments/{paid.json()['id']}")).json()
    assert note_in(paid.json()) == note_in(shown) == NOTHING | fields


BAD = [
    *[{"reference": text} for text in ("", "x" * 65, "a\nb", "a\x00", "a\u200bb", "a\u202eb", "a\tb", "a\u2028b")],
    *[{"metadata": {key: "v"}} for key in ("", "k" * 41, "a\nb", "a\x00")],
    *[
        {"metadata": {"k": value}}
        for value in (INTEGER_MAX + 1, -INTEGER_MAX - 1, 2**80, "a\x00", "x" * 2041, "é" * 1021)
    ],
    *[{"metadata": {"k": value}} for value in ({}, [], None, {"a": 1})],
    *[{"metadata": value} for value in ("a", [], 1)],
    {"reference": 17},
    {"reference": ["a"]},
]


@pytest.mark.parametrize("fields", BAD, ids=lambda fields: json.dumps(fields)[:40])
async def test_a_note_that_is_none_is_refused_by_the_name_of_its_field(
    two: tuple[Person, Person], fields: dict[str, Any]
) -> None:
    alice, bob = two
    body = {"to": f"@{bob.handle}", **amount("1.00 EUR"), **fields}
    before = await alice.api.counts()

    answers = [
        await alice.post("/v1/payments", body),
        await alice.post("/v1/payments/batch?mode=all", [body]),
        await alice.post("/v1/payments/preview", body),
    ]
    (line,) = (await alice.post("/v1/payments/batch", [body])).json()

    (name,) = fields
    for answer in answers:
        assert code_of(answer) == (400, "invalid_request"), answer.text
    for problem in (*(answer.json() for answer in answers), line["problem"]):
        assert name in problem["detail"]
        assert len(problem["detail"]) < 200
    after = await alice.api.counts()
    assert {**after, "idempotency_key": 0} == {**before, "idempotency_key": 0}


async def test_a_key_of_metadata_that_is_there_twice_is_refused(two: tuple[Person, Person]) -> None:
    alice, bob = two
    start = json.dumps({"to": f"@{bob.handle}", **amount("1.00 EUR")})[:-1]
    for metadata in ('{"a":1,"a":2}', '{"a":1,"\\u0061":2}'):
        answer = await alice.post("/v1/payments", f'{start},"metadata":{metadata}}}'.encode())
        assert (code_of(answer), answer.json()["kind"]) == ((400, "invalid_request"), "repeated_field")


async def test_nothing_in_the_database_changes_a_note(two: tuple[Person, Person]) -> None:
    alice, bob = two
    await alice.pay(f"@{bob.handle}", "1.00 EUR", **NOTE)
    for statement in (
        "UPDATE payment_note SET reference = 'other'",
        "DELETE FROM payment_note",
        "TRUNCATE payment_note",
    ):
        with pytest.raises(Exception, match="append"):
            async with alice.api.services.database.transaction() as connection:
                await connection.execute(statement)


def test_what_a_payment_is_asked_with_is_what_is_in_this_file() -> None:
    """A field that is added to a request is to be part of what its key stands for, and of these tests."""
    fields = ("to", "amount", "asset", "memo", "capture", "reference", "metadata", "request")
    assert PaymentRequest.__struct_fields__ == fields
    assert PaymentRequest.__struct_config__.omit_defaults, "a field that is added changes no earlier fingerprint"
