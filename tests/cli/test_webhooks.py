"""webhooks: added, tried and listed from the command line, and events forwarded to a receiver on this machine."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from threading import Thread
from typing import Any

from standardwebhooks import Webhook

from tests.processes import HANG_SECONDS, start
from tests.running import Up, environ, levelled, running_up


@contextmanager
def receiving(status: int = 204) -> Iterator[tuple[str, SimpleQueue[tuple[dict[str, str], bytes]]]]:
    """The URL of a receiver, and what it has received."""
    received: SimpleQueue[tuple[dict[str, str], bytes]] = SimpleQueue()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.put((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook", received
        finally:
            server.shutdown()


def test_an_endpoint_is_added_tried_listed_and_removed(up: Up) -> None:
    """By the worker that runs: the name has no address, and so the delivery log says."""
    shop = up.someone("shop_of_hooks")
    made = up.json("webhooks", "create", "https://shop.invalid/hook", "--handle", shop, "--type", "payment.*")
    assert made["secret"].startswith("whsec_")
    listed = up.gateway("webhooks", "list", "--handle", shop).stdout
    assert "https://shop.invalid/hook  payment.*" in levelled(listed)
    assert made["secret"] not in listed

    assert up.gateway("webhooks", "trigger", made["id"], "--handle", shop).returncode == 0
    ends = time.monotonic() + HANG_SECONDS
    while "name_not_resolved" not in (
        said := up.gateway("webhooks", "deliveries", made["id"], "--handle", shop).stdout
    ):
        assert time.monotonic() < ends, said
    assert "webhook.test  pending" in levelled(said)

    refused = up.gateway("webhooks", "create", "http://127.0.0.1:9000/", "--handle", shop)
    assert (refused.returncode, "should begin with https://" in refused.stderr) == (1, True)
    assert (
        "nothing is sent to https://shop.invalid/hook"
        in up.gateway("webhooks", "delete", made["id"], "--handle", shop).stdout
    )
    assert made["id"] not in up.gateway("webhooks", "list", "--handle", shop).stdout


def test_the_worker_sends_events_where_the_settings_allow_it() -> None:
    """All of it as it is started: the server that takes the endpoint, and the worker that sends."""
    settings = {"GATEWAY_WEBHOOK_SCHEMES": "https,http", "GATEWAY_WEBHOOK_NETWORKS": "127.0.0.0/8"}
    with running_up(**settings) as up, receiving() as (url, received):
        alice, shop = up.someone("alice_who_pays", EUR="10.00"), up.someone("shop_that_hears")
        made = up.json("webhooks", "create", url, "--handle", shop, "--type", "payment.settled")
        up.gateway("pay", shop, "2.00", "EUR", "--from", alice)
        headers, body = received.get(timeout=HANG_SECONDS)
        event = Webhook(made["secret"]).verify(body, headers)
        assert (event["type"], event["data"]["from"], event["data"]["amount"]) == ("payment.settled", alice, "2.00")


def test_events_are_forwarded_as_they_happen_signed_as_webhooks_are(up: Up) -> None:
    alice, shop = up.someone("alice_of_hooks", EUR="10.00"), up.someone("shop_that_listens")
    with receiving() as (url, received):
        argv = [sys.executable, "-P", "-m", "gateway", "webhooks", "listen", "--handle", shop]
        listening = start(
            [*argv, "--forward", url, "--type", "payment.*"],
            cwd=up.folder,
            env=environ(),
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            first = listening.stdout.readline()
            (secret,) = re.findall(r"whsec_\S+", first)
            up.gateway("pay", shop, "2.00", "EUR", "--from", alice, "--memo", "two\u2028lines\u0085in Unicode")
            said = listening.stdout.readline().split()
        finally:
            listening.send_signal(signal.SIGINT)
            listening.wait(HANG_SECONDS)
    headers, body = received.get(timeout=HANG_SECONDS)
    event = Webhook(secret).verify(body, headers)
    assert (event["type"], event["data"]["amount"]) == ("payment.settled", "2.00")
    assert event["data"]["memo"] == "two\u2028lines\u0085in Unicode"
    assert said == ["payment.settled", event["id"], "204"]
