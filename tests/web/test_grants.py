"""The page lists API keys and mandates; what is from before the first passkey is approved there, or revoked."""

from typing import Any

import pytest

from tests.api.conftest import code_of
from tests.api.test_keys import made, with_key
from tests.web.conftest import Site, Visitor

pytestmark = pytest.mark.anyio

#: The first passkey of a handle that was claimed with an API key: a program's own page makes it.
ADD = """async (key) => {
    const { bytesOf, signIn, textOf } = await import("/static/passkey.js");
    const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/json" };
    const send = (path, body) => fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
    const asked = await (await send("/v1/passkeys/challenge")).json();
    const { response } = await navigator.credentials.create({ publicKey: {
        challenge: bytesOf(asked.challenge),
        rp: { id: asked.rp_id, name: "A test" },
        user: { id: bytesOf(asked.user_id), name: asked.user_name, displayName: asked.user_name },
        pubKeyCredParams: asked.algorithms.map((alg) => ({ type: "public-key", alg })),
        authenticatorSelection: { residentKey: "required", userVerification: "required" },
    } });
    const made = { client_data: textOf(response.clientDataJSON), attestation: textOf(response.attestationObject) };
    await send("/v1/passkeys", { name: "Test laptop", ...made });
    await signIn();
}"""


async def test_what_is_from_before_the_first_passkey_is_approved_or_revoked_on_the_page(
    visitor: Visitor, site: Site
) -> None:
    shop, alice = await site.person("shop"), await site.person("alice", "50.00 EUR")
    wanted: dict[str, Any] = {"payee": "@shop", "asset": "EUR", "period": "20.00", "rail": "ledger"}
    drawn, unwanted = [(await alice.post("/v1/mandates", {**wanted, "total": total})).json()["id"] for total in "89"]
    _, text = await made(alice, name="Till", caps=[{"asset": "EUR", "day": "9.00"}])
    page = visitor.page
    await page.goto("/sign-in")
    await page.evaluate(ADD, alice.api_key)
    await page.goto("/settings")

    grant = page.locator("#grants li")
    await grant.filter(has_text="API key Till").get_by_text("pays nothing until you approve it").wait_for()
    assert await grant.get_by_text("pays nothing until you approve it").count() == 3
    await grant.filter(has_text="API key Till").get_by_role("button", name="Approve").click()
    await visitor.status("Approved: the API key Till.")
    await grant.filter(has_text=drawn).get_by_role("button", name="Approve").click()
    await visitor.status("Approved: the mandate of @shop.")
    await grant.filter(has_text=unwanted).get_by_role("button", name="Revoke").click()
    await page.get_by_role("dialog").get_by_role("button", name="Revoke it").click()
    await visitor.status("Revoked: the mandate of @shop.")
    await grant.filter(has_text=unwanted).wait_for(state="detached")

    assert (await with_key(alice, text).pay("@shop", "1.00 EUR")).json()["state"] == "settled"
    assert (await shop.post(f"/v1/mandates/{drawn}/draws", {"amount": "8.00"})).json()["state"] == "settled"
    refused = await shop.post(f"/v1/mandates/{unwanted}/draws", {"amount": "1.00"})
    assert code_of(refused) == (409, "state_conflict")
    assert visitor.complaints == []
