"""Lists: newest first, and whoever follows the cursors sees everything once, while more arrives."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest

from gateway.payments.model.payment import State
from gateway.payments.records import search
from tests.api.conftest import Person, opened

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("limit", [1, 4, 6, 200])
async def test_payments_are_neither_lost_nor_repeated(two: tuple[Person, Person], limit: int) -> None:
    alice, bob = two
    await bob.receive("100.00 EUR")
    made = [
        (await payer.pay(to, "1.00 EUR", capture=n % 3 > 0)).json()["id"]
        for n, (payer, to) in enumerate([(alice, f"@{two[1].handle}"), (bob, f"@{two[0].handle}")] * 6)
    ]

    seen, cursor = [], ""
    while cursor is not None:
        page = (await alice.get(f"/v1/payments?limit={limit}" + (f"&cursor={cursor}" if cursor else ""))).json()
        assert len(page["items"]) <= limit
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        await bob.pay(f"@{two[0].handle}", "0.01 EUR")

    assert seen == made[::-1]


@pytest.mark.parametrize("limit", [1, 5, 200])
async def test_a_statement_is_whole_and_its_balances_run(two: tuple[Person, Person], limit: int) -> None:
    alice, _ = two
    ids = [(await alice.pay(f"@{two[1].handle}", f"{n}.00 EUR")).json()["id"] for n in range(1, 10)]

    lines, cursor = [], ""
    while cursor is not None:
        path = f"/v1/entries?asset=EUR&limit={limit}" + (f"&cursor={cursor}" if cursor else "")
        page = (await alice.get(path)).json()
        lines += page["items"]
        cursor = page["next_cursor"]
        await alice.pay(f"@{two[1].handle}", "0.01 EUR")

    assert [line["number"] for line in lines] == list(range(10, 0, -1))
    assert [line["payment_id"] for line in lines] == [*ids[::-1], None]
    balance = 0.0
    for line in reversed(lines):
        balance += float(line["amount"]) * (1 if line["side"] == "credit" else -1)
        assert float(line["balance"]) == balance


async def test_an_empty_list_is_a_list(two: tuple[Person, Person]) -> None:
    alice, _ = two
    assert (await alice.get("/v1/payments")).json() == {"items": [], "next_cursor": None}
    assert (await alice.get("/v1/entries?asset=JPY")).json() == {"items": [], "next_cursor": None}


async def test_events_are_read_on_from_where_one_stopped(two: tuple[Person, Person]) -> None:
    alice, bob = two
    for _ in range(3):
        await alice.pay(f"@{two[1].handle}", "1.00 EUR")
    await bob.receive("1.00 EUR")
    held = (await bob.pay(f"@{two[0].handle}", "1.00 EUR", capture=False)).json()["id"]
    await alice.post(f"/v1/payments/{held}/void", {})

    page = (await alice.get("/v1/events?limit=2")).json()
    seen = page["items"]
    while page["has_more"]:
        assert page["next_cursor"] == page["items"][-1]["id"]
        page = (await alice.get(f"/v1/events?limit=2&after={page['next_cursor']}")).json()
        seen += page["items"]

    again = (await alice.get(f"/v1/events?after={seen[-1]['id']}")).json()
    assert again == {"items": [], "has_more": False, "next_cursor": seen[-1]["id"]}
    assert [event["type"] for event in seen] == [
        "wallet.created", "deposit.settled", *["payment.settled"] * 3, "payment.held", "payment.voided",
    ]  # fmt: skip
    assert (seen[-1]["data"]["id"], seen[-1]["data"]["from"]) == (held, f"@{bob.handle}")
    assert (
        seen[2]["data"].items()
        >= {"from": f"@{two[0].handle}", "to": f"@{two[1].handle}", "amount": "1.00", "asset": "EUR"}.items()
    )


@pytest.mark.parametrize(
    "amount", ["0.01", "0.99", "100.01", "9999999999.99", str(10**18) + ".01", str(2**240) + ".99"]
)
async def test_a_preview_has_the_fee_that_is_paid(two: tuple[Person, Person], amount: str) -> None:
    alice, _ = two
    await alice.receive(f"{2**245}.00 EUR")
    async with opened(alice.api.services.database, alice.api.services.settings.assets, fee_basis_points=33) as costly:
        payer = Person(costly, alice.handle, alice.api_key, "", "")
        await payer.pay(f"@{two[1].handle}", "0.01 EUR")  # the fees' account is open now
        seen = (
            await payer.post("/v1/payments/preview", {"to": f"@{two[1].handle}", "amount": amount, "asset": "EUR"})
        ).json()

        paid = (await payer.pay(f"@{two[1].handle}", f"{amount} EUR")).json()

    units = int(amount.replace(".", ""))
    assert int(paid["fee"].replace(".", "")) == units * 33 // 10_000
    assert (paid["fee"], paid["route"]) == (seen["fee"], seen["route"])
    assert (await alice.balance("EUR"))[2] == seen["available_after"]


async def test_a_small_payment_costs_no_more_than_its_part(two: tuple[Person, Person]) -> None:
    """One by one, in groups and as lines, before anybody has paid a fee and after."""
    alice, bob = two
    eur = {"to": f"@{bob.handle}", "asset": "EUR"}
    async with opened(alice.api.services.database, alice.api.services.settings.assets, fee_basis_points=5000) as costly:
        payer = replace(alice, api=costly)
        assert (await payer.pay(f"@{bob.handle}", "0.01 EUR")).json()["fee"] == "0.00", "on the way for all there is"
        for _ in range(2):
            assert (await payer.pay(f"@{bob.handle}", "0.01 EUR")).json()["fee"] == "0.00"
            lines = [{**eur, "amount": text} for text in ("0.01", "0.03", "0.01")]
            answer = await payer.post("/v1/payments/batch", lines)
            assert [one["status"] for one in answer.json()] == [201, 201, 201]
            paid = await asyncio.gather(*(payer.pay(f"@{bob.handle}", f"0.0{n} EUR") for n in (1, 2, 1, 3)))
            assert [one.json()["fee"] for one in paid] == ["0.00", "0.01", "0.00", "0.01"]
        held = (await payer.pay(f"@{bob.handle}", "1.00 EUR", capture=False)).json()["id"]
        part = (await payer.post(f"/v1/payments/{held}/capture", {"amount": "0.01"})).json()
        assert (part["state"], part["captured"], part["fee"]) == ("settled", "0.01", "0.00")
    assert await alice.balance("EUR") == ("99.66", "0.00", "99.66")
    assert await alice.api.wrong() == []


async def test_an_event_says_the_same_whichever_way_a_payment_took(two: tuple[Person, Person]) -> None:
    alice, bob = two
    async with opened(alice.api.services.database, alice.api.services.settings.assets, fee_basis_points=100) as costly:
        payer, payee = replace(alice, api=costly), replace(bob, api=costly)
        await payer.pay(f"@{bob.handle}", "1.00 EUR")  # the fees' account is open now
        before = (await payer.get("/v1/events?limit=200")).json()["next_cursor"]
        await payer.pay(f"@{bob.handle}", "2.00 EUR")
        await payer.pay(f"@{bob.handle.upper()}", "2.00 EUR")  # folded by the handler behind the fast path

        told = [(await party.get(f"/v1/events?after={before}")).json()["items"] for party in (payer, payee)]

    own = {"wallet_id": "", "data": {}}
    assert [one | own for one in told[0]] == [one | own for one in told[1]]
    changes = {"id": "", "created_at": "", "settled_at": ""}
    fast, ordinary = (event["data"] | changes for event in told[0])
    assert fast == ordinary
    assert fast["fee"] == "0.02"


async def found(person: Person, query: str) -> list[str]:
    """The ids of all pages of the list."""
    seen, cursor = list[str](), ""
    while cursor is not None:
        answer = await person.get(f"/v1/payments?limit=2&{query}" + (f"&cursor={cursor}" if cursor else ""))
        assert answer.status_code == 200, answer.text
        seen += [item["id"] for item in answer.json()["items"]]
        cursor = answer.json()["next_cursor"]
    return seen


async def test_payments_are_found_by_what_people_look_for(two: tuple[Person, Person]) -> None:
    alice, bob = two
    carol = await alice.api.person(f"c{uuid4().hex[:10]}", "5.00 EUR", "5 USDX")
    await alice.receive("10 USDX")
    address = "0x" + "1a" * 20
    made = [
        *[await alice.pay(f"@{bob.handle}", "1.00 EUR", memo="rent") for _ in range(3)],
        await alice.pay(f"@{bob.handle}", "2.00 EUR", memo="rent for May", capture=False),
        await alice.pay(f"@{carol.handle}", "3.00 EUR"),
        await carol.pay(f"@{alice.handle}", "1.00 EUR", memo="rent"),
        await alice.pay(address, "1 USDX"),
        await carol.pay(f"@{alice.handle}", "1 USDX"),
        await bob.pay(f"@{carol.handle}", "0.50 EUR", memo="rent"),
    ]
    ids = [one.json()["id"] for one in made]
    voided = (await alice.post(f"/v1/payments/{ids[4]}/void", {})).status_code
    assert voided == 409  # it is settled

    for query, places in {
        "state=held": [3],
        "state=queued": [6, 7],
        "state=settled": [0, 1, 2, 4, 5],
        "state=failed": [],
        "memo=rent": [0, 1, 2, 5],
        "memo=rent%20for%20May": [3],
        "memo=Rent": [],
        "memo=": [],
        "asset=USDX": [6, 7],
        "asset=EUR&state=settled&memo=rent": [0, 1, 2, 5],
        f"from=@{alice.handle}": [0, 1, 2, 3, 4, 6],
        f"from={carol.handle.upper()}": [5, 7],
        f"from={carol.address}&asset=USDX": [7],
        f"to=@{alice.handle}": [5, 7],
        f"to={alice.address.lower()}": [5, 7],
        f"to={address}": [6],
        f"to=@{bob.handle}&state=held": [3],
        f"counterparty=@{carol.handle}": [4, 5, 7],
        f"counterparty={carol.address}": [4, 5, 7],
        f"counterparty={address}": [6],
        f"counterparty=@{alice.handle}": [],
        f"from=@{bob.handle}": [],
        "to=@nobody_at_all": [],
        "from=0x" + "9" * 40: [],
    }.items():
        assert await found(alice, query) == [ids[place] for place in reversed(places)], query


@pytest.mark.parametrize(
    ("query", "code", "kind"),
    [
        ("state=paid", "invalid_request", "parameter"),
        ("state=", "invalid_request", "parameter"),
        ("asset=XXX", "unknown_asset", None),
        ("from=@x", "invalid_request", "party"),
        ("to=0x12", "invalid_request", "party"),
        ("counterparty=", "invalid_request", "party"),
        ("memo=a&memo=b", "invalid_request", "repeated_parameter"),
        ("reference=", "invalid_request", "reference"),
        ("reference=" + "x" * 65, "invalid_request", "reference"),
        ("rail=bank", "invalid_request", "parameter"),
        ("created=2030-01-31", "invalid_request", "unknown_parameter"),
        ("cursor=x&state=held", "invalid_request", "cursor"),
    ],
)
async def test_what_cannot_be_looked_for_is_refused(
    two: tuple[Person, Person], query: str, code: str, kind: str | None
) -> None:
    problem = (await two[0].get(f"/v1/payments?{query}")).json()
    assert (problem["code"], problem.get("kind")) == (code, kind)


STATES = ", ".join(state.value for state in State)


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("payments?state=banana", f"the query parameter state cannot be 'banana': it should be one of {STATES}"),
        ("payments?state=", f"the query parameter state cannot be '': it should be one of {STATES}"),
        ("payments?limit=banana", "the query parameter limit cannot be 'banana': it should be a number from 1 to 200"),
        ("payments?limit=0", "the query parameter limit cannot be '0': it should be a number from 1 to 200"),
        ("events?after=-1", "the query parameter after cannot be '-1': it should be the id of an event (evt_…)"),
        ("entries", "the query parameter asset is missing"),
    ],
)
async def test_a_query_parameter_is_named_as_it_was_sent_with_what_it_may_be(
    two: tuple[Person, Person], query: str, detail: str
) -> None:
    assert (await two[0].get(f"/v1/{query}")).json()["detail"] == detail


async def test_the_mode_of_a_batch_is_told_with_what_it_may_be(two: tuple[Person, Person]) -> None:
    problem = (await two[0].post("/v1/payments/batch?mode=most", [])).json()
    assert problem["detail"] == "the query parameter mode cannot be 'most': it should be each or all"


async def test_a_page_is_walked_no_further_than_so_many_and_says_where_to_go_on(two: tuple[Person, Person]) -> None:
    alice, bob = two
    needle = (await alice.pay(f"@{bob.handle}", "0.01 EUR", memo="needle")).json()["id"]
    line = {"to": f"@{bob.handle}", "amount": "0.01", "asset": "EUR"}
    await alice.post("/v1/payments/batch", [line] * search.WALKED_MAX)

    first = (await alice.get("/v1/payments?memo=needle")).json()
    second = (await alice.get(f"/v1/payments?memo=needle&cursor={first['next_cursor']}")).json()

    assert first["items"] == []
    assert ([item["id"] for item in second["items"]], second["next_cursor"]) == ([needle], None)
