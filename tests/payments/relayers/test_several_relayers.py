"""Several relayers: shared by any number of workers, each standing for itself when something is wrong with it."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.chain.deployment import roles
from gateway.chain.errors import NodeUnavailable, NoRelayer, RelayerNotResumable
from gateway.chain.node import HttpNode
from gateway.chain.relayer import batches, nonce_conflicts, relayers
from gateway.chain.relayer.relayers import Relayer
from gateway.clock import system_clock
from gateway.keys.signer import LOCAL_RELAYER_KEYS, RelayerSigner, fields_of
from gateway.ledger import account, ledger
from gateway.payments.model.payment import Payment, State
from gateway.postgres.pool import Record
from gateway.worker import jobs
from tests.factory import NOW, Town
from tests.processes import HANG_SECONDS

pytestmark = pytest.mark.anyio

ONE, TWO = (RelayerSigner(key) for key in LOCAL_RELAYER_KEYS)


@pytest.fixture
async def wide(town: Town) -> Town:
    """A town with two relayers, each of which may settle and mint."""
    town.signers = (ONE, TWO)
    await town.deploy()
    await town.settle()
    return town


async def rows(town: Town, query: str, *arguments: object) -> list[Record]:
    async with town.database.reading() as connection:
        return await connection.fetch(query, *arguments)


async def states(town: Town, payments: list[Payment]) -> set[State]:
    return {(await town.payment(payment)).state for payment in payments}


async def relayer_of(town: Town, payment: Payment) -> RelayerSigner:
    """Which relayer carries the payment now."""
    (row,) = await rows(
        town,
        "SELECT t.relayer FROM payment JOIN token_authorization AS a ON a.id = payment.authorization_id "
        "JOIN chain_transaction AS t ON t.id = a.transaction_id WHERE payment.id = $1",
        payment.id,
    )
    return next(signer for signer in town.signers if signer.address == row["relayer"])  # type: ignore[return-value]


async def gateway_events(town: Town, kind: str) -> list[Record]:
    return await rows(town, "SELECT facts FROM event WHERE wallet_id IS NULL AND kind = $1 ORDER BY id", kind)


class Recording(HttpNode):
    """A node that notes what it was handed, in the order in which it had it."""

    def __init__(self, url: str, handed: list[bytes]) -> None:
        super().__init__(url)
        self.handed = handed

    async def send(self, raw: bytes) -> str | None:
        answer = await super().send(raw)
        self.handed.append(raw)
        return answer


async def handed_nonces(town: Town, handed: list[bytes]) -> dict[str, list[int]]:
    """The nonces of each relayer in the order in which a node first had them."""
    of = {row["raw"]: row["relayer"] for row in await rows(
        town, "SELECT raw, relayer FROM attempt JOIN chain_transaction AS t ON t.id = attempt.transaction_id"
    )}  # fmt: skip
    first: dict[str, list[int]] = {}
    for raw in handed:
        nonces = first.setdefault(of[raw], [])
        if fields_of(raw).nonce not in nonces:
            nonces.append(fields_of(raw).nonce)
    return first


# ---- shared ---------------------------------------------------------------------------------------------------------


async def test_workers_with_the_same_keys_use_each_nonce_once_and_in_order_and_settle_everything(wide: Town) -> None:
    payers = [await wide.person(f"payer_{n}", "60 USDX", "20.00 USD") for n in range(3)]
    await wide.person("bob")
    handed: list[bytes] = []
    nodes = [Recording(wide.chain.url, handed) for _ in range(4)]
    workers = [wide.worker(node) for node in nodes]
    payments, conversions = [], []

    for _ in range(12):
        for payer in payers:
            payments.append(await wide.pay(payer, "@bob", "1 USDX"))
            conversions.append(await wide.convert(payer, "1.00 USD", "USDX"))
        await asyncio.gather(
            *(jobs.relay.run(worker) for worker in workers), *(jobs.resend.run(worker) for worker in workers)
        )
        wide.chain.mine()
        await asyncio.gather(*(jobs.watch.run(worker) for worker in workers))
    await wide.settle()
    for node in nodes:
        await node.close()

    assert await states(wide, payments) == {State.SETTLED}
    assert {(await wide.conversion(one)).state for one in conversions} == {State.SETTLED}
    for signer in wide.signers:
        ours = await rows(
            wide, "SELECT nonce, state FROM chain_transaction WHERE relayer = $1 ORDER BY nonce", signer.address
        )
        first = ours[0]["nonce"]
        assert [row["nonce"] for row in ours] == list(range(first, first + len(ours)))
        assert {row["state"] for row in ours} == {"succeeded"}
        assert await wide.node.transaction_count(signer.address, "latest") == first + len(ours)
    by_relayer = await handed_nonces(wide, handed)
    assert by_relayer.keys() == {ONE.address, TWO.address}
    assert sum(map(len, by_relayer.values())) >= 24
    assert all(nonces == list(range(nonces[0], nonces[0] + len(nonces))) for nonces in by_relayer.values())
    assert await wide.differences() == []


class Cut(HttpNode):
    """A node that the worker does not live to send to."""

    async def send(self, raw: bytes) -> str | None:
        raise NodeUnavailable("the worker was killed")


async def test_what_a_killed_worker_stored_is_sent_before_what_comes_after_it(town: Town) -> None:
    alice = await town.person("alice", "10 USDX")
    await town.person("bob")
    cut, handed = Cut(town.chain.url), list[bytes]()
    payments = [await town.pay(alice, "@bob", "1 USDX")]
    with pytest.raises(NodeUnavailable):
        await jobs.relay.run(town.worker(cut))
    await cut.close()

    payments.append(await town.pay(alice, "@bob", "1 USDX"))
    node = Recording(town.chain.url, handed)
    await jobs.relay.run(town.worker(node))
    await node.close()

    (nonces,) = (await handed_nonces(town, handed)).values()
    assert len(nonces) == 2
    assert nonces == sorted(nonces)
    town.chain.mine(2)
    await jobs.watch.run(town.worker())
    assert await states(town, payments) == {State.SETTLED}
    assert await town.differences() == []


async def test_a_taken_relayer_is_not_waited_for(wide: Town) -> None:
    alice = await wide.person("alice", "10 USDX")
    await wide.person("bob")

    for taken, other in ((ONE, TWO), (TWO, ONE)):
        payment = await wide.pay(alice, "@bob", "1 USDX")
        async with wide.database.transaction() as busy:
            await relayers.lock(busy, taken.address)
            await asyncio.wait_for(jobs.relay.run(wide.worker()), HANG_SECONDS)
        assert (await relayer_of(wide, payment)).address == other.address
        await wide.settle()


async def test_a_worker_leaves_relayers_whose_keys_it_has_not_to_others_but_concludes_them(wide: Town) -> None:
    alice = await wide.person("alice", "10 USDX")
    await wide.person("bob")
    only_one, only_two = (replace(wide.worker(), signers=(signer,)) for signer in wide.signers)
    payments = []
    for _ in range(3):
        payments.append(await wide.pay(alice, "@bob", "1 USDX"))
        assert await jobs.relay.run(only_one)
    assert {(await relayer_of(wide, payment)).address for payment in payments} == {ONE.address}

    wide.chain.mine(2)
    await jobs.watch.run(only_two)

    assert await states(wide, payments) == {State.SETTLED}
    assert await rows(wide, "SELECT FROM chain_transaction WHERE state = 'stored'") == []


async def test_the_relayer_with_least_open_is_next_and_a_full_one_is_not(wide: Town) -> None:
    alice = await wide.person("alice", "40 USDX")
    await wide.person("bob")
    payments = []
    for _ in range(2 * relayers.OPEN_MAX):
        payments.append(await wide.pay(alice, "@bob", "1 USDX"))
        assert await jobs.relay.run(wide.worker())
    late = await wide.pay(alice, "@bob", "1 USDX")

    assert not await jobs.relay.run(wide.worker())

    carriers = [(await relayer_of(wide, payment)).address for payment in payments]
    assert {carriers.count(signer.address) for signer in wide.signers} == {relayers.OPEN_MAX}
    assert all(first != second for first, second in zip(carriers[::2], carriers[1::2], strict=True))
    await wide.settle()
    assert await states(wide, [*payments, late]) == {State.SETTLED}


async def test_one_worker_at_a_time_looks_after_a_relayer(wide: Town) -> None:
    alice = await wide.person("alice", "10 USDX")
    await wide.person("bob")
    await wide.pay(alice, "@bob", "1 USDX")
    await jobs.relay.run(wide.worker())
    wide.chain.rpc("anvil_dropAllTransactions")
    handed: list[bytes] = []
    node = Recording(wide.chain.url, handed)
    patient = replace(wide.worker(node), resend_every=timedelta(hours=1))
    async with wide.database.transaction() as connection:
        await connection.execute("UPDATE relayer SET resent_at = NULL")

    await asyncio.gather(*(jobs.resend.run(patient) for _ in range(8)))
    await node.close()

    assert len(handed) == 1


# ---- a relayer that is stopped ---------------------------------------------------------------------------------------


async def use_elsewhere(town: Town, signer: RelayerSigner) -> None:
    """Somebody else signs with the relayer's key; what was in the pool is gone."""
    town.chain.rpc("anvil_dropAllTransactions")
    town.chain.rpc("eth_sendTransaction", {"from": signer.address, "to": signer.address})
    town.chain.mine(2)


async def look_twice(town: Town) -> None:
    await jobs.resend.run(town.worker())
    await jobs.resend.run(replace(town.worker(), clock=lambda: system_clock() + timedelta(minutes=1)))


async def test_what_a_stopped_relayer_carried_is_settled_by_another_at_once(
    wide: Town, caplog: pytest.LogCaptureFixture
) -> None:
    alice = await wide.person("alice", "20 USDX")
    await wide.person("bob")
    payments = [await wide.pay(alice, "@bob", "1 USDX")]
    await jobs.relay.run(wide.worker())
    relayer = await relayer_of(wide, payments[0])
    alone = replace(wide.worker(), signers=(relayer,))
    payments.append(await wide.pay(alice, "@bob", "1 USDX"))
    await jobs.relay.run(alone)  # a second one behind the first
    await use_elsewhere(wide, relayer)

    await jobs.resend.run(wide.worker())
    assert await states(wide, payments) == {State.SUBMITTED}
    await look_twice(wide)
    await look_twice(wide)

    (stopped,) = await rows(wide, "SELECT address, stopped FROM relayer WHERE stopped IS NOT NULL")
    assert stopped["address"] == relayer.address
    assert len(await gateway_events(wide, "relayer.stopped")) == 1
    assert sum(f"gateway relayers resume {relayer.address}" in one.getMessage() for one in caplog.records) == 1
    await wide.settle()
    assert await states(wide, payments) == {State.SETTLED}
    assert {(await relayer_of(wide, payment)).address for payment in payments} == {
        signer.address for signer in wide.signers if signer is not relayer
    }
    assert await wide.differences() == []


async def test_a_resumed_relayer_sends_what_it_still_has_and_nothing_is_settled_twice(wide: Town) -> None:
    alice, bob = await wide.person("alice", "20 USDX"), await wide.person("bob")
    payments = [await wide.pay(alice, "@bob", "1 USDX")]
    await jobs.relay.run(wide.worker())
    relayer = await relayer_of(wide, payments[0])
    payments.append(await wide.pay(alice, "@bob", "1 USDX"))
    await jobs.relay.run(replace(wide.worker(), signers=(relayer,)))
    await use_elsewhere(wide, relayer)
    await look_twice(wide)
    await wide.settle()

    count = await nonce_conflicts.resumable(wide.database, wide.node, 31337, relayer.address, wide.FINALITY)
    async with wide.database.transaction() as connection:
        assert await nonce_conflicts.resume(connection, relayer.address, count) == 0  # ended when it was stopped
    payments.append(await wide.pay(alice, "@bob", "1 USDX"))
    await jobs.relay.run(replace(wide.worker(), signers=(relayer,)))
    await wide.settle()

    assert await states(wide, payments) == {State.SETTLED}
    assert await wide.on_chain(bob.address) == "3.000000 USDX"
    ends = await rows(wide, "SELECT state FROM chain_transaction WHERE relayer = $1 ORDER BY nonce", relayer.address)
    assert [row["state"] for row in ends[-3:]] == ["overtaken", "succeeded", "succeeded"]
    assert await wide.differences() == []


async def test_a_mint_waits_for_its_stopped_relayer_unless_it_was_overtaken(wide: Town) -> None:
    alice, carol = await wide.person("alice", "10.00 USD"), await wide.person("carol", "10.00 USD")
    overtaken = await wide.convert(alice, "1.00 USD", "USDX")
    relayer = wide.signers[0]
    alone = replace(wide.worker(), signers=(relayer,))
    await jobs.relay.run(alone)
    behind = await wide.convert(carol, "2.00 USD", "USDX")
    await jobs.relay.run(alone)
    await use_elsewhere(wide, relayer)  # type: ignore[arg-type] # both are RelayerSigners
    await look_twice(wide)

    await wide.settle()
    assert (await wide.conversion(overtaken)).state is State.SETTLED
    assert (await wide.conversion(behind)).state is State.SUBMITTED

    count = await nonce_conflicts.resumable(wide.database, wide.node, 31337, relayer.address, wide.FINALITY)
    async with wide.database.transaction() as connection:
        await nonce_conflicts.resume(connection, relayer.address, count)
    await wide.settle()
    assert (await wide.conversion(behind)).state is State.SETTLED
    assert await wide.on_chain(alice.address) == "1.000000 USDX"
    assert await wide.on_chain(carol.address) == "2.000000 USDX"
    assert await wide.differences() == []


async def test_a_nonce_that_others_used_while_the_relayer_had_nothing_open_stops_it_before_it_carries_anything(
    wide: Town,
) -> None:
    alice = await wide.person("alice", "10 USDX")
    await wide.person("bob")
    await use_elsewhere(wide, TWO)
    payments = [await wide.pay(alice, "@bob", "1 USDX") for _ in range(2)]

    assert not await jobs.relay.run(wide.worker())  # it could be a batch of ours that this database does not know
    wide.chain.mine(1 + wide.FINALITY)
    while await jobs.watch.run(wide.worker()):
        pass
    await jobs.relay.run(wide.worker())
    await look_twice(wide)

    assert {(await relayer_of(wide, payment)).address for payment in payments} == {ONE.address}
    (stopped,) = await rows(wide, "SELECT address FROM relayer WHERE stopped IS NOT NULL")
    assert stopped["address"] == TWO.address


async def test_a_relayer_is_resumed_only_when_the_ledger_has_what_stopped_it(wide: Town) -> None:
    alice = await wide.person("alice", "10 USDX")
    await wide.person("bob")
    payment = await wide.pay(alice, "@bob", "1 USDX")
    await jobs.relay.run(wide.worker())
    relayer = await relayer_of(wide, payment)

    async def resumable() -> int:
        return await nonce_conflicts.resumable(wide.database, wide.node, 31337, relayer.address, wide.FINALITY)

    with pytest.raises(RelayerNotResumable, match="it is not stopped"):
        await resumable()
    await use_elsewhere(wide, relayer)
    await look_twice(wide)
    with pytest.raises(RelayerNotResumable, match="let a worker read on first"):
        await resumable()
    await jobs.watch.run(wide.worker())
    assert await resumable() == await wide.node.transaction_count(relayer.address, "latest")


# ---- drops and fees -------------------------------------------------------------------------------------------------


async def test_each_relayer_sends_again_after_a_drop_and_then_offers_an_eighth_more(wide: Town) -> None:
    alice, bob = await wide.person("alice", "10 USDX"), await wide.person("bob")
    payments = []
    for _ in range(2):
        payments.append(await wide.pay(alice, "@bob", "1 USDX"))
        await jobs.relay.run(wide.worker())
    assert len({(await relayer_of(wide, payment)).address for payment in payments}) == 2
    wide.chain.rpc("anvil_dropAllTransactions")
    wide.chain.rpc("evm_increaseTime", 600)
    wide.chain.mine()

    later = replace(wide.worker(), clock=lambda: system_clock() + timedelta(minutes=6))
    await jobs.resend.run(later)  # as stored, and a further attempt is stored
    wide.chain.rpc("anvil_dropAllTransactions")
    await jobs.resend.run(later)  # both again, each relayer's newest last
    wide.chain.mine(2)
    await jobs.watch.run(wide.worker())

    for signer in wide.signers:
        found = await rows(
            wide,
            "SELECT raw, hash = final_hash AS mined FROM attempt JOIN chain_transaction AS t ON t.id = transaction_id "
            "WHERE relayer = $1 AND kind = 'settle' ORDER BY nonce DESC, fee_wei_max LIMIT 2",
            signer.address,
        )
        old, new = (fields_of(row["raw"]) for row in found)
        assert [row["mined"] for row in found] == [False, True]
        assert new == replace(old, fee_wei_max=new.fee_wei_max, tip_wei_max=new.tip_wei_max)
        assert new.fee_wei_max * 8 >= old.fee_wei_max * 9
        assert new.tip_wei_max * 8 >= old.tip_wei_max * 9
    assert await states(wide, payments) == {State.SETTLED}
    assert await wide.on_chain(bob.address) == "2.000000 USDX"
    assert await wide.differences() == []


# ---- gas money ------------------------------------------------------------------------------------------------------

ETHER = 10**18


async def set_balance(town: Town, signer: RelayerSigner, wei: int) -> None:
    town.chain.rpc("anvil_setBalance", signer.address, hex(wei))


async def test_a_dry_relayer_is_left_out_and_when_all_are_payments_wait_until_one_is_filled(wide: Town) -> None:
    alice = await wide.person("alice", "10 USDX")
    await wide.person("bob")
    worker = wide.worker()
    for dry, rich in ((ONE, TWO), (TWO, ONE)):
        await set_balance(wide, dry, 0)
        await set_balance(wide, rich, 100 * ETHER)
        payment = await wide.pay(alice, "@bob", "1 USDX")
        await jobs.relay.run(worker)
        assert (await relayer_of(wide, payment)).address == rich.address
        await wide.settle()

    await set_balance(wide, ONE, 0)
    await set_balance(wide, TWO, 0)
    payment = await wide.pay(alice, "@bob", "1 USDX")
    with pytest.raises(NoRelayer, match=rf"{ONE.address} has 0 wei to spend and needs \d+: send it some"):
        await jobs.relay.run(worker)
    assert (await wide.payment(payment)).state is State.QUEUED

    await set_balance(wide, TWO, ETHER)
    assert await jobs.relay.run(worker)
    assert (await relayer_of(wide, payment)).address == TWO.address


async def test_a_relayer_that_runs_low_says_so_once_well_before_it_is_dry_and_once_when_it_is_filled(
    wide: Town, caplog: pytest.LogCaptureFixture
) -> None:
    fees = await wide.node.fees()
    batch_wei = batches.GAS_MAX * fees.fee_wei_max
    worker = replace(wide.worker(), gas_batches_least=10)

    await set_balance(wide, TWO, 9 * batch_wei)
    await asyncio.gather(*(jobs.gas_balance.run(worker) for _ in range(4)))
    await set_balance(wide, TWO, 11 * batch_wei)  # it goes up and down around the mark
    await jobs.gas_balance.run(worker)

    (low,) = await gateway_events(wide, "relayer.low")
    assert f'"relayer": "{TWO.address}"' in low["facts"]
    said = [one.getMessage() for one in caplog.records if "send it some" in one.getMessage()]
    assert len(said) == 1
    assert TWO.address in said[0]
    await set_balance(wide, TWO, 20 * batch_wei)
    await jobs.gas_balance.run(worker)
    assert len(await gateway_events(wide, "relayer.filled")) == 1
    await set_balance(wide, TWO, 9 * batch_wei)
    await jobs.gas_balance.run(worker)
    assert len(await gateway_events(wide, "relayer.low")) == 2


async def test_what_is_in_no_block_yet_is_counted_as_spent(wide: Town) -> None:
    alice = await wide.person("alice", "10 USDX")
    await wide.person("bob")
    alone = replace(wide.worker(), signers=(ONE,))
    cost = batches.gas_most(1) * (await wide.node.fees()).fee_wei_max
    await set_balance(wide, ONE, cost * 3 // 2)
    await wide.pay(alice, "@bob", "1 USDX")
    assert await jobs.relay.run(alone)
    await wide.pay(alice, "@bob", "1 USDX")

    with pytest.raises(NoRelayer, match="send it some"):
        await jobs.relay.run(alone)


def test_a_relayer_is_chosen_by_what_it_has_open_and_not_at_all_where_it_cannot_carry() -> None:
    def relayer(name: str, **fields: Any) -> Relayer:
        return replace(Relayer(name, 5, None, False, 5, 0, 0, NOW, 100, 100), **fields)

    idle, busy = relayer("0xB"), relayer("0xA", open=3)
    unfit = [relayer("0xC", stopped="why"), relayer("0xD", left_wei=9), relayer("0xE", mined=6)]
    full = relayer("0xF", open=relayers.OPEN_MAX)

    assert relayers.in_turn([full, busy, *unfit, idle], 10) == [idle, busy]
    assert [relayers.unfit(one, 10) is None for one in (idle, busy, full, *unfit)] == [True] * 3 + [False] * 3


# ---- who may --------------------------------------------------------------------------------------------------------


async def test_a_relayer_that_is_added_later_is_granted_what_it_needs_once(town: Town) -> None:
    async def grants() -> int:
        return len(await rows(town, "SELECT FROM chain_transaction WHERE kind = 'grant'"))

    contracts = list(town.settings.contracts.values())
    assert await grants() == 0

    await asyncio.gather(
        *(roles.grant(town.database, town.node, (ONE, TWO), contracts, system_clock) for _ in range(4))
    )
    assert await grants() == 2
    town.chain.mine()
    await roles.grant(town.database, town.node, (ONE, TWO), contracts, system_clock)
    assert await grants() == 2
    allowed = await roles.allowed(town.node, contracts[0], [ONE.address, TWO.address])
    assert allowed.of == {"settle": {ONE.address, TWO.address}, "mint": {ONE.address, TWO.address}}


async def test_a_relayer_that_nobody_here_can_grant_anything_carries_nothing_and_says_so(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    alice = await town.person("alice", "10 USDX")
    await town.person("bob")
    payment = await town.pay(alice, "@bob", "1 USDX")

    await roles.grant(town.database, town.node, (TWO,), town.settings.contracts.values(), system_clock)
    assert any(f"the relayer {TWO.address} carries no USDX" in one.getMessage() for one in caplog.records)
    with pytest.raises(NoRelayer, match=f"{TWO.address} may not"):
        await jobs.relay.run(replace(town.worker(), signers=(TWO,)))

    await jobs.relay.run(replace(town.worker(), signers=(TWO, ONE)))
    town.signers = (ONE, TWO)
    assert (await relayer_of(town, payment)).address == ONE.address


async def test_the_gas_of_deployments_and_grants_is_booked_like_all_other(wide: Town) -> None:
    await wide.person("alice", "10 USDX")
    coin = wide.assets["ETH"]
    async with wide.database.reading() as connection:
        found = await ledger.balances(connection, wide.assets, [account.system_account("gas", coin)])
    (booked,) = found.values()
    spent = 2 * 10_000 * ETHER - sum([await wide.node.balance(signer.address) for signer in wide.signers])

    kinds = await rows(wide, "SELECT DISTINCT kind FROM chain_transaction WHERE state = 'succeeded' ORDER BY kind")
    assert [row["kind"] for row in kinds] == ["deploy", "grant", "mint"]
    assert booked.posted == spent > 0
