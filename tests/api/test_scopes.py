"""What a key may do: its scopes, route by route, and which keys pay without a check."""

import asyncio
from typing import Any

import pytest
from litestar import get

from gateway.api.app import ROUTES
from gateway.http.callers import check_needs
from tests.api.conftest import Api, Person, code_of

pytestmark = pytest.mark.anyio

SCOPES = ("read", "pay", "refund", "webhooks", "owner")


async def change(api: Api, statement: str, *values: Any) -> None:
    async with api.services.database.transaction() as connection:
        await connection.execute(statement, *values)


async def with_scopes(api: Api, person: Person, *scopes: str) -> None:
    of = (await api.call("GET", f"/v1/handles/{person.handle}")).json()["address"]
    await change(
        api,
        "UPDATE api_key SET scopes = $2 FROM wallet WHERE wallet.id = wallet_id AND wallet.address = $1",
        of,
        list(scopes),
    )


async def plain(api: Api) -> set[bool]:
    async with api.services.database.reading() as connection:
        return {row["plain"] for row in await connection.fetch("SELECT plain FROM api_key")}


async def test_a_key_does_what_its_scopes_say_and_nothing_else(api: Api) -> None:
    alice, bob = await api.person("alice", "10.00 EUR"), await api.person("bob", "10.00 EUR")
    paid = (await bob.pay("@alice", "1.00 EUR")).json()["id"]
    held = (await bob.pay("@alice", "1.00 EUR", capture=False)).json()["id"]

    await with_scopes(api, alice, "read")
    assert (await alice.get("/v1/wallet")).status_code == 200
    assert code_of(await alice.pay("@bob", "1.00 EUR")) == (403, "forbidden")
    assert code_of(await alice.post(f"/v1/payments/{paid}/refund", {})) == (403, "forbidden")
    assert code_of(await alice.post("/v1/payments/batch", [])) == (403, "forbidden")

    await with_scopes(api, alice, "refund")
    assert code_of(await alice.get("/v1/wallet")) == (403, "forbidden")
    assert (await alice.post(f"/v1/payments/{paid}/refund", {})).status_code == 201
    assert code_of(await alice.pay("@bob", "1.00 EUR")) == (403, "forbidden")
    for end in ("capture", "void"):
        assert code_of(await alice.post(f"/v1/payments/{held}/{end}", {})) == (403, "forbidden")

    await with_scopes(api, alice, "pay")
    assert (await alice.post(f"/v1/payments/{held}/capture", {})).status_code == 200
    assert (await alice.pay("@bob", "1.00 EUR")).status_code == 201


async def test_only_an_owners_key_takes_the_wallets_own_key_away(api: Api) -> None:
    alice = await api.person("alice")
    body = {"confirm": f"@alice exports the key of {alice.address}"}
    await with_scopes(api, alice, "read", "pay", "refund", "webhooks")
    refused = await alice.post("/v1/wallet/key/export", body)
    assert code_of(refused) == (403, "forbidden")
    assert refused.json()["detail"] == (
        "only the wallet's owner does this: sign in with your passkey or, where the wallet has none yet, use the "
        "API key that came with the handle"
    )

    await with_scopes(api, alice, *SCOPES)
    assert (await alice.post("/v1/wallet/key/export", body)).status_code == 200


async def test_no_key_acts_as_the_owner_of_a_guarded_wallet(api: Api) -> None:
    alice = await api.person("alice")
    await change(api, "UPDATE wallet SET guarded = true")
    body = {"confirm": f"@alice exports the key of {alice.address}"}
    assert code_of(await alice.post("/v1/wallet/key/export", body)) == (403, "forbidden")
    assert (await alice.get("/v1/wallet")).status_code == 200


@pytest.mark.parametrize(
    ("ground", "gone"),
    [
        ("UPDATE api_key SET scopes = '{read,refund}'", "UPDATE api_key SET scopes = '{pay}'"),
        ("UPDATE api_key SET networks = '{10.0.0.0/8}'", "UPDATE api_key SET networks = NULL"),
        ("UPDATE api_key SET capped = true", "UPDATE api_key SET capped = false"),
        ("UPDATE wallet SET guarded = true", "UPDATE wallet SET guarded = false"),
        ("UPDATE wallet SET frozen_at = now()", "UPDATE wallet SET frozen_at = NULL"),
    ],
)
async def test_a_key_is_plain_as_long_as_nothing_is_to_be_checked(api: Api, ground: str, gone: str) -> None:
    await api.person("alice")
    assert await plain(api) == {True}
    await change(api, ground)
    assert await plain(api) == {False}
    await change(api, "UPDATE api_key SET plain = true")
    assert await plain(api) == {False}, "it is not said, it follows"
    await change(api, gone)
    assert await plain(api) == {True}


@pytest.mark.parametrize("money", ["1.00 EUR", "1 USDX"])
async def test_the_short_statements_leave_a_key_that_is_not_plain_to_the_long_way(api: Api, money: str) -> None:
    alice, bob = await api.person("alice", "10.00 EUR", "10 USDX"), await api.person("bob", "1.00 EUR", "1 USDX")
    assert (await alice.pay("@bob", money)).status_code in (201, 202)
    await with_scopes(api, alice, "read")
    assert code_of(await alice.pay("@bob", money)) == (403, "forbidden")
    assert code_of(await alice.post("/v1/payments/batch", [{"to": "@bob", "amount": "1", "asset": "EUR"}])) == (
        403,
        "forbidden",
    )
    assert (await bob.pay("@alice", money)).status_code in (201, 202)


@pytest.mark.parametrize("money", ["1.00 EUR", "1 USDX"])
async def test_a_key_that_only_pays_and_expires_one_day_is_plain(api: Api, money: str) -> None:
    alice, _ = await api.person("alice", "10.00 EUR", "10 USDX"), await api.person("bob", "1.00 EUR", "1 USDX")
    await change(api, "UPDATE api_key SET scopes = '{pay}', expires_at = '2999-01-01'")
    assert await plain(api) == {True}
    assert (await alice.pay("@bob", money)).status_code in (201, 202)


async def test_a_key_that_has_expired_pays_nothing_however_it_is_asked(api: Api) -> None:
    alice, bob = await api.person("alice", "10.00 EUR", "10 USDX"), await api.person("bob", "1.00 EUR", "1 USDX")
    await change(api, "UPDATE api_key SET expires_at = now() - interval '1 second'")
    assert await plain(api) == {True}, "time passes, and changes no row"
    line = {"to": "@bob", "amount": "1", "asset": "EUR"}

    answers = [await alice.pay("@bob", "1.00 EUR"), await alice.pay("@bob", "1 USDX")]
    answers += [await alice.post("/v1/payments/batch", [line, line])]
    answers += await asyncio.gather(*(alice.pay("@bob", "1.00 EUR") for _ in range(5)))
    assert {code_of(answer) for answer in answers} == {(401, "unauthenticated")}
    await change(api, "UPDATE api_key SET expires_at = NULL")
    assert await bob.balance("EUR") == ("1.00", "0.00", "1.00")


def test_a_route_that_does_not_say_what_it_needs_is_not_built() -> None:
    @get("/v1/forgotten")
    async def forgotten() -> None: ...

    @get("/v1/unasked", needs="read")
    async def unasked() -> None: ...

    check_needs(ROUTES)
    with pytest.raises(AssertionError, match=r"/v1/unasked.*asks for no credential"):
        check_needs([*ROUTES, unasked])
    with pytest.raises(AssertionError, match=r"/v1/forgotten.*needs what"):
        check_needs([*ROUTES, forgotten])
