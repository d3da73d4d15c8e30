"""What a wallet's owner does by the client: API keys, mandates, webhooks, many payments at once, and what guards it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from gateway.client import AsyncClient, BulkPaymentRequest, CapView, Client, ProblemError
from gateway.client.sync_async import finished
from tests.api.conftest import Api, Person
from tests.api.test_stream import Gateway
from tests.client.conftest import EitherClient, between, either_client

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

Kind = type[Client] | type[AsyncClient]

URL = "https://shop.example/hook"


async def refused(face: EitherClient, method: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(ProblemError) as refusal:
        await face.call(method, *args, **kwargs)
    return refusal.value.code


async def test_api_keys_are_created_replaced_listed_and_revoked(
    kind: Kind, gateway: Gateway, alice: Person, bob: Person
) -> None:
    async with either_client(kind, gateway.url, alice.api_key) as face:
        keys = face.client.api_keys
        caps = [CapView("EUR", payee="@bob", payment="2.00")]
        made = await face.call(keys.create, "Till", ["read", "pay"], caps=caps, networks=["127.0.0.0/8"], expires_in=60)
        assert (made.name, made.scopes, made.networks) == ("Till", ["pay", "read"], ["127.0.0.0/8"])
        assert [(cap.asset, cap.payee, cap.payment) for cap in made.caps] == [("EUR", "@bob", "2.00")]
        async with either_client(kind, gateway.url, made.api_key) as till:
            assert (await till.call(till.client.payments.create, "@bob", "1.00", "EUR")).state == "settled"
            assert await refused(till, till.client.payments.create, "@bob", "3.00", "EUR") == "cap_exceeded"
            assert await refused(till, till.client.api_keys.create, "Another", ["read"]) == "forbidden"

        again = await face.call(keys.replace, made.id, overlap=0)
        assert {one.id for one in await face.all(keys.list())} >= {again.id}
        assert (await face.call(keys.revoke, again.id)).id == again.id
        assert not {one.id for one in await face.all(keys.list())} & {made.id, again.id}
        assert await refused(face, keys.revoke, again.id) == "not_found"


async def test_a_request_is_made_listed_paid_declined_and_cancelled(
    kind: Kind, gateway: Gateway, alice: Person, bob: Person
) -> None:
    async with (
        either_client(kind, gateway.url, bob.api_key) as asking,
        either_client(kind, gateway.url, alice.api_key) as asked,
    ):
        ask, of = asking.client.requests, asked.client.requests
        until = datetime.now(UTC) + timedelta(days=3)
        made = await asking.call(ask.create, "@alice", "4.00", "EUR", memo="dinner", expires_at=until)
        assert (made.state, made.from_, made.to, made.amount, made.memo) == ("open", "@alice", "@bob", "4.00", "dinner")
        assert [one.id for one in await asked.all(of.list(direction="in", state="open", page_size=1))] == [made.id]

        paid = await asked.call(of.pay, made.id, idempotency_key="dinner")
        assert (paid.state, paid.to, paid.amount, paid.memo) == ("settled", "@bob", "4.00", "dinner")
        assert (await asking.call(ask.get, made.id)).payment == paid.id
        assert await refused(asked, of.pay, made.id) == "request_not_open"
        assert (await asked.call(of.pay, made.id, idempotency_key="dinner")) == paid

        second, third = [await asking.call(ask.create, "@alice", "4.00", "EUR") for _ in range(2)]
        other = await refused(
            asked, asked.client.payments.create, "@bob", "5.00", "EUR", request=second.id, idempotency_key="other"
        )
        assert other == "request_mismatch"
        assert (await asked.call(of.decline, second.id)).state == "declined"
        assert (await asking.call(ask.cancel, third.id)).state == "cancelled"
        assert await asked.all(of.list(direction="out")) == []


async def test_a_mandate_is_granted_drawn_and_revoked(kind: Kind, gateway: Gateway, alice: Person, bob: Person) -> None:
    until = datetime.now(UTC) + timedelta(days=90)
    async with (
        either_client(kind, gateway.url, alice.api_key) as payer,
        either_client(kind, gateway.url, bob.api_key) as payee,
    ):
        grant = payer.client.mandates.grant
        made = await payer.call(grant, "@bob", "EUR", "20.00", period_days=7, draw="5.00", expires_at=until)
        assert (made.from_, made.to, made.period, made.period_days, made.draw) == ("@alice", "@bob", "20.00", 7, "5.00")

        drawn = payee.client.mandates
        paid = await payee.call(drawn.draw, made.id, "4.00", memo="June", reference="r-1", idempotency_key="june")
        assert (paid.state, paid.from_, paid.memo, paid.reference) == ("settled", "@alice", "June", "r-1")
        same = await payee.call(drawn.draw, made.id, "4.00", memo="June", reference="r-1", idempotency_key="june")
        assert same == paid
        assert await refused(payee, drawn.draw, made.id, "6.00") == "mandate_exceeded"

        assert [one.id for one in await payee.all(drawn.list())] == [made.id]
        assert (await payee.call(drawn.revoke, made.id)).revoked_at is not None
        assert await refused(payee, drawn.draw, made.id, "1.00") == "state_conflict"


async def test_a_draw_whose_answer_was_lost_is_drawn_once(
    kind: Kind, gateway: Gateway, alice: Person, bob: Person
) -> None:
    async with either_client(kind, gateway.url, alice.api_key) as payer:
        made = await payer.call(payer.client.mandates.grant, "@bob", "EUR", "20.00")
    async with between(gateway, ["lose", "lose"]) as (way, url), either_client(kind, url, bob.api_key) as payee:
        paid = await payee.call(payee.client.mandates.draw, made.id, "4.00")
        assert (paid.state, len(way.keys), len(set(way.keys))) == ("settled", 3, 1)
    assert (await bob.balance("EUR"))[0] == "4.00"


async def test_webhooks_are_created_changed_tried_and_deleted(
    kind: Kind, gateway: Gateway, alice: Person, bob: Person
) -> None:
    async with either_client(kind, gateway.url, bob.api_key) as face:
        hooks = face.client.webhooks
        made = await face.call(hooks.create, URL, ["payment.*"], description="Web shop")
        assert (made.url, made.types, made.enabled) == (URL, ["payment.*"], True)
        assert made.secret.startswith("whsec_")
        found = await face.call(hooks.get, made.id)
        assert [one.id for one in await face.all(hooks.list())] == [found.id]

        changed = await face.call(hooks.change, made.id, URL, ["payment.settled"], enabled=False)
        assert (changed.types, changed.description, changed.disabled_by) == (["payment.settled"], "", "owner")
        assert await refused(face, hooks.test, made.id) == "state_conflict"
        await face.call(hooks.change, made.id, URL, ["payment.settled"])
        rotated = await face.call(hooks.rotate_secret, made.id)
        assert rotated.secret not in ("", made.secret)

        for _ in range(3):
            await alice.pay("@bob", "1.00 EUR")
        events = [one.id for one in await face.all(face.client.events.list(of_type="payment.settled"))]
        for event in events:
            assert (await face.call(hooks.redeliver, made.id, event=event)).id == made.id
        assert (await face.call(hooks.test, made.id)).id == made.id
        assert (await face.call(hooks.redeliver, made.id, since=datetime(2020, 1, 1, tzinfo=UTC))).id == made.id
        assert await refused(face, hooks.redeliver, made.id) == "invalid_request"

        listed = await face.all(hooks.deliveries(made.id, page_size=1))
        assert [(one.event_id, one.state) for one in listed] == [(event, "pending") for event in reversed(events)]
        assert await face.all(hooks.deliveries(made.id, "delivered")) == []
        assert (await face.call(hooks.delete, made.id)).id == made.id
        assert await refused(face, hooks.get, made.id) == "not_found"


async def test_many_are_paid_at_once_each_on_its_own_or_all_or_none(
    kind: Kind, gateway: Gateway, api: Api, alice: Person, bob: Person
) -> None:
    good, bad = BulkPaymentRequest("@bob", "1.00", "EUR", memo="one"), BulkPaymentRequest("@nobody", "1.00", "EUR")
    async with between(gateway, ["lose"]) as (way, url), either_client(kind, url, alice.api_key) as face:
        many = face.client.payments.create_many
        first, second = await face.call(many, [good, bad])
        assert (first.status, first.state, second.status) == (201, "settled", 404)
        assert second.problem["code"] == "unknown_payee"
        assert len(set(way.keys)) == 1
        assert await refused(face, many, [good, bad], all_or_none=True) == "unknown_payee"
        both = await face.call(many, [good, good], all_or_none=True, idempotency_key="k")
        assert [one.status for one in both] == [201, 201]
        assert await face.call(many, [good, good], all_or_none=True, idempotency_key="k") == both
    assert (await bob.balance("EUR"))[0] == "3.00"


async def test_what_guards_a_wallet_is_read(kind: Kind, gateway: Gateway, alice: Person) -> None:
    async with either_client(kind, gateway.url, alice.api_key) as face:
        assert await refused(face, face.client.policy.get) == "not_found"
        assert await face.all(face.client.sessions.list()) == []
        assert await refused(face, face.client.sessions.end, "ses_01h455vb4pex5vsknk084sn02q") == "not_found"
        assert await face.all(face.client.passkeys.list()) == []
        assert await face.all(face.client.payments.waiting()) == []


async def test_no_id_leads_to_another_path(kind: Kind, gateway: Gateway, alice: Person) -> None:
    id = "x/../../handles/alice?a#b"
    async with between(gateway) as (way, url), either_client(kind, url, alice.api_key) as face:
        client = face.client
        calls = {
            "payments": client.payments.get,
            "conversions": client.bank.conversion,
            "handles": client.handles.get,
            "keys": client.api_keys.revoke,
            "mandates": client.mandates.revoke,
            "sessions": client.sessions.end,
            "webhooks": client.webhooks.get,
        }
        for method in calls.values():
            with pytest.raises(ProblemError):
                await face.call(method, id)
    asked = [head.split()[1].split("/", 4)[2:4] for head in way.heads]
    assert asked == [[name, quote(id, safe="")] for name in calls]


async def test_a_call_that_is_not_signed_carries_no_api_key(kind: Kind, gateway: Gateway, alice: Person) -> None:
    async with between(gateway) as (way, url), either_client(kind, url, alice.api_key) as face:
        for signed in (True, False):
            asked = face.client.calls.send("GET", "/v1/handles/alice", dict, signed=signed)
            await (asyncio.to_thread(finished, asked) if kind is Client else asked)
    assert ["authorization: " in head.lower() for head in way.heads] == [True, False]
