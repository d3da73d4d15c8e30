"""Payments that need an approval: what waits, what an approval is good for, and what it is not."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from gateway.payments.ends import capture_void
from gateway.payments.model.route import Route
from tests.api.browser import OWN, Browser, browsing, challenge_in, registered, signed, signed_in
from tests.api.conftest import Api, Person, amount, at_the_same_moment, code_of, keys_apart
from tests.authenticator import Authenticator

pytestmark = pytest.mark.anyio

STRANGER = "0x" + "4" * 40

BY_CHAIN = msgspec.json.encode(Route("chain", (), "0.00", "", 1.0)).decode()


async def approval(of: "Person | Browser", key: Authenticator, payment: Any) -> dict[str, str]:
    """What the passkey signs over a payment, as the payment is."""
    return signed(key, challenge_in(await of.post(f"/v1/payments/{payment['id']}/approval/challenge", b"")))


async def approve(of: "Person | Browser", key: Authenticator, payment: Any) -> Any:
    return await of.post(f"/v1/payments/{payment['id']}/approval", await approval(of, key, payment))


async def waiting(of: Person, to: str, money: str, **fields: Any) -> Any:
    answer = await of.pay(to, money, **fields)
    assert answer.status_code == 202, answer.text
    assert answer.json()["state"] == "requires_confirmation"
    return answer.json()


async def test_a_payee_never_paid_before_is_asked_about_once(api: Api) -> None:
    alice, key, _ = await browsing(api, "alice", "100.00 EUR")
    bob = await api.person("bob")

    first = await waiting(alice, "@bob", "10.00 EUR")
    assert first["approval"]["reasons"] == ["new_payee"]
    assert await alice.balance("EUR") == ("100.00", "10.00", "90.00")
    done = await approve(alice, key, first)

    assert (done.status_code, done.json()["state"], done.json()["approval"]) == (200, "settled", None)
    assert await bob.balance("EUR") == ("10.00", "0.00", "10.00")
    assert (await alice.pay("@bob", "10.00 EUR")).status_code == 201
    assert await api.wrong() == []


async def test_what_waits_is_found_however_many_payments_came_since_and_by_its_payer_alone(api: Api) -> None:
    alice, key, _ = await browsing(api, "alice", "100.00 EUR")
    bob = await api.person("bob", "10.00 EUR")
    asked = [await waiting(alice, "@bob", money) for money in ("10.00 EUR", "20.00 EUR", "30.00 EUR")]
    many = [{"to": "@alice", "amount": "0.01", "asset": "EUR"} for _ in range(60)]
    assert (await bob.post("/v1/payments/batch", many)).status_code == 200

    page = (await alice.get("/v1/payments/waiting?limit=2")).json()
    rest = (await alice.get(f"/v1/payments/waiting?limit=2&cursor={page['next_cursor']}")).json()

    assert [one["id"] for one in page["items"] + rest["items"]] == [one["id"] for one in asked[::-1]]
    assert rest["next_cursor"] is None
    assert page["items"][0] == asked[2]
    assert (await bob.get("/v1/payments/waiting")).json()["items"] == []
    await approve(alice, key, asked[2])
    await alice.post(f"/v1/payments/{asked[1]['id']}/decline", b"")
    assert (await alice.get("/v1/payments/waiting")).json()["items"] == [asked[0]]
    api.clock.ahead += timedelta(minutes=16)
    assert (await alice.get("/v1/payments/waiting")).json()["items"] == []


async def test_whoever_came_in_by_a_recovery_code_is_asked_about_for_a_while(api: Api) -> None:
    alice = await api.person("alice", "100.00 EUR")
    _, _, bobs = await browsing(api, "bob")
    key = Authenticator()
    await registered(alice, key)
    assert (await approve(alice, key, await waiting(alice, "@bob", "1.00 EUR"))).status_code == 200
    assert (await alice.pay("@bob", "1.00 EUR")).status_code == 201

    code, *_ = (await bobs.post("/v1/recovery-codes")).json()["codes"]
    body = {"handle": "bob", "code": code}
    assert (await api.call("POST", "/v1/sessions/recovery-code", json=body, headers=OWN)).status_code == 201

    assert (await waiting(alice, "@bob", "1.00 EUR"))["approval"]["reasons"] == ["changed_payee"]
    api.clock.ahead += timedelta(days=7, seconds=1)
    assert (await alice.pay("@bob", "1.00 EUR")).status_code == 201


async def test_a_preview_says_what_would_be_asked_about_and_asks_nothing(api: Api) -> None:
    alice, _, browser = await browsing(api, "alice", "500.00 EUR", "50 USDX")
    plain = await api.person("plain", "10.00 EUR")
    await api.person("bob")
    before = await api.counts()

    async def reasons(of: Person | Browser, to: str, money: str) -> list[str]:
        answer = await of.post("/v1/payments/preview", {"to": to, **amount(money)})
        assert answer.status_code == 200, answer.text
        return list(answer.json()["approval"])

    assert await reasons(plain, "@bob", "10.00 EUR") == []
    assert await reasons(alice, "@bob", "1.00 EUR") == ["new_payee"]
    assert await reasons(alice, "@bob", "101.00 EUR") == ["amount", "new_payee"]
    assert await reasons(alice, STRANGER, "1 USDX") == ["new_payee", "address"]
    assert await reasons(browser, "@bob", "1.00 EUR") == ["new_payee", "new_device"]
    assert await api.counts() == before
    for to, money in (("@bob", "1.00 EUR"), ("@bob", "101.00 EUR")):
        assert (await waiting(alice, to, money))["approval"]["reasons"] == await reasons(alice, to, money)


async def test_each_reason_is_told(api: Api) -> None:
    alice, key, browser = await browsing(api, "alice", "1000.00 EUR", "50 USDX")
    await api.person("bob")
    await approve(alice, key, await waiting(alice, "@bob", "1.00 EUR"))

    assert (await waiting(alice, "@bob", "100.01 EUR"))["approval"]["reasons"] == ["amount"]
    for _ in range(3):
        assert (await alice.pay("@bob", "100.00 EUR")).status_code == 201
    assert (await waiting(alice, "@bob", "0.01 EUR"))["approval"]["reasons"] == ["day"]
    assert (await waiting(alice, STRANGER, "1 USDX"))["approval"]["reasons"] == ["new_payee", "address"]
    by_session = await browser.call(
        "POST", "/v1/payments", json={"to": "@bob", **amount("1 USDX")}, headers={**OWN, "Idempotency-Key": "s"}
    )
    assert by_session.json()["approval"]["reasons"] == ["new_device"]


async def test_an_approval_is_good_once(api: Api) -> None:
    alice, key, _ = await browsing(api, "alice", "100.00 EUR")
    await api.person("bob")
    payment = await waiting(alice, "@bob", "10.00 EUR")
    path, assertion = f"/v1/payments/{payment['id']}/approval", await approval(alice, key, payment)

    answers = await asyncio.gather(*(alice.post(path, assertion) for _ in range(10)))

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 9
    assert await alice.balance("EUR") == ("90.00", "0.00", "90.00")
    assert await api.wrong() == []


@pytest.mark.parametrize(
    ("to", "money"),
    [("@bob", "10.00 EUR"), ("@bob", "99.00 EUR"), ("@carol", "10.00 EUR"), ("@bob", "10 USDX"), ("@bob", "10.00 USD")],
    ids=["another payment", "another amount", "another payee", "another rail", "another asset"],
)
async def test_an_approval_of_one_payment_is_none_of_another(api: Api, to: str, money: str) -> None:
    alice, key, _ = await browsing(api, "alice", "200.00 EUR", "50 USDX", "50.00 USD")
    await api.person("bob")
    await api.person("carol")
    meant, other = await waiting(alice, "@bob", "10.00 EUR"), await waiting(alice, to, money)

    answer = await alice.post(f"/v1/payments/{other['id']}/approval", await approval(alice, key, meant))

    assert code_of(answer) == (422, "invalid_passkey")
    assert answer.json()["type"].endswith(":details")
    assert (await alice.get(f"/v1/payments/{other['id']}")).json()["state"] == "requires_confirmation"


@pytest.mark.parametrize(
    "altered",
    [
        "amount = 9000",
        "payee = (SELECT id FROM wallet WHERE handle = 'carol')",
        f"payee = NULL, payee_address = '{STRANGER}'",
        "asset = 'USD'",
        f"rail = 'chain', route = '{BY_CHAIN}'",
    ],
)
async def test_an_approval_is_over_the_row_as_it_is_when_it_comes(api: Api, altered: str) -> None:
    """Were the row altered between the challenge and its answer, the passkey has signed something else."""
    alice, key, _ = await browsing(api, "alice", "100.00 EUR")
    await api.person("bob")
    await api.person("carol")
    payment = await waiting(alice, "@bob", "10.00 EUR")
    assertion = await approval(alice, key, payment)
    async with api.services.database.transaction() as connection:
        await connection.execute(f"UPDATE staged_payment SET {altered} WHERE state = 'requires_confirmation'")

    answer = await alice.post(f"/v1/payments/{payment['id']}/approval", assertion)

    assert answer.json()["type"].endswith(":details")
    assert await alice.balance("EUR") == ("100.00", "10.00", "90.00")


async def test_nobody_else_approves_and_nobody_else_is_told(api: Api) -> None:
    alice, key, _ = await browsing(api, "alice", "100.00 EUR")
    bob, bobs_key, _ = await browsing(api, "bob")
    eve, _, _ = await browsing(api, "eve")
    payment = await waiting(alice, "@bob", "10.00 EUR")
    path, assertion = f"/v1/payments/{payment['id']}/approval", await approval(alice, key, payment)

    for of in (bob, eve):
        assert (await of.post(path + "/challenge", b"")).status_code == 404
        assert (await of.post(path, assertion)).status_code == 404
        assert (await of.post(path.replace("approval", "refusal"), b"")).status_code == 404
    challenge = challenge_in(await alice.post(path + "/challenge", b""))
    answer = await alice.post(path, signed(bobs_key, challenge))
    assert answer.json()["type"].endswith(":unknown_passkey")


async def test_a_payment_that_is_refused_or_left_alone_gives_the_money_back(api: Api) -> None:
    alice, key, _ = await browsing(api, "alice", "100.00 EUR")
    await api.person("bob")
    first, second = await waiting(alice, "@bob", "10.00 EUR"), await waiting(alice, "@bob", "20.00 EUR")
    assertion = await approval(alice, key, first)

    refused = await alice.post(f"/v1/payments/{first['id']}/decline", b"")
    assert (refused.status_code, refused.json()["state"]) == (200, "declined")
    assert code_of(await alice.post(f"/v1/payments/{first['id']}/approval", assertion)) == (409, "state_conflict")

    assertion = await approval(alice, key, second)
    api.clock.ahead = timedelta(minutes=15, seconds=1)
    assert code_of(await alice.post(f"/v1/payments/{second['id']}/approval", assertion)) == (409, "state_conflict")
    async with api.services.database.transaction() as connection:
        assert await capture_void.expire_due(connection, api.services.settings, api.clock()) == 1
    assert (await alice.get(f"/v1/payments/{second['id']}")).json()["state"] == "expired"
    assert await alice.balance("EUR") == ("100.00", "0.00", "100.00")


async def test_a_hold_and_a_token_payment_go_on_as_they_would_have(api: Api) -> None:
    alice, key, _ = await browsing(api, "alice", "100.00 EUR", "50 USDX")
    bob = await api.person("bob")
    hold = (await approve(alice, key, await waiting(alice, "@bob", "10.00 EUR", capture=False))).json()
    token = (await approve(alice, key, await waiting(alice, STRANGER, "5 USDX"))).json()

    assert (hold["state"], token["state"], token["expires_at"]) == ("held", "queued", None)
    assert (await bob.post(f"/v1/payments/{hold['id']}/capture", {})).json()["state"] == "settled"


async def guarded_for_days(api: Api, days: int) -> None:
    """As if every guarded wallet had been one for so long: after a day, what it pays is counted and not summed."""
    async with api.services.database.transaction() as connection:
        await connection.execute("UPDATE policy SET since = since - make_interval(days => $1)", days)


@pytest.mark.parametrize("days", [0, 2])
async def test_a_day_has_its_room_once_for_payments_at_the_same_moment(api: Api, beside: Api, days: int) -> None:
    """By two gateways, since payments of one share their commits."""
    alice, key, _ = await browsing(api, "alice", "2000.00 EUR")
    await guarded_for_days(api, days)
    await api.person("bob")
    await approve(alice, key, await waiting(alice, "@bob", "1.00 EUR"))
    for _ in range(5):
        assert (await alice.pay("@bob", "50.00 EUR")).status_code == 201

    sides = zip((alice, replace(alice, api=beside)), keys_apart(alice.wallet_id), strict=True)
    answers = await at_the_same_moment(
        api, "wallet:alice:EUR", (side.pay("@bob", "50.00 EUR", of_its_own) for side, of_its_own in sides)
    )

    assert sorted(answer.status_code for answer in answers) == [201, 202]
    assert (await alice.balance("EUR"))[0] == "1699.00"


@pytest.mark.parametrize(("mode", "days"), [("each", 2), ("all", 0), ("all", 2)])
async def test_many_in_one_call_have_the_room_of_a_day_together(api: Api, mode: str, days: int) -> None:
    alice, key, _ = await browsing(api, "alice", "1000.00 EUR")
    await guarded_for_days(api, days)
    await api.person("bob")
    await approve(alice, key, await waiting(alice, "@bob", "1.00 EUR"))

    answer = await alice.post(f"/v1/payments/batch?mode={mode}", [{"to": "@bob", **amount("90.00 EUR")}] * 5)

    assert [one["status"] for one in answer.json()] == [201, 201, 201, 202, 202]


async def test_whoever_has_signed_in_pays_many_in_one_call_too(api: Api) -> None:
    await api.person("bob")
    alice = await api.person("alice", "100.00 EUR")
    key = Authenticator()
    await registered(alice, key)
    assert (await approve(alice, key, await waiting(alice, "@bob", "1.00 EUR"))).status_code == 200
    browser = Browser(api, await signed_in(api, key))
    async with api.services.database.transaction() as connection:
        await connection.execute("UPDATE policy SET new_device_hours = 0")

    lines = [{"to": "@bob", "amount": text, "asset": "EUR"} for text in ("1.00", "101.00", "2.00")]
    answer = await browser.call("POST", "/v1/payments/batch", headers={**OWN, "Idempotency-Key": "many"}, json=lines)

    assert [(one["status"], one.get("state")) for one in answer.json()] == [
        (201, "settled"),
        (409, None),
        (201, "settled"),
    ]
    assert answer.json()[1]["problem"]["code"] == "insufficient_funds"
    assert await alice.balance("EUR") == ("96.00", "0.00", "96.00")


async def test_a_policy_is_tightened_at_once_and_loosened_with_an_approval_of_just_it(api: Api) -> None:
    alice, key, browser = await browsing(api, "alice", "1000.00 EUR")
    await api.person("bob")
    tight = {"limits": {"EUR": {"payment": "1.00", "day": "5.00"}}, "undo_seconds": 30}
    loose = {"limits": {"EUR": {"payment": "500.00", "day": "500.00"}}, "trusted": ["@bob"]}

    assert (await browser.call("PUT", "/v1/policy", json=tight)).json()["limits"]["EUR"]["payment"] == "1.00"
    assert code_of(await browser.call("PUT", "/v1/policy", json=loose)) == (403, "approval_required")
    assertion = signed(key, challenge_in(await browser.post("/v1/policy/challenge", loose)))
    more = {**loose, "trusted": ["@bob", STRANGER], "approval": assertion}
    assert (await browser.call("PUT", "/v1/policy", json=more)).json()["type"].endswith(":details")
    assert code_of(
        await api.call("PUT", "/v1/policy", headers=alice.bearer, json={**loose, "approval": assertion})
    ) == (403, "forbidden")
    changed = await browser.call("PUT", "/v1/policy", json={**loose, "approval": assertion})

    assert (changed.status_code, changed.json()["trusted"], changed.json()["undo_seconds"]) == (200, ["@bob"], 0)
    assert (await alice.pay("@bob", "500.00 EUR")).status_code == 201
    assert (await browser.call("PUT", "/v1/policy", json={**loose, "approval": assertion})).status_code == 422


async def test_a_change_of_a_policy_that_has_changed_since_it_was_read_is_refused(api: Api) -> None:
    alice, key, browser = await browsing(api)
    read = (await alice.get("/v1/policy")).json()
    tighter = [{**read, "limits": {"EUR": {"payment": amount, "day": amount}}} for amount in ("1.00", "2.00")]

    answers = await asyncio.gather(*(browser.call("PUT", "/v1/policy", json=one) for one in tighter))
    (done,) = (one.json() for one in answers if one.is_success)
    (refused,) = (one for one in answers if not one.is_success)
    assert code_of(refused) == (409, "policy_changed")
    assert refused.json()["version"] == done["version"] != read["version"]
    assert (await alice.get("/v1/policy")).json() == done

    stale = {**read, "undo_seconds": 0, "limits": {"EUR": {"payment": "500.00", "day": "500.00"}}}
    approval = signed(key, challenge_in(await browser.post("/v1/policy/challenge", stale)))
    signed_too_late = await browser.call("PUT", "/v1/policy", json={**stale, "approval": approval})
    assert code_of(signed_too_late) == (409, "policy_changed")
    approved = await browser.call("PUT", "/v1/policy", json={**stale, "version": done["version"], "approval": approval})
    assert approved.json()["limits"]["EUR"]["day"] == "500.00"
    whatever = {name: value for name, value in read.items() if name != "version"}
    assert (await browser.call("PUT", "/v1/policy", json={**whatever, "limits": done["limits"]})).json() == done


@pytest.mark.parametrize(
    "bad",
    [
        {"undo_seconds": 5},
        {"undo_seconds": 61},
        {"changed_payee_days": -1},
        {"new_device_hours": 721},
        {"limits": {"EUR": {"payment": "2.00", "day": "1.00"}}},
    ],
)
async def test_a_policy_that_is_none_is_refused(api: Api, bad: Any) -> None:
    _, _, browser = await browsing(api)
    assert code_of(await browser.call("PUT", "/v1/policy", json=bad)) == (400, "invalid_request")


async def test_nobody_is_trusted_who_is_not_there_or_is_oneself(api: Api) -> None:
    _, _, browser = await browsing(api)
    for name, code in (("@nobody", (404, "unknown_payee")), ("@alice", (422, "self_payment"))):
        assert code_of(await browser.call("PUT", "/v1/policy", json={"trusted": [name]})) == code
        assert code_of(await browser.post("/v1/policy/challenge", {"trusted": [name]})) == code


async def test_an_unguarded_wallet_has_no_policy(api: Api) -> None:
    alice = await api.person("alice")
    assert code_of(await alice.get("/v1/policy")) == (404, "not_found")


@pytest.mark.parametrize("days", [0, 2])
async def test_a_withdrawal_beyond_the_policy_comes_with_an_approval_of_its_amount(api: Api, days: int) -> None:
    alice, key, _ = await browsing(api, "alice", "1000.00 EUR")
    await guarded_for_days(api, days)
    assert (await alice.post("/v1/withdrawals", amount("100.00 EUR"))).status_code == 201
    assert code_of(await alice.post("/v1/withdrawals", amount("200.01 EUR"))) == (403, "approval_required")

    assertion = signed(key, challenge_in(await alice.post("/v1/withdrawals/challenge", amount("500.00 EUR"))))
    other = await alice.post("/v1/withdrawals", {**amount("600.00 EUR"), "approval": assertion})
    assert other.json()["type"].endswith(":details")
    done = await alice.post("/v1/withdrawals", {**amount("500.00 EUR"), "approval": assertion})

    assert done.status_code == 201
    assert code_of(await alice.post("/v1/withdrawals", {**amount("500.00 EUR"), "approval": assertion}))[0] == 422
    assert await api.wrong() == []
