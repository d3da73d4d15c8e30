"""webhooks: added, tried and listed from the command line, and events forwarded to a receiver on this machine."""

import re
import signal
import subprocess
import sys
import time

from standardwebhooks import Webhook

from tests.journeys.receivers import receiving
from tests.processes import HANG_SECONDS, start
from tests.running import Up, environ, levelled


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
