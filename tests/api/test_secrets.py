"""Secrets, and what people write to each other, are in no log, event or audit event, whatever is done and fails."""

import logging
from typing import Any
from urllib.parse import quote

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from tests.api.browser import browsing, cookie_of, signed, signed_in
from tests.api.conftest import Api
from tests.api.test_operators import Person as Operator
from tests.api.test_operators import code_for, enrol
from tests.authenticator import Authenticator

pytestmark = pytest.mark.anyio

MEMO = "for the surprise party of Mallory"


async def written(api: Api) -> str:
    """All that the two logs say, as text."""
    async with api.services.database.reading() as connection:
        rows = await connection.fetch(
            "SELECT concat_ws(' ', kind, payload) AS said FROM event"
            " UNION ALL SELECT concat_ws(' ', kind, by_kind, by_id, details) FROM audit_event"
        )
    return "\n".join(row["said"] for row in rows)


async def test_no_secret_and_no_memo_is_in_any_log(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for chatty in ("httpcore", "httpx"):
        logging.getLogger(chatty).setLevel(logging.INFO)  # the client's own, which is no part of the gateway
    secrets: list[str] = []

    alice = await api.person("alice", "50.00 EUR")
    await api.person("bob")
    secrets.append(alice.api_key)
    assert (await alice.pay("@bob", "5.00 EUR", memo=MEMO)).status_code == 201
    noted = await alice.pay("@bob", "1.00 EUR", reference=MEMO[:64], metadata={"note": MEMO})
    assert noted.status_code == 201
    assert (await alice.get(f"/v1/payments?reference={quote(MEMO[:64])}")).json()["items"] == [noted.json()]
    held = await alice.pay("@bob", "5.00 EUR", memo=MEMO, capture=False)
    await alice.post(f"/v1/payments/{held.json()['id']}/capture", {})
    assert (await alice.pay("@bob", "9000.00 EUR", memo=MEMO)).status_code == 409
    assert (await alice.pay("@nobody_here", "1.00 EUR", memo=MEMO)).status_code == 404
    assert (await alice.post("/v1/payments", {"to": "@bob", "memo": MEMO})).status_code == 400
    lines: Any = [{"to": "@bob", "amount": "1.00", "asset": "EUR", "memo": MEMO}]
    assert (await alice.post("/v1/payments/batch", lines)).status_code == 200

    confirm = f"@alice exports the key of {alice.address}"
    exported = await alice.post("/v1/wallet/key/export", {"confirm": confirm})
    secrets.append(exported.json()["private_key"].removeprefix("0x"))
    key = Account.create()
    signature = bytes(key.sign_message(encode_defunct(text="another text")).signature).hex()
    assert (await alice.post("/v1/wallet/address", {"message": "text", "signature": "0x" + signature})).is_error
    secrets += [signature, bytes(key.key).hex()]

    carol, passkey, browser = await browsing(api, "carol")
    codes = (await browser.post("/v1/recovery-codes")).json()["codes"]
    cookie = cookie_of(await signed_in(api, passkey))
    asked = await api.call("POST", "/v1/sessions/passkey/challenge")
    wrong = signed(Authenticator(), b"\0" * 32)
    assert (
        await api.call("POST", "/v1/sessions/passkey", json=wrong, headers={"Origin": "http://localhost:8000"})
    ).is_error
    recovery = {"handle": "carol", "code": codes[0][:-1] + "0"}
    await api.call("POST", "/v1/sessions/recovery-code", json=recovery, headers={"Origin": "http://localhost:8000"})
    secrets += [carol.api_key, *codes, cookie.partition("=")[2], wrong["signature"], asked.json()["challenge"]]
    assert (await api.call("GET", "/v1/wallet", headers={"Authorization": "Bearer gw_" + "x" * 43})).status_code == 401

    code, ann = await code_for(api, "ann"), Operator(api, "ann", Authenticator())
    await enrol(api, "ann", code, ann.key)
    await enrol(api, "ann", code, Authenticator())
    await ann.sign_in()
    secrets += [code, ann.token, "x" * 43]

    said = caplog.text + await written(api)
    assert "was exported to its owner, @alice" in said
    assert all(len(secret) > 8 for secret in secrets)
    assert [secret for secret in [*secrets, MEMO] if secret in said] == []


async def test_a_fault_of_ours_is_logged_without_what_the_request_said(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    """PostgreSQL tells a client the whole row that a constraint refused, and so the memo that is in it."""
    alice = await api.person("alice", "50.00 EUR")
    await api.person("bob")
    async with api.services.database.transaction() as connection:
        for table in ("ledger_payment", "staged_payment"):
            await connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT never CHECK (memo <> '{MEMO}')")
    caplog.set_level(logging.DEBUG)

    paid = await alice.pay("@bob", "5.00 EUR", memo=MEMO)
    held = await alice.pay("@bob", "5.00 EUR", memo=MEMO, capture=False)

    assert (paid.status_code, held.status_code) == (500, 500)
    assert "never" in caplog.text
    assert MEMO not in caplog.text + paid.text + held.text + await written(api)
