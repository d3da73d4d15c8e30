"""One trace per payment, over all processes that `up` has started, on each rail; and none unless asked for."""

import subprocess
import sys

from gateway.ids import read
from tests.running import ROOT, running_up
from tests.tracing.collector import Seen, collecting


def of(spans: list[Seen], payment: str) -> list[Seen]:
    return [span for span in spans if span.trace == read("pay", payment).hex]


def test_a_payment_is_one_trace_over_gateway_database_worker_and_node() -> None:
    with collecting() as collector, running_up(GATEWAY_TRACES_URL=collector.url, GATEWAY_TRACES_RATIO="1") as up:
        paid = {
            asset: up.api("@alice", "/v1/payments", to=to, amount="1.00", asset=asset)["id"]
            for asset, to in (("EUR", "@bob"), ("USDX", "@shop"))  # both have been paid in the tour
        }
        ends = {(read("pay", id).hex, "POST /v1/payments") for id in paid.values()}
        ends |= {(read("pay", paid["USDX"]).hex, "final")}
        spans = collector.until(lambda spans: ends <= {(one.trace, one.name) for one in spans})

    assert [(one.service, one.name) for one in of(spans, paid["EUR"])] == [
        ("gateway-serve", "PostgreSQL settle_payments"),
        ("gateway-serve", "POST /v1/payments"),
    ]
    trace = of(spans, paid["USDX"])
    (root,) = (one for one in trace if not one.parent)
    assert (root.service, root.name, root.kind) == ("gateway-serve", "POST /v1/payments", "server")
    steps = {one.name: one for one in trace if one.parent == root.span}
    assert set(steps) == {"PostgreSQL hold_payments", "submit", "mined", "final"}
    assert {steps[name].service for name in ("submit", "mined", "final")} == {"gateway-work"}
    below = {name: {one.name for one in trace if one.parent == steps[name].span} for name in ("submit", "final")}
    assert {"sign", "PostgreSQL transaction", "eth_sendRawTransaction"} <= below["submit"]
    assert "PostgreSQL transaction" in below["final"]
    assert any(name.startswith("eth_getBlockByNumber") for name in below["final"])
    assert steps["submit"].start < steps["final"].end
    assert [steps[name].attributes["gateway.payment.state"] for name in ("submit", "final")] == ["submitted", "settled"]
    assert {one.trace for one in trace} == {root.trace}
    ids = {one.span for one in trace}
    assert len(ids) == len(trace)
    assert {one.parent for one in trace} - {""} <= ids, "each span stands below another of the trace"


def test_nothing_of_opentelemetry_is_imported_unless_traces_are_on() -> None:
    code = (
        "import asyncio, sys\n"
        "from gateway import assembly, clock\n"
        "from gateway.cli.processes import process\n"
        "from gateway.config import config\n"
        "async def off():\n"
        "    async with assembly.traced(config.read({}), 'serve', clock.system_clock) as tracer:\n"
        "        assert tracer is None\n"
        "asyncio.run(off())\n"
        "print(sorted(name for name in sys.modules if name.partition('.')[0] in ('opentelemetry', 'google')))\n"
    )
    ran = subprocess.run([sys.executable, "-P", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
