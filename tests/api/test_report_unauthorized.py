"""This was not me: by whom it can be said, what stops at once, what goes on, and who lets the wallet go on."""

import asyncio
import json
from datetime import datetime, timedelta

import pytest

from gateway.audit.log import ANYONE
from gateway.clock import rfc3339
from gateway.controls import wallet_freeze
from gateway.identity import wallet as wallets
from gateway.payments.ends.report_unauthorized import DELAY
from tests.api.browser import Browser, browsing, challenge_in, registered, signed, signed_in
from tests.api.conftest import Api, amount, code_of
from tests.api.test_approvals import STRANGER, approval, waiting
from tests.authenticator import Authenticator

pytestmark = pytest.mark.anyio

DAY = timedelta(hours=24, seconds=1)


async def test_nothing_leaves_the_wallet_on_any_path_and_money_comes_in(api: Api) -> None:
    alice, bob = await api.person("alice", "100.00 EUR", "50 USDX"), await api.person("bob", "50.00 EUR")
    paid = (await alice.pay("@bob", "1.00 EUR")).json()
    got = (await bob.pay("@alice", "5.00 EUR")).json()
    hold = (await alice.pay("@bob", "2.00 EUR", capture=False)).json()

    said = await alice.post(f"/v1/payments/{paid['id']}/report-unauthorized", b"")
    assert (said.status_code, said.json()["state"]) == (200, "settled")

    refused = [
        await alice.pay("@bob", "1.00 EUR"),
        await alice.pay("@bob", "1 USDX"),
        await alice.pay(STRANGER, "1 USDX"),
        await alice.pay("@bob", "1.00 EUR", capture=False),
        await alice.post("/v1/withdrawals", amount("1.00 EUR")),
        await alice.post("/v1/conversions", {**amount("1 USDX"), "to_asset": "USD"}),
        await alice.post(f"/v1/payments/{got['id']}/refund", {}),
        await bob.post(f"/v1/payments/{hold['id']}/capture", {}),
    ]
    assert {code_of(answer) for answer in refused} == {(409, "wallet_frozen")}
    batch = await alice.post("/v1/payments/batch", [{"to": "@bob", **amount("1.00 EUR")}] * 2)
    assert [one["status"] for one in batch.json()] == [409, 409]

    assert (await bob.pay("@alice", "1.00 EUR")).status_code == 201
    await alice.receive("10.00 EUR")
    assert (await alice.post(f"/v1/payments/{hold['id']}/void", {})).status_code == 200
    assert await api.wrong() == []


async def test_the_wallet_says_that_it_is_frozen_why_and_until_when(api: Api) -> None:
    alice, _ = await api.person("alice", "100.00 EUR"), await api.person("bob")
    before = (await alice.get("/v1/wallet")).json()
    assert (before["frozen_at"], before["freezes"]) == (None, [])
    paid = (await alice.pay("@bob", "1.00 EUR")).json()["id"]
    await alice.post(f"/v1/payments/{paid}/report-unauthorized", b"")
    now = api.services.clock()
    async with api.services.database.transaction() as connection:
        of = await wallets.by_handle(connection, "alice")
        await wallet_freeze.freeze(connection, of.id, "case 4711", ANYONE, now + timedelta(hours=2), now)

    for path in ("/v1/wallet", f"/v1/wallet?at={rfc3339(now - timedelta(hours=1))}"):
        frozen = (await alice.get(path)).json()
        operators, own = frozen["freezes"]
        assert frozen["frozen_at"] == own["placed_at"]
        assert (own["by"], own["payment"], own["expires_at"]) == ("owner", paid, None)
        assert datetime.fromisoformat(own["unfreezes_at"]) - datetime.fromisoformat(own["placed_at"]) == DELAY
        assert (operators["by"], operators["payment"], operators["unfreezes_at"]) == ("operators", None, None)
        assert datetime.fromisoformat(operators["expires_at"]) == now + timedelta(hours=2)
        assert "4711" not in json.dumps(frozen)

    async with api.services.database.transaction() as connection:
        await wallet_freeze.unfreeze(connection, of.id, ANYONE, api.services.clock())
    after = (await alice.get("/v1/wallet")).json()
    assert (after["frozen_at"], after["freezes"]) == (None, [])


async def test_a_payment_that_is_queued_and_not_signed_is_given_back_and_others_wait(api: Api) -> None:
    alice, _ = await api.person("alice", "50 USDX"), await api.person("bob")
    theirs = (await alice.pay("@bob", "5 USDX")).json()
    other = (await alice.pay("@bob", "1 USDX")).json()

    said = await alice.post(f"/v1/payments/{theirs['id']}/report-unauthorized", b"")

    assert (said.json()["state"], said.json()["failure"]) == ("failed", "reported_unauthorized")
    assert await alice.balance("USDX") == ("50.000000", "1.000000", "49.000000")
    assert (await alice.get(f"/v1/payments/{other['id']}")).json()["state"] == "queued"
    async with api.services.database.reading() as connection:
        assert await connection.fetchval("SELECT frozen FROM token_authorization WHERE state = 'queued'") is True


async def test_a_payment_that_waits_is_refused_and_its_approval_too(api: Api) -> None:
    alice, key, _ = await browsing(api, "alice", "100.00 EUR")
    await api.person("bob")
    theirs, other = await waiting(alice, "@bob", "1.00 EUR"), await waiting(alice, "@bob", "2.00 EUR")
    assertion = await approval(alice, key, other)

    said = await alice.post(f"/v1/payments/{theirs['id']}/report-unauthorized", b"")

    assert said.json()["state"] == "declined"
    assert code_of(await alice.post(f"/v1/payments/{other['id']}/approval", assertion)) == (409, "wallet_frozen")


async def test_a_link_asks_first_and_only_freezes(api: Api) -> None:
    alice, bob = await api.person("alice", "100.00 EUR"), await api.person("bob")
    paid = (await alice.pay("@bob", "1.00 EUR")).json()
    assert (await bob.post(f"/v1/payments/{paid['id']}/report-unauthorized/link", b"")).status_code == 403
    path = (await alice.post(f"/v1/payments/{paid['id']}/report-unauthorized/link", b"")).json()["path"]

    shown = await api.call("GET", path)
    assert (shown.status_code, shown.json()["to"], shown.json()["amount"]) == (200, "@bob", "1.00")
    assert (await alice.pay("@bob", "1.00 EUR")).status_code == 201

    for _ in range(2):
        assert (await api.call("POST", path)).status_code == 200
    assert code_of(await alice.pay("@bob", "1.00 EUR")) == (409, "wallet_frozen")
    assert (await bob.pay("@alice", "1.00 EUR")).status_code == 201
    async with api.services.database.reading() as connection:
        assert await connection.fetchval("SELECT count(*) FROM audit_event WHERE kind = 'wallet.frozen'") == 1
        assert await connection.fetchval("SELECT count(*) FROM report_link WHERE hash = $1", path.encode()) == 0


async def test_a_link_that_is_none_or_is_over_says_nothing(api: Api) -> None:
    alice = await api.person("alice", "100.00 EUR")
    await api.person("bob")
    paid = (await alice.pay("@bob", "1.00 EUR")).json()
    path = (await alice.post(f"/v1/payments/{paid['id']}/report-unauthorized/link", b"")).json()["path"]
    api.clock.ahead = timedelta(days=30, seconds=1)
    for wrong in (path, path[:-1], "/v1/report-links/nm_nothing"):
        for method in ("GET", "POST"):
            assert code_of(await api.call(method, wrong)) == (404, "not_found")
    assert (await alice.pay("@bob", "1.00 EUR")).status_code == 201


async def test_nobody_freezes_the_wallet_of_others(api: Api) -> None:
    alice, bob, eve = await api.person("alice", "9.00 EUR"), await api.person("bob"), await api.person("eve")
    paid = (await alice.pay("@bob", "1.00 EUR")).json()
    for of, status in ((bob, 403), (eve, 404)):
        assert (await of.post(f"/v1/payments/{paid['id']}/report-unauthorized", b"")).status_code == status
    assert (await alice.pay("@bob", "1.00 EUR")).status_code == 201


async def test_its_owner_lets_a_wallet_go_on_a_day_later_by_a_passkey_that_is_as_old(api: Api) -> None:
    alice, key, _ = await browsing(api, "alice", "100.00 EUR")
    await api.person("bob")
    theirs = await waiting(alice, "@bob", "1.00 EUR")
    await alice.post(f"/v1/payments/{theirs['id']}/report-unauthorized", b"")

    async def unfreeze(by: Authenticator) -> tuple[int, object]:
        challenge = challenge_in(await alice.post("/v1/wallet/unfreeze/challenge", b""))
        answer = await alice.post("/v1/wallet/unfreeze", signed(by, challenge))
        return answer.status_code, answer.json().get("frozen")

    assert await unfreeze(key) == (403, None)
    api.clock.ahead = DAY
    assert (await unfreeze(Authenticator()))[0] == 422
    fresh = Authenticator()
    assert (await registered(Browser(api, await signed_in(api, key)), fresh)).status_code == 201
    assert await unfreeze(fresh) == (403, None), "whoever stole a session can make a passkey too"
    assert await unfreeze(key) == (200, False)
    assert (await waiting(alice, "@bob", "1.00 EUR"))["approval"]["reasons"] == ["new_payee"]


async def test_payments_at_the_moment_of_a_freeze_are_before_it_or_refused(api: Api) -> None:
    alice, key, _ = await browsing(api, "alice", "100.00 EUR")
    bob = await api.person("bob")
    first = await waiting(alice, "@bob", "1.00 EUR")
    await alice.post(f"/v1/payments/{first['id']}/approval", await approval(alice, key, first))

    async def paying() -> list[int]:
        return [(await alice.pay("@bob", "1.00 EUR")).status_code for _ in range(10)]

    *answers, _ = await asyncio.gather(
        *(paying() for _ in range(4)), alice.post(f"/v1/payments/{first['id']}/report-unauthorized", b"")
    )
    done = sum(status == 201 for one in answers for status in one)

    assert {status for one in answers for status in one} <= {201, 409}
    assert (await bob.balance("EUR"))[0] == f"{done + 1}.00"
    assert code_of(await alice.pay("@bob", "1.00 EUR")) == (409, "wallet_frozen")
