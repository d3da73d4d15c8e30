"""events tail: each event a line, over a restart of the gateway, until Ctrl-C or until nobody reads any more."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from tests.processes import HANG_SECONDS, Process, start
from tests.running import Up, environ


@contextmanager
def tailing(up: Up, handle: str, *options: str) -> Iterator[Process[str]]:
    """`gateway events tail` as a process; Ctrl-C is the test's to press."""
    argv = [sys.executable, "-P", "-m", "gateway", "events", "tail", "--handle", handle, *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = start(argv, cwd=up.folder, env=environ(), text=True, **pipes)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(HANG_SECONDS)


def newest(up: Up, handle: str) -> str:
    return str(up.api(handle, "/v1/events?order=newest_first&limit=1")["items"][0]["id"])


def test_events_are_lines_and_ctrl_c_says_where_to_continue(up: Up) -> None:
    alice, shop = up.someone("alice_tailed", EUR="10.00"), up.someone("shop_tailed", EUR="1.00")
    begin = newest(up, shop)
    with tailing(up, shop, "--after", begin, "--type", "payment.*") as process:
        up.gateway("pay", shop, "2.00", "EUR", "--from", alice, "--memo", "for\nthe \u202ecoffee")
        up.gateway("deposit", "1.00", "EUR", "--to", shop)
        up.gateway("pay", shop, "3.00", "EUR", "--from", alice)
        first, second = process.stdout.readline(), process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=HANG_SECONDS)
    id = second.split("  ")[2]
    assert " UTC  payment.settled  evt_" in first
    assert first.rstrip().endswith(f"{alice} to {shop}  2.00 EUR  for\\nthe \\u202ecoffee")
    assert second.rstrip().endswith(f"{alice} to {shop}  3.00 EUR")
    assert (process.returncode, out) == (0, "")
    assert said == f"the last event was {id}; to continue: gateway events tail --handle {shop} --after {id}\n"


def test_as_json_each_line_is_the_event_of_the_api_and_it_goes_on_after_the_one_named(up: Up) -> None:
    alice, shop = up.someone("alice_jsonl", EUR="10.00"), up.someone("shop_jsonl", EUR="1.00")
    begin = newest(up, shop)
    for amount in ("1.00", "2.00"):
        up.gateway("pay", shop, amount, "EUR", "--from", alice, "--memo", "one\u2028line")
    with tailing(up, shop, "--after", begin, "--json") as process:
        lines = [process.stdout.readline() for _ in range(2)]
    listed = up.api(shop, f"/v1/events?after={begin}")["items"]
    assert [json.loads(line) for line in lines] == listed
    with tailing(up, shop, "--after", listed[0]["id"], "--json") as process:
        assert json.loads(process.stdout.readline()) == listed[1]


def test_it_goes_on_over_a_restart_of_the_gateway(up: Up) -> None:
    alice, shop = up.someone("alice_back", EUR="10.00"), up.someone("shop_back", EUR="1.00")
    with tailing(up, shop, "--json", "--after", newest(up, shop)) as process:
        up.gateway("pay", shop, "1.00", "EUR", "--from", alice)
        before = json.loads(process.stdout.readline())
        children = psutil.Process(up.process.pid).children(recursive=True)
        (server,) = (one for one in children if one.is_running() and "serve" in one.cmdline())
        server.kill()
        while (again := up.gateway("pay", shop, "2.00", "EUR", "--from", alice, "--key", "k")).returncode:
            assert "no gateway answers" in again.stderr or "its answer was lost" in again.stderr, again.stderr
        after = json.loads(process.stdout.readline())
    assert [one["data"]["amount"] for one in (before, after)] == ["1.00", "2.00"]


def test_it_ends_quietly_once_nobody_reads(up: Up) -> None:
    alice, shop = up.someone("alice_piped", EUR="10.00"), up.someone("shop_piped", EUR="1.00")
    with tailing(up, shop, "--after", newest(up, shop)) as process:
        process.stdout.close()
        up.gateway("pay", shop, "1.00", "EUR", "--from", alice)
        assert process.wait(HANG_SECONDS) == 0
        assert process.stderr.read() == ""


def test_without_a_gateway_it_says_so_at_once(up: Up) -> None:
    shop = up.someone("shop_nowhere")
    ran = up.gateway("events", "tail", "--handle", shop, "--url", "http://127.0.0.1:9")
    assert (ran.returncode, "no gateway answers at http://127.0.0.1:9" in ran.stderr) == (1, True)
    assert os.linesep not in ran.stdout
