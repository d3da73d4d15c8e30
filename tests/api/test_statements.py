"""Statements add up to the ledger's entries, in every month, asset and time zone; and the files that they are."""

import asyncio
import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import httpx
import pytest
from pypdf import PdfReader

from gateway.api.wallets import statements
from gateway.api.wallets.statements import _csv, summaries_of
from gateway.identity import wallet as wallets
from gateway.ids import read
from gateway.statements import csv_file, statement
from gateway.statements.period import month_of
from tests.api.conftest import Api, Person
from tests.databases import until_waiting, waiting_now

pytestmark = pytest.mark.anyio

ZONES = ("UTC", "Asia/Bangkok", "America/New_York", "Pacific/Kiritimati")


async def file(person: Person, query: str, kind: str = "csv") -> httpx.Response:
    return await person.api.client.get(f"/v1/statement.{kind}?{query}", headers=person.bearer)


def rows_of(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(answer.content.decode("utf-8-sig").splitlines(), strict=True))


async def entries_of(person: Person, asset: str) -> list[dict[str, Any]]:
    """Every entry, oldest first, as another call lists them."""
    found, cursor = list[dict[str, Any]](), ""
    while cursor is not None:
        page = (await person.get(f"/v1/entries?asset={asset}&limit=200{f'&cursor={cursor}' if cursor else ''}")).json()
        found, cursor = found + page["items"], page["next_cursor"]
    return found[::-1]


def signed(entry: dict[str, Any]) -> Decimal:
    return Decimal(entry["amount"]) * (1 if entry["side"] == "credit" else -1)


def month_in(zone: str, text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone(ZoneInfo(zone)):%Y-%m}"


@pytest.fixture
async def months(api: Api) -> tuple[Person, Sequence[str]]:
    """@alice with payments over three months and some, at times that are in another month in another time zone."""
    random = Random(7)
    alice, bob = await api.person("alice"), await api.person("bob", "500.00 EUR", "90000 JPY")
    await alice.receive("100.00 EUR")
    await alice.receive("20 USDX")
    for _ in range(40):
        api.clock.ahead += timedelta(hours=random.randint(1, 60))
        payer, payee = random.choice([(alice, bob), (bob, alice), (bob, alice)])
        money = random.choice([f"{random.randint(1, 300) / 100:.2f} EUR", f"{random.randint(1, 900)} JPY"])
        await payer.pay(f"@{payee.handle}", money, memo=random.choice(["lunch", "=1+1", "ขอบคุณ", 'a,b;"c"']))
    first = (await entries_of(alice, "EUR"))[0]["posted_at"]
    begins = datetime.fromisoformat(first) - timedelta(days=40)
    return alice, [f"{(begins + timedelta(days=28 * n)).astimezone(UTC):%Y-%m}" for n in range(7)]


@pytest.mark.parametrize("zone", ZONES)
async def test_opening_and_entries_add_up_to_closing_in_every_month_and_asset(
    months: tuple[Person, Sequence[str]], zone: str
) -> None:
    alice, names = months
    everything = {asset: await entries_of(alice, asset) for asset in ("EUR", "JPY", "USDX")}
    seen = 0
    for month in dict.fromkeys(names):
        shown = (await alice.get(f"/v1/statement?month={month}&time_zone={zone}")).json()
        rows = rows_of(await file(alice, f"month={month}&time_zone={zone}"))
        of_asset = {one["asset"]: one for one in shown["accounts"]}
        for asset, entries in everything.items():
            before = [one for one in entries if month_in(zone, one["posted_at"]) < month]
            inside = [one for one in entries if month_in(zone, one["posted_at"]) == month]
            opening, closing = sum(map(signed, before), Decimal(0)), sum(map(signed, before + inside), Decimal(0))
            if not inside and not closing:
                assert asset not in of_asset
                continue
            one = of_asset[asset]
            assert (Decimal(one["opening"]), Decimal(one["closing"])) == (opening, closing)
            assert Decimal(one["paid_in"]) - Decimal(one["paid_out"]) == sum(map(signed, inside), Decimal(0))
            assert one["entries"] == len(inside)
            first, *lines, last = [row for row in rows if row["asset"] == asset]
            assert (first["type"], Decimal(first["balance"])) == ("opening_balance", opening)
            assert (last["type"], Decimal(last["balance"])) == ("closing_balance", closing)
            assert [Decimal(row["amount"]) for row in lines] == [signed(entry) for entry in inside]
            assert [row["balance"] for row in lines] == [entry["balance"] for entry in inside]
            assert [row["reference"] for row in lines] == [entry["reference"] for entry in inside]
            assert all(row["date"].startswith(month) for row in lines)
            seen += len(inside)
    assert seen == sum(map(len, everything.values())), "each entry is in one month"


async def test_a_file_says_whom_each_entry_was_to_or_from_and_what_for(api: Api) -> None:
    alice, bob = await api.person("alice", "50.00 EUR"), await api.person("bob", "5.00 EUR")
    paid = (await alice.pay("@bob", "12.50 EUR", memo="lunch")).json()["id"]
    await bob.pay("@alice", "0.50 EUR", memo="=1+1")
    await bob.post(f"/v1/payments/{paid}/refund", {"amount": "2.00"}, "back")
    month = f"{api.clock():%Y-%m}"
    rows = rows_of(await file(alice, f"month={month}&asset=EUR"))
    assert [(row["type"], row["person"], row["memo"], row["amount"]) for row in rows[2:-1]] == [
        ("payment", "@bob", "lunch", "-12.50"),
        ("payment", "@bob", "'=1+1", "0.50"),
        ("refund", "@bob", "lunch", "2.00"),
    ]
    assert rows[2]["reference"] == paid


async def test_the_name_of_a_file_has_the_handle_and_the_period(alice: Person) -> None:
    for query, name in (
        ("month=2026-11&time_zone=Asia/Bangkok", "2026-11"),
        ("from=2026-10-31T17:00:00Z&until=2026-11-30T17:00:00Z&time_zone=Asia/Bangkok", "2026-11"),
        ("from=2026-11-03T00:00:00Z&until=2026-11-05T00:00:00Z", "2026-11-03-2026-11-04"),
    ):
        answer = await file(alice, query)
        named = f'attachment; filename="statement-{alice.handle}-{name}.csv"'
        assert answer.headers["content-disposition"] == named
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "say which period"),
        ("from=2026-11-01T00:00:00Z", "say which period"),
        ("month=2026-11&from=2026-11-01T00:00:00Z&until=2026-11-02T00:00:00Z", "say which period"),
        ("month=2026-13", "month cannot be"),
        ("month=2026-11&time_zone=Mars/Olympus", "is no time zone"),
        ("from=2026-11-02T00:00:00Z&until=2026-11-02T00:00:00Z", "should be later"),
    ],
)
async def test_what_is_no_period_is_refused(alice: Person, query: str, said: str) -> None:
    for path in ("/v1/statement", "/v1/statement.csv", "/v1/statement.pdf"):
        answer = await alice.get(f"{path}?{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
        assert said in answer.json()["detail"]


async def test_a_statement_is_of_its_reader_alone(alice: Person, bob: Person) -> None:
    await alice.receive("5.00 EUR")
    month = f"{alice.api.clock():%Y-%m}"
    assert (await bob.get(f"/v1/statement?month={month}")).json()["accounts"] == []
    assert len(rows_of(await file(bob, f"month={month}"))) == 0
    assert (await alice.api.client.get(f"/v1/statement.csv?month={month}")).status_code == 401


async def test_a_long_file_is_made_a_page_at_a_time(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statement, "PAGE", 10)
    alice = await api.person("alice", "1.00 EUR")
    await api.person("bob")
    many = [{"to": "@bob", "amount": "0.01", "asset": "EUR"} for _ in range(95)]
    assert (await alice.post("/v1/payments/batch", many)).status_code == 200
    async with api.services.database.reading() as connection:
        wallet = await wallets.by_handle(connection, "alice")
    assert wallet.id == read("wal", alice.wallet_id)
    period = month_of(f"{api.clock():%Y-%m}", "UTC")
    found = await summaries_of(api.services, wallet, period, "EUR")
    chunks = [chunk async for chunk in _csv(api.services, wallet, period, found, api.clock())]
    assert [chunk.count(b"\r\n") for chunk in chunks] == [1, 1, *[10] * 9, 6, 1]
    assert b"".join(chunks).startswith(csv_file.head())


async def test_what_is_paid_meanwhile_is_not_in_the_file(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statement, "PAGE", 1)
    alice, bob = await api.person("alice", "1.00 EUR"), await api.person("bob", "1.00 EUR")
    await alice.pay("@bob", "0.10 EUR")
    async with api.services.database.reading() as connection:
        wallet = await wallets.by_handle(connection, "alice")
    period = month_of(f"{api.clock():%Y-%m}", "UTC")
    (found,) = await summaries_of(api.services, wallet, period, "EUR")
    chunks = list[bytes]()
    async for chunk in _csv(api.services, wallet, period, [found], api.clock()):
        await bob.pay("@alice", "0.01 EUR")
        chunks.append(chunk)
    lines = b"".join(chunks).decode("utf-8-sig").splitlines()
    assert len(lines) == 5
    assert ",0.90," in lines[-1]
    assert quote("0.90") in lines[-1]


async def test_a_pdf_has_the_entries_of_the_month_and_a_name(api: Api) -> None:
    alice, _ = await api.person("alice", "50.00 EUR"), await api.person("bob")
    await alice.pay("@bob", "12.50 EUR", memo="ขอบคุณ")
    month = f"{api.clock():%Y-%m}"
    answer = await file(alice, f"month={month}&language=th", "pdf")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert answer.headers["content-disposition"] == f'attachment; filename="statement-alice-{month}.pdf"'
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.content)).pages)
    for said in ("-€12.50", "€37.50", "@bob", "@alice"):
        assert said in text


async def test_a_period_with_too_many_entries_is_no_pdf(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "ENTRIES_MAX", 2)
    alice, _ = await api.person("alice", "50.00 EUR"), await api.person("bob")
    await alice.pay("@bob", "0.50 EUR")
    path = f"/v1/statement.pdf?month={api.clock():%Y-%m}"
    assert (await file(alice, path.partition("?")[2], "pdf")).status_code == 200
    await alice.pay("@bob", "0.50 EUR")
    refused = (await alice.get(path)).json()
    assert (refused["code"], refused["entries"], refused["maximum"]) == ("statement_too_long", 3, 2)


async def test_statements_that_take_long_leave_connections_to_everybody_else(api: Api) -> None:
    alice, bob = await api.person("alice", "5.00 EUR"), await api.person("bob", "5.00 EUR")
    path = "/v1/statement?from=2000-01-01T00:00:00Z&until=2100-01-01T00:00:00Z&asset=EUR"
    async with api.services.database.transaction() as connection:
        await connection.execute("LOCK TABLE transfer IN ACCESS EXCLUSIVE MODE")
        asked = [who.get(path) for who in (alice, bob) for _ in range(api.services.database.connections_max)]
        waiting = [asyncio.create_task(one) for one in asked]
        await until_waiting(connection, 2, *waiting)
        assert (await alice.get("/v1/wallet")).status_code == 200
        assert await waiting_now(connection) == 2
    assert {one.status_code for one in await asyncio.gather(*waiting)} == {200}
