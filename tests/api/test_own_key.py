"""A key of one's own, over HTTP: what to sign to bind an address, and a payment that waits for its signature."""

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount

from tests.api.conftest import Api, Person, code_of

pytestmark = pytest.mark.anyio


async def with_own_key(api: Api, handle: str, *moneys: str) -> tuple[Person, LocalAccount]:
    """Somebody with this much money at an address of their own: as if it had been bound, since no node answers here."""
    person, key = await api.person(handle, *moneys), Account.create()
    async with api.services.database.transaction() as connection:
        id = await connection.fetchval("SELECT id FROM wallet WHERE handle = $1", handle)
        await connection.execute("INSERT INTO wallet_address VALUES ($1, $2, 'owner', now())", key.address, id)
        await connection.execute("UPDATE wallet SET address = $2, custody = 'owner' WHERE id = $1", id, key.address)
    return person, key


async def test_the_message_to_sign_names_gateway_handle_chain_and_wallet(api: Api) -> None:
    alice, key = await api.person("alice"), Account.create()

    asked = await alice.post("/v1/wallet/address/challenge", {"address": key.address.lower()})

    assert asked.status_code == 201
    lines = asked.json()["message"].split("\n")
    assert lines[0] == "localhost:8000 wants you to sign in with your Ethereum account:"
    assert lines[1] == asked.json()["address"] == key.address
    assert "@alice" in lines[3]
    assert (lines[5], lines[7], lines[-1]) == (
        "URI: http://localhost:8000",
        "Chain ID: 31337",
        f"- urn:gateway:wallet:{alice.wallet_id}",
    )
    assert (await alice.get("/v1/wallet")).json()["custody"] == "gateway"


async def test_what_binds_nothing_says_why(api: Api) -> None:
    alice, bob, key = await api.person("alice"), await api.person("bob"), Account.create()
    path = "/v1/wallet/address"
    text = (await alice.post(f"{path}/challenge", {"address": key.address})).json()["message"]
    signed = "0x" + bytes(key.sign_message(encode_defunct(text=text)).signature).hex()

    assert code_of(await alice.post(f"{path}/challenge", {"address": "0x12"})) == (422, "invalid_address")
    assert code_of(await alice.post(f"{path}/challenge", {"address": bob.address})) == (409, "address_taken")
    malformed = await alice.post(path, {"message": "hello", "signature": signed})
    assert code_of(malformed) == (422, "invalid_challenge")
    assert malformed.json()["type"].endswith(":malformed")
    assert code_of(await bob.post(path, {"message": text, "signature": signed})) == (422, "invalid_challenge")
    assert code_of(await alice.post(path, {"message": text, "signature": "1f"})) == (400, "invalid_request")
    # The signature itself is looked at with a node, and there is none here.
    assert code_of(await alice.post(path, {"message": text, "signature": signed})) == (503, "unavailable")


async def test_a_payment_says_what_is_to_sign_until_it_is_signed(api: Api) -> None:
    alice, key = await with_own_key(api, "alice", "10 USDX")
    bob = await api.person("bob")

    asked = await alice.pay("@bob", "4 USDX", key="lunch")
    payment = asked.json()
    assert (asked.status_code, payment["state"]) == (202, "requires_confirmation")
    assert payment["to_sign"]["primaryType"] == "TransferWithAuthorization"
    assert payment["to_sign"]["message"] | {"validBefore": "", "nonce": ""} == {
        "from": key.address,
        "to": bob.address,
        "value": "4000000",
        "validAfter": "0",
        "validBefore": "",
        "nonce": "",
    }
    assert (await alice.pay("@bob", "4 USDX", key="lunch")).json() == payment
    assert (await alice.get(f"/v1/payments/{payment['id']}")).json() == payment
    assert (await alice.get("/v1/payments")).json()["items"][0]["to_sign"] is None
    assert await alice.balance("USDX") == ("10.000000", "4.000000", "6.000000")

    path = f"/v1/payments/{payment['id']}/signature"
    signed = "0x" + bytes(key.sign_typed_data(full_message=payment["to_sign"]).signature).hex()
    other = "0x" + bytes(Account.create().sign_typed_data(full_message=payment["to_sign"]).signature).hex()
    assert code_of(await alice.post(path, {"signature": other})) == (422, "invalid_signature")
    assert code_of(await bob.post(path, {"signature": signed})) == (404, "not_found")
    for _ in range(2):
        queued = await alice.post(path, {"signature": signed})
        assert (queued.status_code, queued.json()["state"], queued.json()["to_sign"]) == (200, "queued", None)
    assert code_of(await alice.post(path, {"signature": other})) == (422, "invalid_signature")
    missing = path.replace(payment["id"], "pay_01h455vb4pex5vsknk084sn02q")
    assert code_of(await alice.post(missing, {"signature": signed})) == (404, "not_found")


async def test_many_payments_each_wait_for_a_signature_of_their_own(api: Api) -> None:
    alice, key = await with_own_key(api, "alice", "10 USDX", "5.00 EUR")
    await api.person("bob")
    rows = [{"to": "@bob", "amount": "1", "asset": "USDX"} for _ in range(3)]

    paid = (await alice.post("/v1/payments/batch", [*rows, {"to": "@bob", "amount": "1", "asset": "EUR"}])).json()

    assert [one["state"] for one in paid] == [*["requires_confirmation"] * 3, "settled"]
    nonces = set()
    for one in paid[:3]:
        data = (await alice.get(f"/v1/payments/{one['id']}")).json()["to_sign"]
        nonces.add(data["message"]["nonce"])
        signed = "0x" + bytes(key.sign_typed_data(full_message=data).signature).hex()
        answer = await alice.post(f"/v1/payments/{one['id']}/signature", {"signature": signed})
        assert answer.json()["state"] == "queued"
    assert len(nonces) == 3


async def test_what_needs_the_owners_key_is_refused_and_says_how_it_is_done(api: Api) -> None:
    alice, _ = await with_own_key(api, "alice", "10 USDX")
    await api.person("bob")
    before = await api.counts()

    held = await alice.pay("@bob", "1 USDX", capture=False)
    redeemed = await alice.post("/v1/conversions", {"amount": "1", "asset": "USDX", "to_asset": "USD"})

    assert code_of(held) == code_of(redeemed) == (422, "own_key")
    assert await api.counts() == before
