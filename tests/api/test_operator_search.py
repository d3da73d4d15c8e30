"""What operators find, and what they see of a wallet and of the audit log."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.api.operators.audit_log import RECENT
from gateway.audit import checkpoint
from gateway.audit import log as audit
from gateway.audit.log import ANYONE, WORKER, AuditEvent
from gateway.custody import wallet_keys
from gateway.ids import WalletId, read
from gateway.keys.vault import Vault
from gateway.notifications import address as addresses
from gateway.notifications.address import NewAddress
from gateway.notifications.channels.email import Email
from gateway.worker import jobs
from tests.api.browser import browsing
from tests.api.conftest import MASTER_KEY, Api, Person, code_of
from tests.api.test_operators import Person as Operator
from tests.api.test_operators import operator
from tests.factory import Town
from tests.notifications.mail_server import MailServer
from tests.reconciliation.restored import Gateway, opened, with_tokens

pytestmark = pytest.mark.anyio


def bearer(ann: Operator) -> dict[str, str]:
    return {"Authorization": f"Bearer {ann.token}"}


async def found(ann: Operator, q: str) -> tuple[str, list[tuple[str, str]]]:
    """As what it was read, and what was found."""
    answer = await ann.api.call("GET", "/v1/operator/search", headers=bearer(ann), params={"q": q})
    assert answer.status_code == 200, answer.text
    return answer.json()["searched_for"], [(one["kind"], one["id"]) for one in answer.json()["items"]]


@pytest.fixture
async def chained(town: Town) -> AsyncIterator[Gateway]:
    """A gateway with a chain, and a vault with a root key."""
    async with opened(town) as gateway:
        yield gateway


async def test_each_thing_is_found_by_what_it_is_called(api: Api) -> None:
    alice, bob = await api.person("alice", "50.00 EUR"), await api.person("bob")
    ann = await operator(api, "ann", "read_only")
    paid = (await alice.pay("@bob", "5.00 EUR", memo="secret")).json()["id"]
    held = (await alice.pay("@bob", "5.00 EUR", capture=False)).json()["id"]
    proposed = (await (await operator(api, "sue")).propose("wallet.freeze", "bob")).json()["id"]

    for typed in ("alice", "@alice", " @Alice "):
        assert await found(ann, typed) == ("handle", [("wallet", "alice")])
    assert await found(ann, alice.wallet_id) == ("wallet", [("wallet", "alice")])
    for typed in (bob.address, bob.address.lower()):
        assert await found(ann, typed) == ("address", [("wallet", "bob")])
    for id in (paid, held):
        assert await found(ann, id) == ("payment", [("payment", id)])
    assert await found(ann, proposed.upper()) == ("proposal", [("proposal", proposed)])
    said = (await ann.call("GET", f"/search?q={paid}")).json()["items"][0]["description"]
    assert said == "5.00 EUR from @alice to @bob"


@pytest.mark.parametrize(
    ("q", "kind"),
    [
        ("nobody_here", "handle"),
        ("what is this?", "handle"),
        ("pay_00000000000000000000000000", "payment"),
        ("pro_7zzzzzzzzzzzzzzzzzzzzzzzzz", "proposal"),
        ("wal_zzzzzzzzzzzzzzzzzzzzzzzzzz", "wallet"),
        ("0x" + "ab" * 20, "address"),
        ("0x" + "ab" * 32, "transaction"),
        ("nobody@example.com", "email"),
        ("%_\\' OR 1=1 --", "handle"),
    ],
)
async def test_what_is_not_there_is_not_found(api: Api, q: str, kind: str) -> None:
    ann = await operator(api, "ann", "read_only")
    assert await found(ann, q) == (kind, [])


async def test_a_search_is_of_some_text_and_not_too_much(api: Api) -> None:
    ann = await operator(api, "ann")
    for q in ("", "x" * 255, "\x00"):
        answer = await api.call("GET", "/v1/operator/search", headers=bearer(ann), params={"q": q})
        assert code_of(answer) == (400, "invalid_request")


async def confirmed(gateway: Gateway, of: Person, text: str) -> addresses.Address:
    town, channel, id = gateway.town, Email(MailServer().server()), WalletId(read("wal", of.wallet_id))
    async with town.database.transaction() as connection:
        wanted = NewAddress(channel.check(text), "en", "UTC")
        added = await addresses.add(connection, town.vault, channel, id, wanted, ANYONE, town.clock())
        assert added.code is not None
        confirmed = await addresses.confirm(connection, town.vault, id, added.id, added.code, ANYONE, town.clock())
    assert isinstance(confirmed, addresses.Address)
    return confirmed


async def test_a_wallet_is_found_by_an_e_mail_address_that_its_owner_has_confirmed_and_keeps(chained: Gateway) -> None:
    alice = await chained.api.person("alice")
    ann = await operator(chained.api, "ann")
    added = await confirmed(chained, alice, "Alice.Doe@Example.com")

    assert await found(ann, "alice.doe@example.COM") == ("email", [("wallet", "alice")])
    assert await found(ann, "alice@example.com") == ("email", [])
    async with chained.town.database.reading() as connection:
        kept = await connection.fetchval("SELECT lookup FROM notification_address")
        said = str(await connection.fetch("SELECT * FROM notification_address"))
    assert (len(kept), "example" in said.lower()) == (32, False)
    async with chained.town.database.transaction() as connection:
        id = WalletId(read("wal", alice.wallet_id))
        await addresses.remove(connection, chained.town.vault, id, added.id, ANYONE, chained.town.clock())
    assert await found(ann, "alice.doe@example.com") == ("email", [])


async def test_an_address_that_was_not_confirmed_finds_nobody(chained: Gateway) -> None:
    alice, ann = await chained.api.person("alice"), await operator(chained.api, "ann")
    town, channel = chained.town, Email(MailServer().server())
    async with town.database.transaction() as connection:
        id, wanted = WalletId(read("wal", alice.wallet_id)), NewAddress("victim@example.com", "en", "UTC")
        await addresses.add(connection, town.vault, channel, id, wanted, ANYONE, town.clock())
    assert await found(ann, "victim@example.com") == ("email", [])


def test_the_hash_of_an_address_is_under_the_root_key() -> None:
    """Whoever has the database alone cannot look for addresses in it."""
    one, same, other = (
        addresses.lookup_of(Vault(MASTER_KEY, root=bytes([root]) * 32), "email", "alice@example.com")
        for root in (1, 1, 2)
    )
    assert one == same != other
    assert addresses.lookup_of(Vault(MASTER_KEY), "email", "alice@example.com") is None


async def test_a_transaction_leads_to_its_payments_while_it_is_under_way_and_once_it_is_final(
    chained: Gateway,
) -> None:
    town = chained.town
    alice = await with_tokens(chained, "alice", "50.00 USD", "20.00 USD")
    await chained.api.person("bob")
    ann = await operator(chained.api, "ann")
    paid = [(await alice.pay("@bob", f"{n}.00 USDX")).json()["id"] for n in (1, 2)]
    await jobs.relay.run(town.worker())
    hashes = {(await alice.get(f"/v1/payments/{id}")).json()["tx_hash"] for id in paid}
    (hash_,) = hashes
    under_way = await found(ann, hash_)
    await town.settle()
    final = await found(ann, hash_)

    for searched_for, items in (under_way, final):
        assert (searched_for, items[0]) == ("transaction", ("transaction", hash_))
        assert sorted(items[1:]) == sorted(("payment", id) for id in paid)


async def test_an_operator_sees_what_they_need_of_a_wallet_and_no_secret(api: Api) -> None:
    alice, _, _ = await browsing(api, "alice", "50.00 EUR")
    bob = await api.person("bob", "5.00 EUR")
    await bob.pay("@alice", "5.00 EUR", memo="between us")
    ann, sue = await operator(api, "ann", "read_only"), await operator(api, "sue")
    await sue.propose("wallet.freeze", "alice")

    seen = (await ann.call("GET", "/wallets/alice")).json()

    assert (seen["wallet"]["handle"], seen["wallet"]["wallet_id"]) == ("alice", alice.wallet_id)
    assert [one["posted"] for one in seen["wallet"]["balances"] if one["asset"] == "EUR"] == ["55.00"]
    assert (seen["passkeys"], seen["sessions"], seen["frozen_at"] is None) == (1, 1, False)
    assert [(one["reason"], one["ended_at"]) for one in seen["freezes"]] == [("reported as stolen", None)]
    assert seen["limits"]["EUR"] == {"payment": "100.00", "day": "300.00"}
    assert [one["name"] for one in seen["api_keys"]] == ["sign-up"]
    assert [(one["from"], one["to"], one["amount"]) for one in seen["payments"]] == [("@bob", "@alice", "5.00")]
    assert seen["audit_events"][0]["kind"] == "operator.proposed"
    said = str(seen)
    assert [one for one in (alice.api_key, "between us", "memo") if one in said] == []


async def test_a_wallet_without_a_passkey_has_no_limits_and_nobody_has_none(api: Api) -> None:
    await api.person("alice")
    ann = await operator(api, "ann", "read_only")
    assert (await ann.call("GET", "/wallets/@Alice")).json()["limits"] is None
    assert code_of(await ann.call("GET", "/wallets/nobody_here")) == (404, "unknown_handle")


# ---- the audit log --------------------------------------------------------------------------------------------------


async def test_the_audit_log_is_listed_by_handle_and_kind_page_by_page(api: Api) -> None:
    for handle in ("alice", "bob"):
        await api.person(handle)
    ann, sue = await operator(api, "ann", "read_only"), await operator(api, "sue")
    proposed = (await sue.propose("wallet.freeze", "alice")).json()["id"]

    async def listed(query: str) -> Any:
        answer = await ann.call("GET", f"/audit-events?{query}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    of_alice = (await listed("handle=@alice"))["items"]
    assert [one["kind"] for one in of_alice] == [
        *("operator.proposed", "wallet.frozen", "api_key.created", "wallet.created")
    ]
    assert (of_alice[0]["by"], of_alice[0]["by_id"], of_alice[0]["subject"]) == ("operator", "sue", proposed)
    assert {"name": "what", "value": "wallet.freeze"} in of_alice[0]["details"]
    assert {one["handle"] for one in (await listed("kind=wallet"))["items"]} == {"alice", "bob"}
    every, cursor = [], ""
    while cursor is not None:
        page = await listed(f"limit=3{cursor}")
        every += [one["number"] for one in page["items"]]
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    assert every == [one["number"] for one in (await listed("limit=200"))["items"]]
    assert code_of(await ann.call("GET", "/audit-events?handle=nobody_here")) == (404, "unknown_handle")


async def covered(api: Api) -> int:
    """Write checkpoints over all rows; how many there are then."""
    async with api.services.database.transaction() as connection:
        key = await wallet_keys.checkpoint_key(connection, api.services.vault, api.clock())
    number = 0
    while True:
        async with api.services.database.transaction() as connection:
            made = await checkpoint.write(connection, key, api.clock())
        if made is None:
            return number
        number = made.number


async def checkpoints(api: Api, count: int) -> int:
    """Write so many checkpoints, over an audit event each, and all that was there before under the first."""
    last = 0
    for number in range(count):
        async with api.services.database.transaction() as connection:
            await audit.append(
                connection, [AuditEvent("test.happened", None, WORKER, None, {"n": number})], api.clock()
            )
        last = await covered(api)
    return last


async def test_the_latest_rows_are_verified_and_what_differs_is_named(api: Api) -> None:
    ann = await operator(api, "ann", "read_only")
    empty = (await ann.call("GET", "/audit-log/head")).json()
    assert (empty["head"], empty["number"], empty["uncovered_since"] is None) == (None, 0, False)
    await api.person("alice")
    last = await checkpoints(api, RECENT + 2)
    await api.person("bob")
    last = await covered(api)
    head = (await ann.call("GET", "/audit-log/head")).json()
    whole = (await ann.call("POST", "/audit-log/verification")).json()
    assert (head["number"], head["head"].endswith(f":{last}"), head["uncovered_since"]) == (RECENT + 3, True, None)
    counted = (whole["checkpoints"], whole["events"], whole["audit_events"], whole["broken"])
    assert counted == (RECENT, 1, RECENT - 1 + 2, [])

    await tampered(api, "bob")
    recent = (await ann.call("POST", "/audit-log/verification")).json()
    assert len(recent["broken"]) == 1
    assert recent["broken"][0].startswith("audit event ")
    assert recent["broken"][0].endswith(" was altered")


async def test_what_lies_before_the_latest_rows_is_left_to_the_machine(api: Api) -> None:
    ann = await operator(api, "ann", "read_only")
    await api.person("alice")
    await checkpoints(api, RECENT + 1)
    await tampered(api, "alice")
    assert (await ann.call("POST", "/audit-log/verification")).json()["broken"] == []


async def tampered(api: Api, handle: str) -> None:
    """Somebody past every trigger alters the row that says that the handle was claimed."""
    async with api.services.database.transaction() as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        done = await connection.execute(
            "UPDATE audit_event SET by_id = 'other' WHERE kind = 'wallet.created' AND details ->> 'handle' = $1", handle
        )
    assert done == "UPDATE 1"


# ---- frozen withdrawals ---------------------------------------------------------------------------------------------


async def test_finance_unfreezes_withdrawals_once_everything_agrees_and_nobody_before(chained: Gateway) -> None:
    town, api = chained.town, chained.api
    alice = await with_tokens(chained, "alice", "50.00 USD", "20.00 USD")
    flo, sue = await operator(api, "flo", "finance"), await operator(api, "sue", "security")
    await town.set_balance(alice.address, "19.00 USDX")
    await town.look_at_all()
    await town.look_at_all()

    (frozen,) = (await sue.call("GET", "/withdrawals")).json()["items"]
    refused = await sue.call("POST", "/withdrawals/USDX/unfreeze")
    stays = await flo.call("POST", "/withdrawals/USDX/unfreeze")
    await town.set_balance(alice.address, "20.00 USDX")
    await town.look()
    done = await flo.call("POST", "/withdrawals/USDX/unfreeze")
    again = await flo.call("POST", "/withdrawals/USDX/unfreeze")

    assert (frozen["asset"], frozen["differences"][0]["account"]) == ("USDX", "wallet:alice:USDX")
    assert code_of(refused) == (403, "forbidden")
    assert "an operator who does withdrawals.unfreeze has the role finance" in refused.json()["detail"]
    assert code_of(stays) == (409, "freeze_stays")
    assert (done.status_code, done.json()) == (200, {"asset": "USDX", "since": frozen["since"]})
    assert code_of(again) == (404, "not_found")
    assert (await sue.call("GET", "/withdrawals")).json()["items"] == []
    events = (await sue.call("GET", "/audit-events?kind=withdrawals.unfrozen")).json()["items"]
    assert [(one["by"], one["by_id"]) for one in events] == [("operator", "flo")]


async def test_without_a_node_nothing_is_unfrozen(api: Api) -> None:
    flo = await operator(api, "flo", "finance")
    assert code_of(await flo.call("POST", "/withdrawals/USDX/unfreeze")) == (503, "unavailable")
