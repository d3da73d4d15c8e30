"""Every route once, the way it is meant: its status and just the fields that it has."""

import pytest

from tests.api.conftest import Api, code_of

pytestmark = pytest.mark.anyio

PAYMENT = {
    *("id", "state", "from", "to", "amount", "asset", "fee", "memo", "route", "captured", "refunded", "refund_of"),
    *("tx_hash", "failure", "created_at", "expires_at", "settled_at", "to_sign", "approval"),
    "undo_until",
    "reference",
    "metadata",
}
ROUTES = {
    *(("POST", f"/v1/{name}") for name in ("handles", "deposits", "withdrawals", "conversions", "payments")),
    *(("POST", f"/v1/payments/{name}") for name in ("preview", "batch", "{id}/capture", "{id}/void", "{id}/refund")),
    *(("GET", f"/v1/{name}") for name in ("handles/{handle}", "wallet", "payments", "payments/{id}", "entries")),
    *(("GET", f"/v1/{name}") for name in ("solvency", "events", "conversions/{id}")),
    ("POST", "/v1/wallet/key/export"),
    ("POST", "/v1/wallet/close"),
    *((method, f"/v1/{name}") for method in ("GET", "POST") for name in ("passkeys", "keys", "mandates")),
    *(("GET", f"/v1/requests{rest}") for rest in ("", "/{id}")),
    *(("POST", f"/v1/requests{rest}") for rest in ("", "/{id}/decline", "/{id}/cancel")),
    ("DELETE", "/v1/mandates/{id}"),
    *(("POST", f"/v1/mandates/{rest}") for rest in ("challenge", "{id}/draws")),
    ("DELETE", "/v1/keys/{id}"),
    *(("POST", f"/v1/keys/{{id}}/{name}") for name in ("replacement", "approval")),
    *(("POST", f"/v1/mandates/{{id}}/approval{rest}") for rest in ("", "/challenge")),
    *(("POST", f"/v1/{name}") for name in ("passkeys/challenge", "recovery-codes", "sessions/recovery-code")),
    ("POST", "/v1/sessions/link"),
    ("POST", "/v1/operator/session/link"),
    ("POST", "/v1/recovery-codes/confirmation"),
    *(("POST", f"/v1/sessions/{name}{rest}") for name in ("passkey", "ethereum") for rest in ("", "/challenge")),
    *(("DELETE", f"/v1/{name}/{{id}}") for name in ("passkeys", "sessions")),
    ("GET", "/v1/sessions"),
    *(("POST", f"/v1/sign-ups{kind}{rest}") for kind in ("", "/ethereum") for rest in ("", "/challenge")),
    *((method, "/v1/report-links/{token}") for method in ("GET", "POST")),
    *(
        ("POST", f"/v1/{name}")
        for name in ("payments/{id}/report-unauthorized", "payments/{id}/report-unauthorized/link")
    ),
    *(("POST", f"/v1/{name}") for name in ("wallet/unfreeze", "wallet/unfreeze/challenge")),
    *((method, "/v1/policy") for method in ("GET", "PUT")),
    *(("POST", f"/v1/{name}/challenge") for name in ("policy", "withdrawals", "payments/{id}/approval")),
    *(("POST", f"/v1/payments/{{id}}/{name}") for name in ("approval", "decline")),
    *(("GET", f"/v1/{name}") for name in ("payments/waiting", "payments/{id}/receipt.pdf")),
    ("GET", "/v1/operator/payments/{id}/receipt.pdf"),
    *(("GET", f"/v1/statement{kind}") for kind in ("", ".csv", ".pdf")),
    ("GET", "/v1/events/stream"),
    ("POST", "/v1/authorizations"),
    *((method, "/v1/webhooks") for method in ("GET", "POST")),
    *((method, "/v1/webhooks/{id}") for method in ("GET", "PUT", "PATCH", "DELETE")),
    *(("POST", f"/v1/webhooks/{{id}}/{name}") for name in ("secret", "redeliveries", "test")),
    ("GET", "/v1/webhooks/{id}/deliveries"),
    ("GET", "/v1/notifications"),
    ("GET", "/v1/notifications/push-key"),
    ("POST", "/v1/notifications/push-subscriptions"),
    ("PUT", "/v1/notifications/locale"),
    ("POST", "/v1/notifications/seen"),
    *((method, "/v1/notifications/preferences") for method in ("GET", "PUT", "PATCH")),
    *((method, "/v1/notifications/addresses") for method in ("GET", "POST")),
    ("DELETE", "/v1/notifications/addresses/{id}"),
    ("POST", "/v1/notifications/addresses/{id}/confirmation"),
    *((method, "/v1/notifications/unsubscribe/{token}/{kind}") for method in ("GET", "POST")),
    *(("POST", f"/v1/{name}") for name in ("wallet/address", "wallet/address/challenge", "payments/{id}/signature")),
    *(("POST", f"/v1/operator/{name}{rest}") for name in ("enrolment", "session") for rest in ("", "/challenge")),
    ("POST", "/v1/operator/session/cookie"),
    ("DELETE", "/v1/operator/session"),
    *((method, "/v1/operator/proposals") for method in ("GET", "POST")),
    *(("GET", f"/v1/operator/{name}") for name in ("proposals/{id}", "operators", "freezes", "search")),
    *(("GET", f"/v1/operator/{name}") for name in ("wallets/{handle}", "audit-events", "audit-log/head")),
    ("POST", "/v1/operator/audit-log/verification"),
    ("GET", "/v1/operator/withdrawals"),
    ("POST", "/v1/operator/withdrawals/{asset}/unfreeze"),
    *(("POST", f"/v1/operator/proposals/{{id}}/{name}") for name in ("challenge", "approve")),
    *(("GET", f"/v1/operator/{name}") for name in ("payments", "payments/{id}", "solvency", "relayers", "health")),
    ("POST", "/v1/operator/relayers/{address}/resume"),
    *(("GET", "/v1/operator/webhooks/failing"), ("POST", "/v1/operator/webhooks/{id}/retry")),
    *(("GET", f"/health/{name}") for name in ("live", "ready")),
}


async def test_the_document_has_every_route_and_no_other(api: Api) -> None:
    document = (await api.client.get("/openapi.json")).json()
    there = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    assert there == ROUTES


async def test_a_handle_is_claimed_and_seen_by_everybody(api: Api) -> None:
    claimed = await api.call("POST", "/v1/handles", json={"handle": "@Alice"})
    assert claimed.status_code == 201
    assert set(claimed.json()) == {"handle", "wallet_id", "address", "api_key"}
    assert claimed.json()["handle"] == "alice"

    for typed in ("alice", "@alice", "ALICE", "%EF%BC%A1lice"):
        shown = await api.call("GET", f"/v1/handles/{typed}")
        assert (shown.status_code, set(shown.json())) == (200, {"handle", "wallet_id", "address", "custody"})
        assert shown.json().items() <= {**claimed.json(), "custody": "gateway"}.items()


async def test_a_deposit_and_a_withdrawal_are_settled_at_once(api: Api) -> None:
    alice = await api.person("alice")
    for path, prefix, left in (("/v1/deposits", "dep_", "12.50"), ("/v1/withdrawals", "wdr_", "0.00")):
        done = await alice.post(path, {"amount": "12.5", "asset": "EUR"})
        assert done.status_code == 201
        assert set(done.json()) == {"id", "state", "amount", "asset", "created_at"}
        assert done.json()["id"].startswith(prefix)
        assert (done.json()["state"], done.json()["amount"]) == ("settled", "12.50")
        assert await alice.balance("EUR") == (left, "0.00", left)


async def test_a_payment_in_the_ledger_is_settled_when_it_is_answered(api: Api) -> None:
    alice, bob = await api.person("alice", "20.00 EUR"), await api.person("bob")

    paid = await alice.pay("@bob", "12.50 EUR", memo="lunch 🍜")

    assert (paid.status_code, set(paid.json())) == (201, PAYMENT)
    shown = paid.json()
    assert (shown["state"], shown["from"], shown["to"]) == ("settled", "@alice", "@bob")
    assert (shown["amount"], shown["captured"], shown["fee"], shown["memo"]) == ("12.50", "12.50", "0.00", "lunch 🍜")
    assert set(shown["route"]) == {"rail", "reasons", "fee", "finality", "expected_seconds"}
    assert shown["route"]["rail"] == "ledger"
    assert shown["settled_at"] == shown["created_at"]
    for party in (alice, bob):
        assert (await party.get(f"/v1/payments/{shown['id']}")).json() == shown
        assert (await party.get("/v1/payments")).json() == {"items": [shown], "next_cursor": None}


async def test_a_token_payment_is_accepted_and_queued(api: Api) -> None:
    alice = await api.person("alice", "20 USDX")
    await api.person("bob")
    for to, name in (("@bob", "@bob"), ("0x" + "1" * 40, "0x" + "1" * 40)):
        paid = await alice.pay(to, "5 USDX")
        assert (paid.status_code, set(paid.json())) == (202, PAYMENT)
        assert (paid.json()["state"], paid.json()["to"], paid.json()["captured"]) == ("queued", name, "0.000000")
        assert paid.json()["route"]["rail"] == "chain"
    assert await alice.balance("USDX") == ("20.000000", "10.000000", "10.000000")


async def test_a_conversion_is_accepted_either_way_and_seen_by_its_owner_alone(api: Api) -> None:
    alice, bob = await api.person("alice", "20.00 USD", "20 USDX"), await api.person("bob")
    for given, into, worth in (("5.00 USD", "USDX", "5.000000"), ("7 USDX", "USD", "7.00")):
        amount, _, asset = given.partition(" ")
        asked = await alice.post("/v1/conversions", {"amount": amount, "asset": asset, "to_asset": into})
        assert asked.status_code == 202
        shown = asked.json()
        assert set(shown) == {
            *("id", "state", "amount", "asset", "to_amount", "to_asset"),
            *("tx_hash", "failure", "created_at", "settled_at"),
        }
        assert (shown["state"], shown["to_amount"], shown["to_asset"]) == ("queued", worth, into)
        assert (await alice.get(f"/v1/conversions/{shown['id']}")).json() == shown
        assert code_of(await bob.get(f"/v1/conversions/{shown['id']}")) == (404, "not_found")


async def test_a_preview_says_what_a_payment_would_and_moves_nothing(api: Api) -> None:
    alice = await api.person("alice", "20.00 EUR", "20 USDX")
    await api.person("bob")
    for money, left in (("5.00 EUR", "15.00"), ("21.00 EUR", "-1.00"), ("5 USDX", "15.000000"), ("1 JPY", "-1")):
        amount, _, asset = money.partition(" ")
        before = await api.counts()
        seen = await alice.post("/v1/payments/preview", {"to": "@bob", "amount": amount, "asset": asset})
        assert (seen.status_code, set(seen.json())) == (200, {"route", "fee", "available_after", "approval", "refusal"})
        assert seen.json()["available_after"] == left
        assert seen.json()["refusal"] == ("insufficient_funds" if left.startswith("-") else None)
        assert await api.counts() == before
        held = await alice.pay("@bob", money, capture=False)
        if left.startswith("-"):
            assert code_of(held) == (409, "insufficient_funds")
        else:
            assert held.json()["route"] == seen.json()["route"]
            await alice.post(f"/v1/payments/{held.json()['id']}/void", {})


async def test_a_held_payment_is_captured_or_voided_and_a_settled_one_refunded(api: Api) -> None:
    alice, bob = await api.person("alice", "20.00 EUR"), await api.person("bob")
    first, second = [(await alice.pay("@bob", "5.00 EUR", capture=False)).json() for _ in range(2)]
    assert (first["state"], first["captured"], first["settled_at"]) == ("held", "0.00", None)
    assert first["expires_at"] is not None

    captured = await bob.post(f"/v1/payments/{first['id']}/capture", {"amount": "3.00"})
    assert (captured.status_code, set(captured.json())) == (200, PAYMENT)
    assert (captured.json()["state"], captured.json()["captured"]) == ("settled", "3.00")

    too_early = await bob.post(f"/v1/payments/{second['id']}/refund", {})
    assert code_of(too_early) == (409, "state_conflict")
    assert too_early.json()["detail"] == (
        f"{second['id']} is held, so there is nothing to refund yet: void it, or capture it first"
    )
    voided = await bob.post(f"/v1/payments/{second['id']}/void", {})
    assert (voided.status_code, voided.json()["state"]) == (200, "voided")

    refund = await bob.post(f"/v1/payments/{first['id']}/refund", {"amount": "1.00"})
    assert (refund.status_code, set(refund.json())) == (201, PAYMENT)
    assert refund.json()["refund_of"] == first["id"]
    assert (refund.json()["from"], refund.json()["to"], refund.json()["state"]) == ("@bob", "@alice", "settled")
    assert (await alice.get(f"/v1/payments/{first['id']}")).json()["refunded"] == "1.00"
    assert await alice.balance("EUR") == ("18.00", "0.00", "18.00")
    assert (await bob.post(f"/v1/payments/{first['id']}/refund", {"amount": "2.00"})).status_code == 201
    again = await bob.post(f"/v1/payments/{first['id']}/refund", {})
    assert code_of(again) == (409, "refund_exceeds_payment")
    assert again.json()["detail"] == "this payment is fully refunded already"


async def test_the_wallet_has_every_asset_and_the_statement_every_entry(api: Api) -> None:
    alice = await api.person("alice", "20.00 EUR")
    await api.person("bob")
    paid = (await alice.pay("@bob", "5.00 EUR")).json()

    wallet = (await alice.get("/v1/wallet")).json()
    assert set(wallet) == {"handle", "wallet_id", "address", "custody", "at", "balances", "frozen_at", "freezes"}
    assert [one["asset"] for one in wallet["balances"]] == ["EUR", "USD", "THB", "JPY", "USDX"]
    assert [one["kind"] for one in wallet["balances"]] == ["fiat"] * 4 + ["token"]
    assert set(wallet["balances"][0]) == {"asset", "kind", "posted", "pending", "available", "final_block"}

    page = (await alice.get("/v1/entries?asset=EUR")).json()
    assert page["next_cursor"] is None
    out, came = page["items"]
    assert set(out) == {
        *("number", "asset", "amount", "side", "balance", "payment_id", "purpose", "reference"),
        *("from", "to", "posted_at"),
    }
    assert (out["number"], out["amount"], out["side"], out["balance"]) == (2, "5.00", "debit", "15.00")
    assert (out["payment_id"], came["payment_id"]) == (paid["id"], None)
    assert (came["number"], came["side"], came["purpose"]) == (1, "credit", "deposit")


async def test_solvency_health_and_the_document_are_public(api: Api) -> None:
    page = (await api.call("GET", "/v1/solvency")).json()
    assert set(page["items"][0]) == {
        *("asset", "supply", "wallets", "outside", "reserve", "final_block", "checked_block", "difference")
    }
    assert page["frozen"] == []
    assert (await api.call("GET", "/health/live")).json() == {"status": "ok"}
    assert (await api.call("GET", "/health/ready")).json() == {
        "status": "ok",
        "node": "not_set",
        "worker": "none",
        "relayers": "ok",
        "reason": None,
        "recovery": None,
    }


async def test_it_is_alive_but_not_ready_without_its_database(api: Api) -> None:
    await api.call("GET", "/health/ready")
    await api.services.database.close()

    assert (await api.call("GET", "/health/live")).status_code == 200
    while (answer := await api.call("GET", "/health/ready")).status_code == 200:
        pass  # one answer is good for a second
    assert code_of(answer) == (503, "unavailable")
    assert answer.headers["Retry-After"] == "1"
