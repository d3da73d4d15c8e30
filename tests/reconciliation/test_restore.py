"""A database that is older than the chain: dumped with pg_dump, restored beside a chain that went on.

Nothing is paid twice on the chain, no address is lost, and two operators make the ledger add up again.
"""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from eth_abi.abi import encode
from eth_hash.auto import keccak

from gateway.chain.node import HttpNode
from gateway.chain.token import eip3009
from gateway.chain.token.eip3009 import Authorization
from gateway.clock import system_clock
from gateway.ids import read
from gateway.payments.model.payment import State
from gateway.reconciliation import recovery, reread
from gateway.worker import jobs
from tests.api.conftest import Person, amount, code_of
from tests.factory import Town
from tests.payments.test_undo_window import careful
from tests.reconciliation.restored import Copies, Gateway, convert, with_tokens

pytestmark = pytest.mark.anyio

#: Of nobody here.
OUTSIDE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


def send_from(town: Town, stranger: str, to: str, units: int) -> None:
    """What somebody whose address is nobody's here sends by themselves."""
    data = keccak(b"transfer(address,uint256)")[:4] + encode(["address", "uint256"], [to, units])
    call = {"from": stranger, "to": town.settings.contracts["USDX"].address, "data": "0x" + data.hex()}
    town.chain.rpc("eth_sendTransaction", call)
    town.chain.mine(1 + town.FINALITY)


async def test_nothing_is_paid_twice_after_a_restore_and_two_operators_make_it_add_up(
    before: Gateway, copies: Copies
) -> None:
    town = before.town
    alice = await with_tokens(before, "alice", "100.00 USD", "50.00 USD")
    bob = await before.api.person("bob")
    held = (await alice.pay("@bob", "6.00 USDX", "hold-1", capture=False)).json()["id"]
    copy = await copies.take(town)

    # What the copy does not have: payments to a handle and to an address, two alike, a capture, a mint, a handle.
    carol = await before.api.person("carol")
    asked = {
        "one": ("@bob", "5.00 USDX"), "alike": ("@bob", "5.00 USDX"),
        "out": (OUTSIDE, "2.00 USDX"), "to-carol": ("@carol", "4.00 USDX"),
    }  # fmt: skip
    for key, (to, money) in asked.items():
        assert (await alice.pay(to, money, key)).status_code == 202
    assert (await alice.pay("@bob", "3.00 USD", "ledger")).status_code == 201
    assert (await bob.post(f"/v1/payments/{held}/capture", {}, "capture")).status_code == 200
    assert (await convert(alice, "25.00 USD", "USDX", "mint")).status_code == 202
    await town.settle()
    assert (await carol.pay("@bob", "1.00 USDX", "of-carol-too")).status_code == 202
    await town.settle()
    send_from(town, OUTSIDE, carol.address, 500_000)
    on_chain = {at: await town.on_chain(at) for at in (alice.address, bob.address, carol.address, OUTSIDE)}
    assert list(on_chain.values()) == ["53.000000 USDX", "17.000000 USDX", "3.500000 USDX", "1.500000 USDX"]

    # The restored database: nothing is sent before the ledger has read what the relayers did, and then it is in
    # recovery.
    after = await copies.restore(copy, town)
    alice, bob = after.as_person(alice), after.as_person(bob)
    early = await alice.pay("@bob", "1.00 USDX", "early")  # nobody knows yet, and its nonce is one that was used
    assert early.status_code == 202
    assert not await jobs.relay.run(after.town.worker())
    await after.watch()
    found = await after.recovery()
    assert found is not None
    assert found.read_at is None
    assert not await jobs.relay.run(after.town.worker())
    assert await after.audit_events("recovery.entered") == ["recovery.entered"]

    for refused in (
        await alice.pay("@bob", "1.00 USDX"),
        await alice.pay(OUTSIDE, "1.00 USDX"),
        await convert(alice, "1.00 USD", "USDX", "new"),
        await convert(alice, "1.00 USDX", "USD", "new"),
        await alice.post("/v1/withdrawals", amount("1.00 USD")),
        await bob.post(f"/v1/payments/{held}/capture", {}, "capture"),
        await after.api.call("POST", "/v1/handles", json={"handle": "dave"}),
    ):
        assert code_of(refused) == (503, "in_recovery")
    assert (await alice.pay("@bob", "3.00 USD", "ledger")).status_code == 201
    assert (await alice.get("/v1/wallet")).status_code == 200
    ready = (await after.api.call("GET", "/health/ready")).json()
    assert ready["recovery"].startswith("in recovery since ")

    assert code_of(await after.propose({"kind": "recovery.confirm"})) == (409, "state_conflict")  # not all is read
    assert await jobs.recover.run(after.town.worker())
    assert await after.approved({"kind": "recovery.confirm"}) == 200
    assert await after.recovery() is None
    assert await after.audit_events("recovery.read", "recovery.ended") == ["recovery.read", "recovery.ended"]

    # Every retry meets what the chain has, each time, and moves nothing.
    for _ in range(2):
        for key in ("one", "alike", "out"):
            to, money = asked[key]
            met = await alice.pay(to, money, key)
            assert code_of(met) == (409, "payment_restored"), (key, met.text)
        assert code_of(await bob.post(f"/v1/payments/{held}/capture", {}, "capture")) == (409, "payment_restored")
        assert code_of(await convert(alice, "25.00 USD", "USDX", "mint")) == (409, "payment_restored")
    assert (await alice.pay("@bob", "3.00 USD", "ledger")).headers["Idempotency-Replayed"] == "true"
    assert code_of(await alice.pay("@carol", "4.00 USDX", "to-carol")) == (404, "unknown_payee")

    # A handle that was lost is nobody's before operators give it back; then its address and its tokens are there.
    lost = await after.api.call("POST", "/v1/handles", json={"handle": "carol"})
    assert code_of(lost) == (409, "handle_taken")
    assert lost.json()["type"].endswith(":lost")
    assert await after.approved({"kind": "handle.return", "handle": "carol"}) == 200
    again = await after.api.person("carol")
    assert again.address == carol.address
    assert await jobs.recover.run(after.town.worker())
    assert await after.tokens("carol") == "3.500000 USDX"
    assert code_of(await alice.pay("@carol", "4.00 USDX", "to-carol")) == (409, "payment_restored")
    await after.town.settle()
    assert (await alice.get(f"/v1/payments/{early.json()['id']}")).json()["failure"] == "nonce_used_otherwise"
    assert {at: await town.on_chain(at) for at in on_chain} == on_chain

    # Reading the blocks again posts none of it a second time.
    settings, head = after.town.settings, town.chain.head()
    assert (await reread.reread(after.town.database, town.node, settings, 1, head - 1, town.clock)).posted == 0
    assert await after.tokens("carol") == "3.500000 USDX"

    # The mint stays doubled in value until two operators correct it.
    (short,) = await after.town.differences()
    assert "reserve:USD" in str(short)
    correction = {"debit": "wallet:alice:USD", "credit": "reserve:USD", "amount": "25.00", "asset": "USD"}
    assert await after.approved({"kind": "ledger.correct", "correction": correction}) == 200
    assert await after.town.differences() == []

    # What is new is paid, also where it is like something that was met.
    new = await alice.pay("@bob", "5.00 USDX", "new-one")
    assert new.status_code == 202, new.text
    assert code_of(await again.pay("@bob", "1.00 USDX", "of-carol-too")) == (409, "payment_restored")
    assert (await again.pay("@bob", "2.00 USDX", "of-carol")).status_code == 202
    await after.town.settle()
    assert await town.on_chain(bob.address) == "24.000000 USDX"
    assert await after.town.differences() == []


async def private_key(town: Town, of: Person) -> bytes:
    """What an owner has who exported the key of their wallet."""
    return town.vault.unsafe_decrypt(_id(of), await ciphertext(town, of))


def _id(of: Person) -> UUID:
    return read("wal", of.wallet_id)


async def own_authorization(town: Town, of: Person, to: str, value: int, nonce: int) -> None:
    """An authorization that the owner signs with the exported key, and a stranger relays."""
    contract = town.settings.contracts["USDX"]
    one = Authorization(uuid4(), "transfer", "USDX", of.address, to, value, nonce, 2**40, None, "gateway")
    signature = town.vault.sign(_id(of), of.address, await ciphertext(town, of), eip3009.digest(contract, one))
    words = [of.address, to, value, 0, 2**40, nonce.to_bytes(32, "big"), signature]
    types = ["address", "address", "uint256", "uint256", "uint256", "bytes32", "bytes"]
    selector = keccak(b"transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)")[:4]
    stranger = town.chain.rpc("eth_accounts")[5]
    call = {"from": stranger, "to": contract.address, "data": "0x" + (selector + encode(types, words)).hex()}
    town.chain.rpc("eth_sendTransaction", call)
    town.chain.mine(1 + town.FINALITY)


async def ciphertext(town: Town, of: Person) -> bytes:
    async with town.database.reading() as connection:
        found: bytes = await connection.fetchval("SELECT ciphertext FROM encrypted_key WHERE wallet_id = $1", _id(of))
    return found


async def restored_too_old(before: Gateway, copies: Copies) -> tuple[Gateway, Person]:
    """A gateway whose database lacks one payment, of 5.00 USDX by alice to bob with the key `lost`."""
    alice = await with_tokens(before, "alice", "100.00 USD", "50.00 USD")
    await before.api.person("bob")
    copy = await copies.take(before.town)
    assert (await alice.pay("@bob", "5.00 USDX", "lost")).status_code == 202
    await before.town.settle()
    after = await copies.restore(copy, before.town)
    return after, after.as_person(alice)


async def test_a_retry_that_was_queued_before_anybody_knew_is_given_back(before: Gateway, copies: Copies) -> None:
    after, alice = await restored_too_old(before, copies)
    first = (await alice.pay("@bob", "1.00 USDX", "new")).json()["id"]  # it gets the nonce that was used
    retry = (await alice.pay("@bob", "5.00 USDX", "lost")).json()["id"]  # and this a fresh one

    await after.watch()
    assert await jobs.recover.run(after.town.worker())
    assert await after.approved({"kind": "recovery.confirm"}) == 200
    await after.town.settle()

    failures = [(await alice.get(f"/v1/payments/{id}")).json()["failure"] for id in (first, retry)]
    assert failures == ["nonce_used_otherwise", "paid_before_restore"]
    assert await after.tokens("alice") == "45.000000 USDX"
    assert await after.town.on_chain(alice.address) == "45.000000 USDX"
    assert (await alice.balance("USDX"))[2] == "45.000000"


async def test_what_could_still_be_undone_when_the_copy_was_made_is_not_sent_again(
    before: Gateway, copies: Copies
) -> None:
    alice, bob = await careful(before.town), await before.town.person("bob")
    payment = await before.town.pay(alice, "@bob", "4 USDX")
    copy = await copies.take(before.town)
    before.town.clock = lambda: system_clock() + timedelta(seconds=31)
    await jobs.expire.run(before.town.worker())
    await before.town.settle()
    assert await before.town.on_chain(bob.address) == "4.000000 USDX"

    after = await copies.restore(copy, before.town)
    after.town.clock = before.town.clock
    other = await after.town.pay(alice, "@bob", "1 USDX")
    after.town.clock = lambda: system_clock() + timedelta(seconds=62)
    await after.watch()
    await jobs.expire.run(after.town.worker())
    assert (await after.town.payment(other)).state is State.HELD  # it waits for the operators, and keeps nobody back
    await jobs.recover.run(after.town.worker())
    assert await after.approved({"kind": "recovery.confirm"}) == 200
    await jobs.expire.run(after.town.worker())
    await after.town.settle()

    assert (await after.town.payment(payment)).state is State.HELD
    await after.town.void(alice, payment)
    assert (await after.town.payment(other)).state is State.SETTLED
    assert await after.town.on_chain(bob.address) == "5.000000 USDX"
    assert await after.town.available(alice, "USDX") == await after.town.on_chain(alice.address) == "5.000000 USDX"


async def test_a_line_of_a_batch_meets_what_the_chain_has_and_the_others_are_paid(
    before: Gateway, copies: Copies
) -> None:
    after, alice = await restored_too_old(before, copies)
    await after.watch()
    await jobs.recover.run(after.town.worker())
    await after.approved({"kind": "recovery.confirm"})
    lines = [
        {"to": "@bob", **amount(f"{units} USDX"), "idempotency_key": f"line-{units}"} for units in ("5.00", "1.00")
    ]

    for whole in ("first", "second"):
        answer = (await alice.post("/v1/payments/batch", lines, whole)).json()
        assert [one["status"] for one in answer] == [409, 202], answer
        assert answer[0]["problem"]["code"] == "payment_restored"
    await after.town.settle()

    assert await after.town.on_chain(alice.address) == "44.000000 USDX"


async def test_a_gateway_that_starts_without_a_worker_finds_it_before_it_accepts_anything(
    before: Gateway, copies: Copies
) -> None:
    after, alice = await restored_too_old(before, copies)
    town = after.town
    finality, clock = town.FINALITY, town.clock

    found = [await recovery.detect(town.database, town.node, town.settings, finality, clock) for _ in range(2)]

    assert found[0] is not None
    assert found[0] == found[1]
    assert code_of(await alice.pay("@bob", "5.00 USDX", "lost")) == (503, "in_recovery")
    assert await recovery.detect(*(before.town.database, town.node, town.settings, finality, clock)) is None
    await after.watch()  # a worker that comes later reads on in the same recovery
    assert await after.audit_events("recovery.entered") == ["recovery.entered"]
    assert await jobs.recover.run(town.worker())


async def test_workers_that_find_it_together_enter_recovery_once(before: Gateway, copies: Copies) -> None:
    after, _ = await restored_too_old(before, copies)

    await asyncio.gather(*(after.watch() for _ in range(5)))

    assert await after.audit_events("recovery.entered") == ["recovery.entered"]
    async with after.town.database.reading() as connection:
        assert await connection.fetchval("SELECT count(*) FROM restored_payment") == 1


async def test_what_is_ordinary_raises_no_recovery(before: Gateway) -> None:
    """A key that was exported and is used without us, tokens sent past us, a worker that was killed between storing and
    sending, a relayer's key used for something else, blocks undone above the final one: none is a batch of ours.
    """
    town = before.town
    alice = await with_tokens(before, "alice", "100.00 USD", "50.00 USD")
    await before.api.person("bob")
    await own_authorization(town, alice, OUTSIDE, 1_000_000, nonce=0)
    await town.send_with(await private_key(town, alice), OUTSIDE, "1.00 USDX")
    town.chain.mine(1 + town.FINALITY)
    await before.watch()
    assert (await alice.pay("@bob", "1.00 USDX", "killed")).status_code == 202

    class Killed(Exception):
        pass

    class Deaf(HttpNode):
        async def send(self, raw: bytes) -> str | None:
            raise Killed

    with pytest.raises(Killed):
        await jobs.relay.run(town.worker(Deaf(town.chain.url)))
    town.chain.rpc("eth_sendTransaction", {"from": town.signers[0].address, "to": OUTSIDE, "value": "0x1"})
    town.chain.mine(1)
    town.chain.rpc("anvil_reorg", 1, [])
    town.chain.mine(1 + town.FINALITY)
    await before.watch()

    assert await recovery.detect(town.database, town.node, town.settings, town.FINALITY, town.clock) is None
    assert await before.recovery() is None
    assert await town.on_chain(OUTSIDE) == "2.000000 USDX"
