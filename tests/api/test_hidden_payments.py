"""A payee hears of a payment from the moment its payer has agreed to it, and never of one that its payer did not."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from gateway.payments.ends import capture_void
from tests.api.browser import browsing
from tests.api.conftest import Api
from tests.api.test_approvals import approve, waiting
from tests.api.test_mandates import draw, granted
from tests.api.test_own_key import with_own_key

pytestmark = pytest.mark.anyio


async def seen(of: Any, payment: str) -> list[str]:
    """Where the person meets the payment: by its id, in their lists, and in their events."""
    places = []
    if (await of.get(f"/v1/payments/{payment}")).status_code == 200:
        places.append("id")
    for query in (
        "",
        "?from=@alice",
        "?counterparty=@alice",
        "?state=requires_confirmation",
        "?state=declined",
        "?state=expired",
    ):
        if any(one["id"] == payment for one in (await of.get(f"/v1/payments{query}")).json()["items"]):
            places.append(query)
    events = (await of.get("/v1/events")).json()["items"]
    return places + [one["type"] for one in events if one["data"]["id"] == payment]


async def test_a_payee_sees_nothing_of_a_payment_until_its_payer_has_approved_it(api: Api) -> None:
    alice, key, _ = await browsing(api, "alice", "100.00 EUR")
    bob = await api.person("bob")
    asked = await waiting(alice, "@bob", "10.00 EUR")

    assert await seen(bob, asked["id"]) == []
    for way in ("capture", "void", "refund"):
        assert (await bob.post(f"/v1/payments/{asked['id']}/{way}", b"{}")).status_code == 404

    assert (await approve(alice, key, asked)).status_code == 200
    assert await seen(bob, asked["id"]) == ["id", "", "?from=@alice", "?counterparty=@alice", "payment.settled"]


async def expire(api: Api, alice: Any, payment: str) -> None:
    api.clock.ahead += timedelta(minutes=16)
    async with api.services.database.transaction() as connection:
        assert await capture_void.expire_due(connection, api.services.settings, api.clock()) == 1


async def refuse(api: Api, alice: Any, payment: str) -> None:
    assert (await alice.post(f"/v1/payments/{payment}/decline", b"")).status_code == 200


@pytest.mark.parametrize("end", [refuse, expire])
async def test_nor_ever_of_one_that_its_payer_did_not_approve(
    api: Api, end: Callable[[Api, Any, str], Awaitable[None]]
) -> None:
    alice, _, _ = await browsing(api, "alice", "100.00 EUR")
    bob = await api.person("bob")
    asked = await waiting(alice, "@bob", "10.00 EUR")

    await end(api, alice, asked["id"])

    assert (await alice.get(f"/v1/payments/{asked['id']}")).json()["state"] in ("declined", "expired")
    assert await seen(bob, asked["id"]) == []
    assert await api.wrong() == []


async def test_a_hold_that_was_approved_is_seen_to_its_end(api: Api) -> None:
    alice, key, _ = await browsing(api, "alice", "100.00 EUR")
    bob = await api.person("bob")
    asked = await waiting(alice, "@bob", "10.00 EUR", capture=False)
    assert (await approve(alice, key, asked)).json()["state"] == "held"

    assert (await bob.post(f"/v1/payments/{asked['id']}/void", b"{}")).status_code == 200

    assert await seen(bob, asked["id"]) == [
        "id",
        "",
        "?from=@alice",
        "?counterparty=@alice",
        "payment.held",
        "payment.voided",
    ]


async def test_nobody_but_its_payer_sees_what_waits_for_the_payers_signature(api: Api) -> None:
    alice, _ = await with_own_key(api, "alice", "10 USDX")
    bob = await api.person("bob")
    asked = (await alice.pay("@bob", "4 USDX")).json()
    assert asked["state"] == "requires_confirmation"
    assert await seen(bob, asked["id"]) == []


async def test_a_payee_who_draws_sees_what_waits_for_the_payers_signature(api: Api) -> None:
    alice, _ = await with_own_key(api, "alice", "10 USDX")
    shop = await api.person("shop")
    drawn = (await draw(shop, await granted(alice, asset="USDX"), "5")).json()
    assert drawn["state"] == "requires_confirmation"
    assert await seen(shop, drawn["id"]) == [
        *("id", "", "?from=@alice", "?counterparty=@alice", "?state=requires_confirmation"),
        "payment.requires_confirmation",
    ]
