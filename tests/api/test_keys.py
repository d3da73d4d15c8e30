"""API keys that an owner makes: beyond their scope, cap, network or time they do nothing; a thousand at the edge of a
cap pay no more than one after the other; and one that was revoked is none, on another process as well.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from gateway.money import Assets
from gateway.payments.checks.caps import Cap, Paid, refusal
from gateway.payments.checks.spending import BUCKET, Spent
from gateway.payments.errors import DayCapExceeded, DayCapTooSmall, PaymentCapExceeded
from tests.api.browser import browsing
from tests.api.conftest import Api, Person, amount, at_the_same_moment, code_of
from tests.processes import HANG_SECONDS

pytestmark = pytest.mark.anyio

EUR = {"asset": "EUR"}


async def made(owner: Any, **wanted: Any) -> tuple[str, str]:
    """A fresh key: its id, and the key."""
    answer = await owner.post("/v1/keys", {"name": "Shop", "scopes": ["read", "pay", "refund"], **wanted})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"], answer.json()["api_key"]


def with_key(person: Person, key: str) -> Person:
    return Person(person.api, person.handle, key, person.wallet_id, person.address)


@pytest.fixture
async def alice(api: Api) -> Person:
    await api.person("bob")
    await api.person("carol")
    return await api.person("alice", "100.00 EUR", "100.00 USD", "50 USDX")


async def test_a_key_beyond_its_scope_is_refused(alice: Person) -> None:
    _, key = await made(alice, scopes=["read"])
    reader = with_key(alice, key)
    assert (await reader.get("/v1/wallet")).status_code == 200
    assert code_of(await reader.pay("@bob", "1.00 EUR")) == (403, "forbidden")
    assert code_of(await reader.post("/v1/keys", {"name": "More", "scopes": ["pay"]})) == (403, "forbidden")
    assert code_of(await reader.post("/v1/wallet/key/export", {"confirm": "x"})) == (403, "forbidden")


async def test_a_key_beyond_its_cap_is_refused_and_told_what_is_left(alice: Person) -> None:
    _, key = await made(alice, caps=[{**EUR, "payment": "10.00", "day": "15.00"}])
    shop = with_key(alice, key)
    over = await shop.pay("@bob", "10.01 EUR")
    assert code_of(over) == (409, "cap_exceeded")
    assert (over.json()["asked"], over.json()["left"]) == ("10.01", "10.00")
    assert (await shop.pay("@bob", "10.00 EUR")).status_code == 201
    over = await shop.pay("@bob", "5.01 EUR")
    assert (code_of(over), over.json()["left"]) == ((409, "cap_exceeded"), "5.00")
    assert (await shop.pay("@bob", "5.00 EUR")).status_code == 201
    assert code_of(await shop.pay("@bob", "1.00 USD")) == (409, "cap_exceeded"), "no cap covers dollars"

    shop.api.clock.ahead = timedelta(days=1, seconds=2)
    assert (await shop.pay("@bob", "10.00 EUR")).status_code == 201
    assert await alice.balance("EUR") == ("75.00", "0.00", "75.00")


async def test_a_refusal_by_a_cap_says_which_cap_and_when_there_is_room(alice: Person) -> None:
    _, key = await made(alice, caps=[{**EUR, "payment": "10.00", "day": "15.00"}, {"asset": "USD", "day": "3.00"}])
    shop = with_key(alice, key)

    async def refused(to_pay: str) -> dict[str, Any]:
        answer = await shop.pay("@bob", to_pay)
        assert code_of(answer) == (409, "cap_exceeded")
        problem: dict[str, Any] = answer.json()
        return problem

    at_once = await refused("10.01 EUR")
    assert (at_once["kind"], at_once["retryable"], at_once["left"]) == ("payment", False, "10.00")
    assert "10.00 EUR at most in one payment" in at_once["detail"]

    too_small = await refused("3.01 USD")
    assert (too_small["kind"], too_small["retryable"], too_small["cap"]) == ("day", False, "3.00")
    assert "3.00 USD at most in any 24 hours" in too_small["detail"]

    uncovered = await refused("1 USDX")
    assert (uncovered.get("kind"), uncovered["retryable"], uncovered["left"]) == (None, False, "0.000000")
    assert "no cap of this API key covers such a payment" in uncovered["detail"]

    first = (await shop.pay("@bob", "4.00 EUR")).json()["created_at"]
    second = (await shop.pay("@bob", "10.00 EUR")).json()["created_at"]
    for asked, since in (("5.00 EUR", first), ("5.01 EUR", second)):
        later = await refused(asked)
        assert (later["kind"], later["retryable"], later["left"]) == ("day", True, "1.00")
        wait = datetime.fromisoformat(later["again_at"]) - datetime.fromisoformat(since)
        assert timedelta(days=1) <= wait <= timedelta(days=1) + BUCKET
        assert "1.00 EUR is left of the 15.00 EUR" in later["detail"]
    shop.api.clock.ahead = timedelta(days=1)
    assert (await shop.pay("@bob", "5.00 EUR")).status_code == 201


async def test_a_preview_is_refused_as_the_payment_would_be_and_uses_no_room(alice: Person) -> None:
    _, key = await made(alice, caps=[{**EUR, "day": "10.00"}])
    shop = with_key(alice, key)
    for money, status in (("10.00 EUR", 200), ("10.00 EUR", 200), ("10.01 EUR", 409)):
        answer = await shop.post("/v1/payments/preview", {"to": "@bob", **amount(money)})
        assert answer.status_code == status, answer.text
    assert code_of(answer) == (409, "cap_exceeded")
    paid = (await shop.pay("@bob", "10.00 EUR")).json()["id"]
    assert (await alice.post(f"/v1/payments/{paid}/report-unauthorized", {})).status_code == 200
    answer = await alice.post("/v1/payments/preview", {"to": "@bob", **amount("1.00 EUR")})
    assert code_of(answer) == (409, "wallet_frozen")


async def test_caps_by_payee_and_by_rail_hold_beside_each_other(alice: Person) -> None:
    wanted = [{**EUR, "day": "20.00"}, {**EUR, "payee": "@bob", "day": "5.00"}]
    _, key = await made(alice, caps=[*wanted, {"asset": "USDX", "rail": "ledger", "payment": "50"}])
    shop = with_key(alice, key)
    assert code_of(await shop.pay("@bob", "5.01 EUR")) == (409, "cap_exceeded")
    assert (await shop.pay("@bob", "5.00 EUR")).status_code == 201
    assert code_of(await shop.pay("@bob", "0.01 EUR")) == (409, "cap_exceeded")
    assert (await shop.pay("@carol", "15.00 EUR")).status_code == 201
    assert code_of(await shop.pay("@carol", "0.01 EUR")) == (409, "cap_exceeded")
    assert code_of(await shop.pay("@bob", "1 USDX")) == (409, "cap_exceeded"), "tokens go by the chain"


async def test_what_was_given_back_counts_no_more(alice: Person) -> None:
    _, key = await made(alice, caps=[{**EUR, "day": "10.00"}])
    shop = with_key(alice, key)
    held = (await shop.pay("@bob", "10.00 EUR", capture=False)).json()["id"]
    assert code_of(await shop.pay("@bob", "1.00 EUR")) == (409, "cap_exceeded")
    assert (await shop.post(f"/v1/payments/{held}/void", {})).status_code == 200
    assert (await shop.pay("@bob", "10.00 EUR")).status_code == 201


async def test_what_a_payee_gives_back_or_does_not_capture_may_be_paid_again(api: Api, alice: Person) -> None:
    _, key = await made(alice, caps=[{**EUR, "day": "10.00"}])
    shop, erin = with_key(alice, key), await api.person("erin")
    held = (await shop.pay("@erin", "10.00 EUR", capture=False)).json()["id"]
    assert (await erin.post(f"/v1/payments/{held}/capture", {"amount": "4.00"})).status_code == 200
    assert code_of(await shop.pay("@erin", "6.01 EUR")) == (409, "cap_exceeded")
    assert (await erin.post(f"/v1/payments/{held}/refund", {"amount": "3.00"})).status_code == 201
    over = await shop.pay("@erin", "9.01 EUR")
    assert (code_of(over), over.json()["left"]) == ((409, "cap_exceeded"), "9.00")
    assert (await shop.pay("@erin", "9.00 EUR")).status_code == 201


async def test_lines_and_refunds_are_held_to_caps_and_nothing_else_moves_money(api: Api, alice: Person) -> None:
    _, key = await made(alice, caps=[{**EUR, "day": "10.00"}])
    shop = with_key(alice, key)
    paid = (await (await api.person("dave", "50.00 EUR")).pay("@alice", "20.00 EUR")).json()["id"]
    lines = [{"to": "@bob", "amount": "4.00", "asset": "EUR"}] * 3
    answer = (await shop.post("/v1/payments/batch", lines)).json()
    assert [line["status"] for line in answer] == [201, 201, 409]
    assert code_of(await shop.post("/v1/payments/batch?mode=all", lines)) == (409, "cap_exceeded")
    assert code_of(await shop.post(f"/v1/payments/{paid}/refund", {})) == (409, "cap_exceeded")
    assert (await shop.post(f"/v1/payments/{paid}/refund", {"amount": "2.00"})).status_code == 201
    assert code_of(await shop.post("/v1/withdrawals", {"amount": "1.00", **EUR})) == (403, "forbidden")
    conversion = {"amount": "1.00", "asset": "USD", "to_asset": "USDX"}
    assert code_of(await shop.post("/v1/conversions", conversion)) == (403, "forbidden")


async def test_a_key_used_a_thousand_times_at_once_at_the_edge_of_its_cap_pays_no_more_than_it(
    api: Api, alice: Person, beside: Api
) -> None:
    """By two gateways, since payments of one share their commits. Two commits of many payments of one wallet also wait
    for each other's idempotency keys; tests/journeys/test_two_at_once.py has those that only the cap keeps apart.
    """
    _, key = await made(alice, caps=[{**EUR, "day": "1.00"}])
    shops = [Person(of, "alice", key, alice.wallet_id, alice.address) for of in (api, beside)]
    asked = (shops[n % 2].pay("@bob", "0.07 EUR") for n in range(1000))
    answers = await at_the_same_moment(api, "wallet:alice:EUR", asked)
    seen = [answer.status_code for answer in answers]
    assert set(seen) <= {201, 409, 503}  # 503: a lock is waited for three seconds at the most
    assert seen.count(201) == 14
    assert (await alice.balance("EUR"))[0] == "99.02"
    assert await alice.api.wrong() == []


async def test_capped_keys_that_refund_each_others_payments_at_the_same_moment_wait_in_no_ring(api: Api) -> None:
    """Each refund counts against its own key and makes room for the other; both are counted under both accounts."""
    alice, bob = await api.person("alice", "100.00 EUR"), await api.person("bob", "100.00 EUR")
    caps = [{**EUR, "day": "100.00"}]
    one, other = with_key(alice, (await made(alice, caps=caps))[1]), with_key(bob, (await made(bob, caps=caps))[1])
    refunds = []
    for _ in range(40):
        there, back = await one.pay("@bob", "1.00 EUR"), await other.pay("@alice", "1.00 EUR")
        refunds += [(other, there.json()["id"]), (one, back.json()["id"])]

    answers = await asyncio.gather(*(who.post(f"/v1/payments/{id}/refund", {}) for who, id in refunds))

    assert {answer.status_code for answer in answers} == {201}
    async with api.services.database.reading() as connection:
        deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        assert await connection.fetchval(deadlocks) == 0
        left = await connection.fetchval("SELECT sum(amount) FROM spending WHERE scope = 'cap'")
        assert left == 2 * 40 * 100, "the refunds count, and what they gave back does not"
    assert await api.wrong() == []


async def test_a_key_of_a_guarded_wallet_pays_within_its_caps_unasked(api: Api) -> None:
    await api.person("bob")
    alice, _, browser = await browsing(api, "alice", "100.00 EUR")
    _, key = await made(browser, caps=[{**EUR, "payment": "50.00"}])
    _, bare = await made(browser)
    assert (await with_key(alice, bare).pay("@bob", "1.00 EUR")).json()["state"] == "requires_confirmation"
    assert (await with_key(alice, key).pay("@bob", "50.00 EUR")).json()["state"] == "settled"
    assert code_of(await with_key(alice, key).pay("@bob", "50.01 EUR")) == (409, "cap_exceeded")
    assert code_of(await alice.post("/v1/keys", {"name": "Thief", "scopes": ["pay"]})) == (403, "forbidden")


async def test_a_key_is_for_its_networks(api: Api, alice: Person) -> None:
    _, here = await made(alice, networks=["127.0.0.0/8", "10.1.0.0/16"])
    _, there = await made(alice, networks=["192.0.2.0/24", "2001:db8::/32"])
    assert (await with_key(alice, here).get("/v1/wallet")).status_code == 200
    assert code_of(await with_key(alice, there).get("/v1/wallet")) == (403, "forbidden")
    assert code_of(await with_key(alice, there).pay("@bob", "1.00 EUR")) == (403, "forbidden")


async def test_a_key_ends_with_its_time(alice: Person) -> None:
    _, key = await made(alice, expires_in=60)
    shop = with_key(alice, key)
    assert (await shop.pay("@bob", "1.00 EUR")).status_code == 201
    alice.api.clock.ahead = timedelta(seconds=61)
    assert code_of(await shop.pay("@bob", "1.00 EUR")) == (401, "unauthenticated")
    assert [one["name"] for one in (await alice.get("/v1/keys")).json()["items"]] == ["sign-up"]


async def test_a_replaced_key_is_good_for_the_overlap_and_never_for_longer_than_it_was(alice: Person) -> None:
    old_id, old = await made(alice, caps=[{**EUR, "day": "10.00"}], expires_in=7200)
    answer = await alice.post(f"/v1/keys/{old_id}/replacement", {"overlap": 60})
    fresh, new_id = answer.json()["api_key"], answer.json()["id"]
    assert answer.json()["caps"] == [{**EUR, "rail": None, "payee": None, "payment": None, "day": "10.00"}]
    again = await alice.post(f"/v1/keys/{old_id}/replacement", {"overlap": 604800})
    assert again.status_code == 201
    assert (await with_key(alice, old).pay("@bob", "6.00 EUR")).status_code == 201
    assert code_of(await with_key(alice, fresh).pay("@bob", "5.00 EUR")) == (409, "cap_exceeded"), "they count together"

    alice.api.clock.ahead = timedelta(seconds=61)
    assert code_of(await with_key(alice, old).get("/v1/wallet")) == (401, "unauthenticated")
    assert (await with_key(alice, fresh).pay("@bob", "4.00 EUR")).status_code == 201
    assert code_of(await alice.post(f"/v1/keys/{old_id}/replacement", {})) == (404, "not_found")
    alice.api.clock.ahead = timedelta(seconds=7201)
    assert code_of(await with_key(alice, fresh).get("/v1/wallet")) == (401, "unauthenticated"), new_id


async def test_a_revoked_key_is_none_within_the_same_second_on_another_process(
    api: Api, alice: Person, beside: Api
) -> None:
    """The second gateway has a pool, and a fast path, of its own over the same database."""
    key_id, key = await made(alice)
    elsewhere = Person(beside, "alice", key, alice.wallet_id, alice.address)
    assert (await elsewhere.pay("@bob", "1.00 EUR")).status_code == 201
    revoked = await api.call("DELETE", f"/v1/keys/{key_id}", headers=alice.bearer)
    assert revoked.status_code == 200
    assert code_of(await elsewhere.pay("@bob", "1.00 EUR")) == (401, "unauthenticated")
    assert code_of(await elsewhere.get("/v1/wallet")) == (401, "unauthenticated")
    again = await api.call("DELETE", f"/v1/keys/{key_id}", headers=alice.bearer)
    assert code_of(again) == (404, "not_found")


async def test_keys_are_listed_with_when_they_were_last_used_and_are_shown_once(alice: Person) -> None:
    _, key = await made(alice, name="  Web \t shop ")
    await with_key(alice, key).get("/v1/wallet")
    listed = await alice.get("/v1/keys")
    assert key not in listed.text
    shop, first = listed.json()["items"]
    assert (shop["name"], first["name"]) == ("Web shop", "sign-up")
    assert shop["last_used_at"] is not None
    assert shop["scopes"] == ["pay", "read", "refund"]


async def test_a_key_that_only_pays_is_told_as_used_too_within_a_minute_or_so(alice: Person) -> None:
    for minutes in (0, 1, 3):  # the first opens an account, which the short statement does not
        alice.api.clock.ahead = timedelta(minutes=minutes)
        assert (await alice.pay("@bob", "1.00 EUR")).status_code == 201
    used = "SELECT last_used_at FROM api_key JOIN wallet ON wallet.id = wallet_id WHERE handle = 'alice'"
    before = alice.api.clock() - timedelta(seconds=30)
    async with asyncio.timeout(HANG_SECONDS), alice.api.services.database.reading() as connection:
        while await connection.fetchval(used) < before:  # until the write beside the answer is done
            pass


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": []},
        {"scopes": ["everything"]},
        {"scopes": ["owner"]},
        {"name": ""},
        {"name": "a\x1b[31mb"},
        {"expires_in": 0},
        {"networks": ["10.0.0.1/8"]},
        {"networks": ["everywhere"]},
        {"caps": [EUR]},
        {"caps": [{**EUR, "day": "1.00"}] * 51},
    ],
)
async def test_a_key_that_makes_no_sense_is_not_made(alice: Person, wrong: dict[str, Any]) -> None:
    answer = await alice.post("/v1/keys", {"name": "Shop", "scopes": ["pay"], **wrong})
    assert code_of(answer) == (400, "invalid_request")
    assert len((await alice.get("/v1/keys")).json()["items"]) == 1


async def test_one_wallets_keys_are_none_of_anothers(api: Api, alice: Person) -> None:
    id, _ = await made(alice)
    mallory = await api.person("mallory")
    assert code_of(await api.call("DELETE", f"/v1/keys/{id}", headers=mallory.bearer)) == (404, "not_found")
    assert code_of(await mallory.post(f"/v1/keys/{id}/replacement", {})) == (404, "not_found")


def test_every_cap_that_covers_a_payment_holds_it(assets: Assets) -> None:
    def paid(amount: str, rail: Literal["ledger", "chain"] = "ledger") -> Paid:
        return Paid(assets["EUR"].parse(amount), rail, None)

    eur, one = assets["EUR"], datetime(2026, 1, 1, 1, tzinfo=UTC)
    day = Cap("EUR", "ledger", None, None, eur.parse("10.00"), number=2)
    caps = [Cap("EUR", None, None, eur.parse("9.00"), None, number=1), day]
    spent = {2: Spent({one: 400})}
    assert refusal(paid("6.00"), caps, spent) is None
    beyond = refusal(paid("6.01"), caps, spent)
    assert beyond is not None
    assert str(beyond.left) == "6.00 EUR"
    assert refusal(paid("9.00", "chain"), caps, spent) is None
    assert refusal(paid("1.00"), [], spent) is not None

    twice = [Cap("EUR", None, None, None, eur.parse("8.00"), number=3), *caps]
    both = {2: Spent({one: 400}), 3: Spent({one: 400, one + timedelta(hours=1): 300})}
    later = refusal(paid("5.00"), twice, both)
    assert isinstance(later, DayCapExceeded)
    assert (str(later.cap), later.again_at[:16]) == ("8.00 EUR", "2026-01-02T01:10")
    assert isinstance(refusal(paid("9.01"), twice, spent), DayCapTooSmall)
    assert isinstance(refusal(paid("9.01"), caps, spent), PaymentCapExceeded), "it never has room, though the day has"
