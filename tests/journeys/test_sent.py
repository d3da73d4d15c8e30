"""What `up` sends out and shows where its settings say so: traces, metrics, webhooks and e-mail, of one `up` that has
all of them on.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from standardwebhooks import Webhook

from gateway.cli.processes.ports import free_port
from gateway.ids import read
from gateway.metrics.catalogue import METRICS
from tests.journeys.receivers import Box, mailbox, receiving
from tests.processes import HANG_SECONDS
from tests.running import Up, levelled, running_up
from tests.tracing.collector import Collector, Seen, collecting


@dataclass
class Sending:
    """A running `up`, and where it sends and shows what."""

    up: Up
    collector: Collector
    box: Box
    port: int  #: Of the server's metrics; the worker's is the next.


@pytest.fixture(scope="module")
def sending() -> Iterator[Sending]:
    port = free_port("127.0.0.1")
    with collecting() as collector, mailbox() as (url, box):
        settings = {
            "GATEWAY_TRACES_URL": collector.url,
            "GATEWAY_TRACES_RATIO": "1",
            "GATEWAY_METRICS_PORT": str(port),
            "GATEWAY_WEBHOOK_SCHEMES": "https,http",
            "GATEWAY_WEBHOOK_NETWORKS": "127.0.0.0/8",
            "GATEWAY_SMTP_URL": url,
            "GATEWAY_EMAIL_FROM": "Example Pay <no-reply@pay.example>",
        }
        with running_up(**settings) as up:
            yield Sending(up, collector, box, port)


# ---- traces ---------------------------------------------------------------------------------------------------------


def of(spans: list[Seen], payment: str) -> list[Seen]:
    return [span for span in spans if span.trace == read("pay", payment).hex]


def test_a_payment_is_one_trace_over_gateway_database_worker_and_node(sending: Sending) -> None:
    """On each rail."""
    paid = {
        asset: sending.up.api("@alice", "/v1/payments", to=to, amount="1.00", asset=asset)["id"]
        for asset, to in (("EUR", "@bob"), ("USDX", "@shop"))  # both have been paid in the tour
    }
    ends = {(read("pay", id).hex, "POST /v1/payments") for id in paid.values()}
    ends |= {(read("pay", paid["USDX"]).hex, "final")}
    spans = sending.collector.until(lambda spans: ends <= {(one.trace, one.name) for one in spans})

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


# ---- metrics --------------------------------------------------------------------------------------------------------


def asked(port: int) -> tuple[set[str], dict[str, float]]:
    """The families that are there, and the values of those without labels."""
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=HANG_SECONDS, trust_env=False)
    assert answer.status_code == 200
    families = list(text_string_to_metric_families(answer.text))
    names = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    return names, {one.name: one.value for family in families for one in family.samples if not one.labels}


def test_each_process_tells_what_the_catalogue_says_of_it(sending: Sending) -> None:
    served, of_server = asked(sending.port)
    worked, of_worker = asked(sending.port + 1)

    assert {metric.name for metric in METRICS if metric.of != "work"} <= served
    assert {metric.name for metric in METRICS if metric.of != "serve"} <= worked
    assert [of_server[name] for name in ("gateway_ready", "gateway_node_up", "gateway_workers_late")] == [1, 1, 0]
    assert of_worker["gateway_ledger_block_age_seconds"] < HANG_SECONDS
    server, worker = (f"http://127.0.0.1:{port}/metrics" for port in (sending.port, sending.port + 1))
    assert f"the server's metrics are at {server}, the worker's at {worker}" in "".join(sending.up.said)


# ---- webhooks and e-mail --------------------------------------------------------------------------------------------


def test_the_worker_sends_events_where_the_settings_allow_it(sending: Sending) -> None:
    """All of it as it is started: the server that takes the endpoint, and the worker that sends."""
    up = sending.up
    with receiving() as (url, received):
        alice, shop = up.someone("alice_who_pays", EUR="10.00"), up.someone("shop_that_hears")
        made = up.json("webhooks", "create", url, "--handle", shop, "--type", "payment.settled")
        up.gateway("pay", shop, "2.00", "EUR", "--from", alice)
        headers, body = received.get(timeout=HANG_SECONDS)
        event = Webhook(made["secret"]).verify(body, headers)
        assert (event["type"], event["data"]["from"], event["data"]["amount"]) == ("payment.settled", alice, "2.00")


def modes(settings: Any, channel: str) -> dict[str, str]:
    return {one["kind"]: one["modes"][channel] for one in settings["kinds"]}


def test_an_address_is_confirmed_told_in_its_language_and_removed(sending: Sending) -> None:
    up, box = sending.up, sending.box
    alice, bob = up.someone("alice_of_mail", EUR="10.00"), up.someone("bob_of_mail")
    of = ("--handle", bob)
    added = up.gateway("notifications", "add", "bob@example.com", *of, "--time-zone", "Asia/Bangkok")
    assert "email  b…@example.com  pending  en  Asia/Bangkok" in levelled(added.stdout)
    (id,) = re.findall(r"nad_\w+", added.stdout)
    assert f"gateway notifications confirm {id} CODE --handle {bob}" in added.stderr
    (code,) = re.findall(r"[0-9]{6}", box.next("[0-9]{6}").subject)
    wrong = up.gateway("notifications", "confirm", id, f"{(int(code) + 1) % 10**6:06}", *of)
    assert (wrong.returncode, "(invalid_code)" in wrong.stderr) == (1, True)
    assert "confirmed" in up.gateway("notifications", "confirm", id, code, *of).stdout

    up.gateway("pay", bob, "1.00", "EUR", "--from", alice)
    assert box.next("€1.00").to == ["bob@example.com"]
    assert "th  Asia/Bangkok" in levelled(up.gateway("notifications", "locale", "th", "Asia/Bangkok", *of).stdout)
    up.gateway("pay", bob, "2.00", "EUR", "--from", alice)
    assert box.next(r"€2\.00").subject == f"คุณได้รับ €2.00 จาก {alice}"

    changed = up.json("notifications", "set", "money_in", "email", "off", *of)
    changed = up.json("notifications", "set", "bank_movement", "email", "fallback", *of)
    usual = dict.fromkeys(modes(changed, "email"), "on")
    assert modes(changed, "email") == usual | {"money_in": "off", "bank_movement": "fallback"}
    assert up.json("notifications", "settings", *of) == changed
    assert re.search(r"^money_in +off +on ", up.gateway("notifications", "settings", *of).stdout, re.MULTILINE)
    silent = up.gateway("notifications", "set", "new_key", "email", "off", *of)
    assert (silent.returncode, "guard the wallet" in silent.stderr) == (1, True)

    removed = up.gateway("notifications", "remove", id, *of)
    assert removed.stdout == f"{id}, b…@example.com, is removed\n"
    assert up.gateway("notifications", "addresses", *of).stdout == "no addresses\n"
