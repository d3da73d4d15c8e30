"""A payment's timeline over HTTP: each step that a table knows of, on both rails, with what it did."""

from datetime import timedelta
from typing import Any

import pytest

from tests.api.browser import browsing
from tests.api.conftest import code_of
from tests.api.running.conftest import RunningGateway, of_kind
from tests.api.test_approvals import approve, waiting
from tests.api.test_keys import made, with_key
from tests.api.test_mandates import draw, granted
from tests.api.test_operators import Person as Operator
from tests.webhooks.conftest import Workers, hook
from tests.webhooks.receiver import OK, Receiver, status

pytestmark = pytest.mark.anyio


async def timeline(ann: Operator, id: str) -> dict[str, Any]:
    answer = await ann.call("GET", f"/payments/{id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def kinds(found: dict[str, Any]) -> list[str]:
    return [step["kind"] for step in found["steps"]]


async def test_a_ledger_payment_is_requested_posted_and_settled_at_once(gateway: RunningGateway, ann: Operator) -> None:
    alice, bob = await gateway.person("alice", "100.00 EUR"), await gateway.person("bob")
    paid = (await alice.pay("@bob", "12.50 EUR", memo="lunch", reference="order-17")).json()

    found = await timeline(ann, paid["id"])

    assert kinds(found) == ["requested", "transferred", "settled"]
    assert found["payment"] == paid
    assert of_kind(found["steps"], "requested") == [{"by": "@alice", "memo": "lunch", "reference": "order-17"}]
    (posted,) = of_kind(found["steps"], "transferred")
    assert posted.pop("transfer").startswith("trf_")
    assert posted == {
        "amount": "12.50",
        "debit": "wallet:alice:EUR",
        "debit_number": 2,
        "debit_balance": "87.50",
        "credit": "wallet:bob:EUR",
        "credit_number": 1,
        "credit_balance": "12.50",
    }
    assert {step["at"] for step in found["steps"]} == {paid["settled_at"]}
    assert (found["events"], found["checkpoint"]) == (["payment.settled"], None)
    await gateway.cover()
    assert (await timeline(ann, paid["id"]))["checkpoint"]["number"] >= 1
    assert (await bob.get(f"/v1/payments/{paid['id']}")).json()["state"] == "settled"


async def test_a_token_payment_is_held_authorized_relayed_with_others_and_final(
    gateway: RunningGateway, ann: Operator
) -> None:
    alice = await gateway.person("alice", "100 USDX")
    await gateway.person("shop")
    paid = (await alice.pay("@shop", "20 USDX", key="cap-1", memo="socks")).json()
    await alice.pay("@shop", "1 USDX")
    waiting = await timeline(ann, paid["id"])
    await gateway.town.settle()

    found = await timeline(ann, paid["id"])

    assert kinds(waiting) == ["requested", "held", "authorized"]
    assert kinds(found) == ["requested", "held", "authorized", "relayed", "final", "transferred", "settled"]
    assert of_kind(found["steps"], "requested") == [{"by": "@alice", "idempotency_key": "cap-1", "memo": "socks"}]
    (held,) = of_kind(found["steps"], "held")
    assert (held["amount"], held["debit"], held["credit"]) == ("20.000000", "wallet:alice:USDX", "wallet:shop:USDX")
    (signed,) = of_kind(found["steps"], "authorized")
    assert (signed["from"], signed["signed_by"], signed["nonce"].isdecimal()) == (alice.address, "gateway", True)
    (relayed,) = of_kind(found["steps"], "relayed")
    assert (relayed["relayer"], relayed["others"], relayed["attempts"]) == (gateway.town.signer.address, 1, 1)
    assert relayed["gas_limit"] > 27_000
    (final,) = of_kind(found["steps"], "final")
    assert relayed["tx_hash"] == final["tx_hash"] == found["payment"]["tx_hash"]
    (posted,) = of_kind(found["steps"], "transferred")
    assert (posted["debit_balance"], posted["credit_balance"]) == ("80.000000", "20.000000")
    assert found["events"] == ["payment.queued", "payment.submitted", "payment.settled"]
    async with gateway.town.database.reading() as connection:
        block = await connection.fetchval(
            "SELECT block_number FROM observation WHERE transaction_hash = $1", bytes.fromhex(final["tx_hash"][2:])
        )
    assert final["block"] == block
    times = [step["at"] for step in found["steps"]]
    assert times == sorted(times)


@pytest.mark.parametrize("money", ["10.00 EUR", "10 USDX"])
async def test_a_refund_is_a_step_of_the_first_and_names_it(gateway: RunningGateway, ann: Operator, money: str) -> None:
    alice, shop = await gateway.person("alice", money), await gateway.person("shop")
    paid = (await alice.pay("@shop", money)).json()
    await gateway.town.settle()
    units = "2.50"
    back = (await shop.post(f"/v1/payments/{paid['id']}/refund", {"amount": units})).json()
    await gateway.town.settle()

    found, of_refund = await timeline(ann, paid["id"]), await timeline(ann, back["id"])

    (refunded,) = of_kind(found["steps"], "refunded")
    assert (refunded["payment"], refunded["state"]) == (back["id"], "settled")
    assert float(refunded["amount"]) == 2.5
    assert of_kind(of_refund["steps"], "requested")[0]["refund_of"] == paid["id"]
    assert of_kind(of_refund["steps"], "requested")[0]["by"] == "@shop"


async def test_a_refund_of_a_captured_hold_is_found(gateway: RunningGateway, ann: Operator) -> None:
    alice, shop = await gateway.person("alice", "10.00 EUR"), await gateway.person("shop")
    held = (await alice.pay("@shop", "10.00 EUR", capture=False)).json()
    assert kinds(await timeline(ann, held["id"])) == ["requested", "held"]
    assert (await shop.post(f"/v1/payments/{held['id']}/capture", {"amount": "6.00"})).status_code == 200
    back = (await shop.post(f"/v1/payments/{held['id']}/refund", {})).json()

    found = await timeline(ann, held["id"])

    assert kinds(found) == ["requested", "held", "transferred", "settled", "refunded"]
    assert of_kind(found["steps"], "settled")[0]["captured"] == "6.00"
    assert of_kind(found["steps"], "refunded")[0]["payment"] == back["id"]


async def test_a_payment_that_is_given_up_says_why(gateway: RunningGateway, ann: Operator) -> None:
    alice, shop = await gateway.person("alice", "10.00 EUR"), await gateway.person("shop")
    held = (await alice.pay("@shop", "10.00 EUR", capture=False)).json()
    assert (await shop.post(f"/v1/payments/{held['id']}/void", {})).status_code == 200
    assert kinds(await timeline(ann, held["id"])) == ["requested", "held", "voided"]


async def test_what_webhooks_came_to_is_counted_with_the_reasons(
    gateway: RunningGateway, ann: Operator, senders: Workers, receiver: Receiver
) -> None:
    alice, shop = await gateway.person("alice", "10.00 EUR"), await gateway.person("shop")
    endpoint = (await hook(shop, receiver.url, "payment.*"))["id"]
    answers = iter([status(503), OK])
    receiver.answer = lambda _: next(answers)
    paid = (await alice.pay("@shop", "1.00 EUR")).json()
    await senders.deliver()

    failing = await timeline(ann, paid["id"])
    gateway.api.clock.ahead = timedelta(minutes=10)
    await senders.deliver()
    delivered = await timeline(ann, paid["id"])

    first = {"delivered": 0, "pending": 1, "failed": 0, "retried": 0, "endpoints": [endpoint]}
    assert of_kind(failing["steps"], "webhooks") == [first | {"reasons": ["http_status"]}]
    then = {"delivered": 1, "pending": 0, "failed": 0, "retried": 1, "endpoints": [endpoint]}
    assert of_kind(delivered["steps"], "webhooks") == [then | {"reasons": ["http_status"]}]


async def test_all_payments_are_listed_newest_first_and_those_of_one_wallet(
    gateway: RunningGateway, ann: Operator
) -> None:
    alice, bob = await gateway.person("alice", "10.00 EUR", "10 USDX"), await gateway.person("bob", "10.00 EUR")
    paid = [(await alice.pay("@bob", money)).json()["id"] for money in ("1.00 EUR", "1 USDX", "2.00 EUR")]
    paid.append((await bob.pay("@alice", "3.00 EUR", capture=False)).json()["id"])
    await gateway.person("carol", "1.00 EUR")

    async def ids(query: str = "") -> list[str]:
        return [one["id"] for one in (await ann.call("GET", f"/payments{query}")).json()["items"]]

    assert await ids() == paid[::-1]
    first = (await ann.call("GET", "/payments?limit=2")).json()
    assert [one["id"] for one in first["items"]] + await ids(f"?cursor={first['next_cursor']}") == paid[::-1]
    assert await ids("?handle=bob") == paid[::-1]
    assert await ids("?handle=bob&state=held") == [paid[3]]
    assert await ids("?handle=carol") == []
    assert code_of(await ann.call("GET", "/payments?state=held")) == (400, "invalid_request")
    assert code_of(await ann.call("GET", "/payments?handle=nobody")) == (404, "unknown_handle")
    noted = {one["reference"] for one in first["items"]}
    assert noted == {None}, "a reference is shown where the payment is looked at, and not in lists"


async def test_there_is_no_payment_of_another_id(ann: Operator) -> None:
    for id in ("pay_01h455vb4pex5vsknk084sn02q", "wal_01h455vb4pex5vsknk084sn02q", "x"):
        assert code_of(await ann.call("GET", f"/payments/{id}")) == (404, "not_found")


async def test_an_approval_is_told_with_its_reasons_and_the_passkey(gateway: RunningGateway, ann: Operator) -> None:
    alice, key, _ = await browsing(gateway.api, "alice", "100.00 EUR")
    await gateway.person("bob")
    asked = await waiting(alice, "@bob", "10.00 EUR")
    before = await timeline(ann, asked["id"])
    await approve(alice, key, asked)

    found = await timeline(ann, asked["id"])

    assert kinds(before) == ["requested", "approval_needed", "held"]
    assert kinds(found) == ["requested", "approval_needed", "held", "approved", "transferred", "settled"]
    assert of_kind(found["steps"], "approval_needed") == [{"reasons": ["new_payee"]}]
    (approved,) = of_kind(found["steps"], "approved")
    assert approved["by"].startswith("passkey psk_")
    assert [one["kind"] for one in found["audit_events"]] == ["payment.approved"]


async def test_a_draw_is_its_payees_and_names_the_mandate(gateway: RunningGateway, ann: Operator) -> None:
    shop, alice = await gateway.person("shop"), await gateway.person("alice", "100.00 EUR")
    mandate = await granted(alice)
    drawn = (await draw(shop, mandate, "5.00")).json()
    (requested,) = of_kind((await timeline(ann, drawn["id"]))["steps"], "requested")
    assert (requested["by"], requested["mandate"]) == ("@shop", mandate)


async def test_the_api_key_is_named_whose_cap_has_counted_the_payment(gateway: RunningGateway, ann: Operator) -> None:
    alice = await gateway.person("alice", "100.00 EUR")
    await gateway.person("bob")
    _, key = await made(alice, name="Web shop", caps=[{"asset": "EUR", "day": "50.00"}])
    paid = (await with_key(alice, key).pay("@bob", "10.00 EUR")).json()
    (requested,) = of_kind((await timeline(ann, paid["id"]))["steps"], "requested")
    assert (requested["by"], requested["api_key"]) == ("@alice", "Web shop")


async def test_a_payment_that_its_owner_reported_says_so(gateway: RunningGateway, ann: Operator) -> None:
    alice = await gateway.person("alice", "100.00 EUR")
    await gateway.person("bob")
    paid = (await alice.pay("@bob", "10.00 EUR")).json()
    await alice.post(f"/v1/payments/{paid['id']}/report-unauthorized", b"")
    found = await timeline(ann, paid["id"])
    assert kinds(found) == ["requested", "transferred", "settled", "reported"]
    assert of_kind(found["steps"], "reported") == [{"by": "@alice"}]
