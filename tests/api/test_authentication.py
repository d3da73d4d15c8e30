"""Who is asking, and what strangers are told. What is secret lies nowhere in the database."""

import asyncio
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.ids import read
from gateway.keys.errors import EncryptedKeyUnreadable
from gateway.keys.vault import Vault
from tests.api.conftest import MASTER_KEY, Api, code_of
from tests.databases import until_waiting

pytestmark = pytest.mark.anyio

PRIVATE = ("wallet", "entries?asset=EUR", "events", "payments", "payments/pay_x", "conversions/cnv_x")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer gw_wrong",
        "Basic YTpi",
        "gw_wrong",
        "Bearer  ",
        "Token x",
        "Bearer \xff\xfe",
    ],
)
async def test_without_a_valid_key_nobody_is_told_anything(shared: Api, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    for path in PRIVATE:
        answer = await shared.call("GET", f"/v1/{path}", headers=headers)
        assert code_of(answer) == (401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    for path in ("deposits", "withdrawals"):
        body, before = {"amount": "1.00", "asset": "EUR"}, await shared.counts()
        answer = await shared.call("POST", f"/v1/{path}", json=body, headers={"Idempotency-Key": "k", **headers})
        assert code_of(answer) == (401, "unauthenticated")
        assert await shared.counts() == before


async def test_the_scheme_is_read_in_any_case(shared: Api) -> None:
    dora = await shared.person("dora")
    for scheme in ("bearer", "BEARER", "Bearer "):
        headers = {"Authorization": f"{scheme} {dora.api_key}"}
        assert (await shared.call("GET", "/v1/wallet", headers=headers)).json()["handle"] == "dora"
    for wrong in (dora.api_key[:-1], dora.api_key + "x", dora.api_key.upper(), dora.wallet_id):
        headers = {"Authorization": f"Bearer {wrong}"}
        assert code_of(await shared.call("GET", "/v1/wallet", headers=headers)) == (401, "unauthenticated")


async def test_a_revoked_key_speaks_for_nobody(api: Api) -> None:
    alice = await api.person("alice")
    async with api.services.database.transaction() as connection:
        await connection.execute("UPDATE api_key SET revoked_at = now()")
    assert code_of(await alice.get("/v1/wallet")) == (401, "unauthenticated")


async def test_many_who_ask_at_once_are_each_told_what_their_own_key_shows(api: Api) -> None:
    """Whoever asks while somebody is being looked up shares the next look-up, which sees what has changed meanwhile."""
    people = [await api.person(f"person{n}") for n in range(8)]
    made = await people[0].post("/v1/keys", {"name": "till", "scopes": ["read"], "networks": ["192.0.2.0/24"]})
    elsewhere = replace(people[0], api_key=made.json()["api_key"])
    nobody = replace(people[0], api_key="gw_nobody")
    async with api.services.database.transaction() as other:
        await other.execute("LOCK TABLE api_key IN ACCESS EXCLUSIVE MODE")
        first = asyncio.create_task(people[0].get("/v1/wallet"))
        async with api.services.database.reading() as connection:
            await until_waiting(connection, 1)
        later = [asyncio.create_task(one.get("/v1/wallet")) for one in (*people, elsewhere, nobody)]
        await other.execute(
            "UPDATE api_key SET revoked_at = now() WHERE wallet_id = $1", read("wal", people[7].wallet_id)
        )
    answers = await asyncio.gather(first, *later)

    assert [answer.status_code for answer in answers] == [200] * 8 + [401, 403, 401]
    assert [answer.json()["handle"] for answer in answers[:8]] == ["person0", *(f"person{n}" for n in range(7))]


async def test_a_payment_of_others_does_not_exist_for_a_stranger(api: Api) -> None:
    alice, bob, eve = [await api.person(name, "10.00 EUR") for name in ("alice", "bob", "eve")]
    held = (await alice.pay("@bob", "1.00 EUR", capture=False)).json()["id"]
    settled = (await alice.pay("@bob", "1.00 EUR")).json()["id"]
    before = await api.counts()

    for id in (held, settled):
        answers = [await eve.get(f"/v1/payments/{id}")]
        for end in ("capture", "void", "refund"):
            answers += [await eve.post(f"/v1/payments/{id}/{end}", {})]
            nobodys = await eve.post(f"/v1/payments/pay_01h455vb4pex5vsknk084sn02q/{end}", {})
            assert answers[-1].json()["type"] == nobodys.json()["type"]
        assert {code_of(answer) for answer in answers} == {(404, "not_found")}
    assert (await eve.get("/v1/payments")).json()["items"] == []
    assert await api.counts() == before
    assert (await bob.get(f"/v1/payments/{held}")).json()["state"] == "held"


async def test_neither_api_keys_nor_private_keys_are_anywhere_in_the_database(api: Api) -> None:
    alice = await api.person("alice", "10.00 EUR")
    await api.person("bob")
    await alice.pay("@bob", "1.00 EUR")
    database = api.services.database
    async with database.reading() as connection:
        wallet, ciphertext = await connection.fetchrow(
            "SELECT wallet_id, ciphertext FROM encrypted_key ORDER BY wallet_id LIMIT 1"
        )
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        rows = [row[0] for (table,) in tables for row in await connection.fetch(f"SELECT t::text FROM {table} AS t")]
    purpose = b"wallet-gateway/wallet-key/1/" + wallet.bytes
    private_key = AESGCM(MASTER_KEY).decrypt(ciphertext[:12], ciphertext[12:], purpose)
    assert len(private_key) == 32

    everything = "\n".join(rows)
    assert alice.address in everything
    for secret in (private_key, MASTER_KEY, alice.api_key.encode()):
        for shown in (secret.hex(), secret.decode("latin-1"), str(int.from_bytes(secret, "big"))):
            assert shown not in everything
    assert alice.api_key.removeprefix("gw_") not in everything


async def test_an_encrypted_key_decrypts_for_its_own_wallet_alone(api: Api) -> None:
    await api.person("alice")
    await api.person("bob")
    async with api.services.database.reading() as connection:
        (mine, at, ciphertext), (other, elsewhere, _) = await connection.fetch(
            "SELECT wallet.id, address, ciphertext FROM encrypted_key JOIN wallet ON wallet.id = wallet_id ORDER BY 1"
        )
    vault = Vault(MASTER_KEY)

    assert len(vault.sign(mine, at, ciphertext, bytes(32))) == 65
    changed = ciphertext[:-1] + bytes([ciphertext[-1] ^ 1])
    tried = ((other, at, ciphertext), (mine, elsewhere, ciphertext), (mine, at, changed), (mine, at, b""))
    for wallet, address, bytes_ in tried:
        with pytest.raises(EncryptedKeyUnreadable):
            vault.sign(wallet, address, bytes_, bytes(32))
    with pytest.raises(EncryptedKeyUnreadable):
        Vault(bytes(32)).sign(mine, at, ciphertext, bytes(32))
