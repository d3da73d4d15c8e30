"""What a worker tells Prometheus, over a real chain and database."""

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.chain.node import HttpNode
from gateway.cli.processes.process import exporter_of
from gateway.metrics.catalogue import METRICS
from gateway.worker import jobs
from gateway.worker.metrics import WorkerMetrics
from gateway.worker.worker import Worker
from tests.factory import Town

pytestmark = pytest.mark.anyio

NOWHERE = "http://127.0.0.1:1"


async def told(worker: Worker) -> dict[tuple[str, ...], float]:
    """Values by the metric's name and its labels' values, of which no metric here has more than one of its own."""
    exporter = exporter_of(worker.database)
    WorkerMetrics(worker).export(exporter)
    assert exporter.names == {metric.name for metric in METRICS if metric.of != "serve"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=exporter), base_url="http://gateway") as client:
        text = (await client.get("/metrics")).text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_a_queue_grows_and_is_relayed(town: Town) -> None:
    alice = await town.person("alice", "5.00 USDX")
    await town.person("bob")
    await town.pay(alice, "@bob", "1.00 USDX")
    await town.pay(alice, "@bob", "1.00 USDX")
    waiting = await told(town.worker())
    worker = town.worker()
    await jobs.relay.run(worker)
    sent = await told(worker)
    await town.settle()
    settled = await told(worker)

    relayer = town.signer.address
    queued = ("gateway_token_payments_queued", "USDX")
    not_final = ("gateway_relayer_transactions_not_final", relayer)
    assert [found[queued] for found in (waiting, sent, settled)] == [2, 0, 0]
    assert [found[not_final] for found in (waiting, sent, settled)] == [0, 1, 0]
    assert sent["gateway_relayer_transactions_open", relayer] == 1
    assert settled["gateway_ledger_block_number",] > waiting["gateway_ledger_block_number",]
    assert settled["gateway_node_block_number",] == settled["gateway_ledger_block_number",] + town.FINALITY
    assert settled["gateway_event_log_position",] > waiting["gateway_event_log_position",]


async def test_a_relayer_that_runs_dry_and_stops_is_told(town: Town) -> None:
    relayer = town.signer.address
    before = await told(town.worker())
    town.chain.rpc("anvil_setBalance", relayer, hex(10**15))
    await town.execute("UPDATE relayer SET stopped = 'its nonce was used' WHERE address = $1", relayer)
    after = await told(town.worker())

    assert before["gateway_relayer_gas_balance_coins", relayer] > 1
    assert before["gateway_relayer_payments_left", relayer] > after["gateway_relayer_payments_left", relayer]
    assert after["gateway_relayer_gas_balance_coins", relayer] == 0.001
    for name in ("gateway_relayer_low", "gateway_relayer_stopped"):
        assert [found[name, relayer] for found in (before, after)] == [0, 1], name


async def test_a_difference_is_suspected_then_confirmed_and_freezes(town: Town) -> None:
    alice = await town.person("alice", "5.00 USDX")
    await town.look_at_all()
    found = [await told(town.worker())]
    await town.set_balance(alice.address, "4.00 USDX")
    for _ in range(2):
        await town.look_at_all()
        found.append(await told(town.worker()))

    differences = [
        tuple(one["gateway_reconciliation_differences", "USDX", state] for state in ("suspected", "confirmed"))
        for one in found
    ]
    assert differences == [(0, 0), (1, 0), (0, 1)]
    assert [one["gateway_withdrawals_frozen", "USDX"] for one in found] == [0, 0, 1]
    assert found[-1]["gateway_withdrawals_frozen", "EUR"] == 0


async def test_what_the_node_would_say_is_left_out_while_it_is_away(town: Town) -> None:
    node = HttpNode(NOWHERE)
    try:
        found = await told(town.worker(node))
    finally:
        await node.close()

    assert (found["gateway_database_up",], found["gateway_node_up",]) == (1, 0)
    assert ("gateway_ledger_block_age_seconds",) in found
    assert ("gateway_node_block_age_seconds",) not in found
    assert not [name for name, *_ in found if name.startswith("gateway_relayer_")]
