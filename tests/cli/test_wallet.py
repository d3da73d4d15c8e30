"""What a person does with a handle, by the command line, against a running `up`."""

import hashlib
import json
import os
import pty
import re
import signal
import subprocess
import sys

import httpx
import pytest

from tests.processes import HANG_SECONDS, start
from tests.running import Up, environ


def test_a_claimed_handle_has_a_wallet_an_address_and_a_key_that_its_owner_alone_can_read(up: Up) -> None:
    claimed = up.gateway("handle", "create", "@Claimed")

    key_file = up.home / "keys" / "claimed"
    assert re.fullmatch(
        r"handle   @claimed\nwallet   wal_[0-9a-z]{26}\naddress  0x[0-9a-fA-F]{40}\nAPI key  (.*)\n", claimed.stdout
    )
    assert claimed.stdout.endswith(f"API key  {key_file}\n")
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert key_file.read_text().strip() not in claimed.stdout + claimed.stderr
    shown = "".join(claimed.stdout.splitlines(True)[:3]) + "its key  kept by the gateway, encrypted\n"
    assert up.gateway("handle", "show", "claimed").stdout == shown


def test_a_key_that_is_kept_already_is_never_written_over(up: Up) -> None:
    up.someone("keeper")
    kept = (up.home / "keys" / "keeper").read_text()

    again = up.gateway("handle", "create", "keeper")

    assert again.returncode == 1
    assert "already; nothing was claimed" in again.stderr
    assert (up.home / "keys" / "keeper").read_text() == kept


def test_a_handle_that_is_taken_leaves_no_key_behind(up: Up) -> None:
    up.someone("first_come")
    (up.home / "keys" / "first_come").unlink()

    taken = up.gateway("handle", "create", "first_come")

    assert taken.returncode == 1
    assert taken.stderr == "gateway: @first_come is taken; choose another handle (handle_taken)\n"
    assert not [file.name for file in (up.home / "keys").iterdir() if "first_come" in file.name]


def test_a_claim_whose_answer_was_lost_is_found_by_the_same_command(up: Up) -> None:
    """The key lies on disk before the handle is claimed, and the claim is repeated with it."""
    keys = up.home / "keys"
    nobody = up.gateway("handle", "create", "lost_answer", "--url", "http://127.0.0.1:1")
    assert (nobody.returncode, (keys / "lost_answer").exists()) == (1, False)
    key = (keys / ".lost_answer.claim").read_text().strip()
    asked = {"handle": "lost_answer", "api_key_hash": hashlib.sha256(key.encode()).hexdigest()}
    claimed = httpx.post(up.place("api_url") + "/v1/handles", json=asked).raise_for_status().json()

    found = up.json("handle", "create", "lost_answer")

    assert found["wallet_id"] == claimed["wallet_id"]
    assert up.api("lost_answer", "/v1/wallet")["wallet_id"] == claimed["wallet_id"]
    assert [file.name for file in keys.iterdir() if "lost_answer" in file.name] == ["lost_answer"]


def test_a_key_that_is_replaced_is_replaced_in_the_home_too(up: Up) -> None:
    up.someone("key_replacer")
    (old,) = up.json("api-keys", "list", "--handle", "@key_replacer")["items"]
    new = up.json("api-keys", "replace", old["id"], "--handle", "@key_replacer")
    assert (up.home / "keys" / "key_replacer").read_text().strip() == new["api_key"]
    assert up.gateway("api-keys", "revoke", old["id"], "--handle", "@key_replacer").returncode == 0
    assert up.gateway("balance", "@key_replacer").returncode == 0


def test_up_says_where_people_sign_up_at_an_address_that_has_passkeys(up: Up) -> None:
    port = up.place("api_url").rpartition(":")[2]
    (said,) = [line for line in up.said if "sign up" in line]
    assert said.strip() == f"people sign up and sign in at http://localhost:{port}/sign-up"


def test_money_comes_in_goes_round_and_goes_out(up: Up) -> None:
    payer, payee = up.someone("round_payer", EUR="50.00"), up.someone("round_payee")

    paid = up.gateway("pay", payee, "12.50", "EUR", "--from", payer, "--memo", "lunch")
    out = up.gateway("withdraw", "2.50", "EUR", "--from", payee)

    assert re.fullmatch(
        r"pay_\w{26}: @round_payer pays @round_payee 12\.50 EUR by the ledger, no fee\n  settled +\d+\.\d s\n",
        paid.stdout,
    )
    assert re.fullmatch(r"wdr_\w{26}: @round_payee paid out 2\.50 EUR, settled\n", out.stdout)
    assert up.available(payer, "EUR") == "37.50"
    assert up.available(payee, "EUR") == "10.00"
    newest_first = [(one["purpose"], one["amount"]) for one in up.json("statement", payee, "EUR")["items"]]
    assert newest_first == [("withdrawal", "2.50"), ("payment", "12.50")]
    lines = up.gateway("statement", payee, "EUR").stdout.splitlines()
    assert lines[0].split() == ["number", "posted", "out", "in", "balance", "for", "reference"]
    assert lines[1].split()[4:7] == ["2.50", "10.00", "withdrawal"]


def test_a_payment_is_found_by_the_reference_that_its_payer_gave_it(up: Up) -> None:
    payer, payee = up.someone("noting_payer", EUR="50.00"), up.someone("noting_payee")
    note = ("--reference", "order 17", "--metadata", "shop=berlin", "--metadata", "sum=1=1")
    paid = up.json("pay", payee, "5.00", "EUR", "--from", payer, *note)
    up.json("pay", payee, "6.00", "EUR", "--from", payer, "--reference", "order 18")
    refund = up.json("refund", paid["id"], "--from", payee, "--amount", "1.00", "--reference", "return 1")

    def found(*options: str) -> list[str]:
        return [one["amount"] for one in up.json("payments", payer, *options)["items"]]

    assert (paid["reference"], paid["metadata"]) == ("order 17", {"shop": "berlin", "sum": "1=1"})
    assert refund["reference"] == "return 1"
    shown = up.gateway("show", paid["id"], "--from", payer).stdout
    assert re.search(r'^reference +order 17\nmetadata +\{"shop": "berlin", "sum": "1=1"\}$', shown, re.M)
    assert "order 17" not in up.gateway("show", paid["id"], "--from", payee).stdout
    assert found("--reference", "order 17") == ["5.00"]
    assert found("--counterparty", payee, "--asset", "EUR", "--min", "5.01", "--rail", "ledger") == ["6.00"]
    assert found("--asset", "EUR", "--max", "1.00", "--state", "settled") == ["1.00"]
    assert found("--since", paid["created_at"], "--until", refund["created_at"]) == ["6.00", "5.00"]
    assert found("--memo", "nothing") == []


def test_balances_and_statements_of_the_past_are_shown(up: Up) -> None:
    owner = up.someone("past_owner", EUR="50.00")
    up.gateway("withdraw", "20.00", "EUR", "--from", owner)
    withdrawn, deposited = (one["posted_at"] for one in up.json("statement", owner, "EUR")["items"])

    then = up.gateway("balance", owner, "--at", deposited).stdout.splitlines()

    assert then[0].endswith(f", at {deposited[:10]} {deposited[11:19]} UTC")
    assert then[2].split() == ["asset", "posted"]
    assert ["EUR", "50.00"] in [line.split() for line in then[3:]]
    assert [one["amount"] for one in up.json("statement", owner, "EUR", "--until", withdrawn)["items"]] == ["50.00"]
    assert [one["amount"] for one in up.json("statement", owner, "EUR", "--since", withdrawn)["items"]] == ["20.00"]
    refused = up.gateway("balance", owner, "--at", "yesterday").stderr
    assert refused.startswith("gateway: the query parameter at cannot be 'yesterday': ")


def test_a_used_key_prints_the_first_answer_and_says_that_it_is_a_replay(up: Up) -> None:
    payer, payee = up.someone("replay_payer", EUR="50.00"), up.someone("replay_payee")
    asked = ("pay", payee, "5.00", "EUR", "--from", payer, "--key", "order-17")
    first = up.gateway(*asked)

    again, as_json = up.gateway(*asked), up.json(*asked)

    assert again.returncode == 0
    assert again.stdout.splitlines()[0] == first.stdout.splitlines()[0]
    assert again.stderr.startswith("a replay: ")
    assert as_json["replayed"] is True
    assert first.stdout.startswith(as_json["id"])
    assert up.available(payer, "EUR") == "45.00"
    other = up.gateway("pay", payee, "6.00", "EUR", "--from", payer, "--key", "order-17")
    assert other.returncode == 1
    assert "idempotency_key_reused" in other.stderr


def test_a_token_payment_is_followed_from_queued_to_settled(up: Up) -> None:
    payer, payee = up.someone("token_payer", USD="25.00"), up.someone("token_payee")

    bought = up.gateway("convert", "25.00", "USD", "USDX", "--from", payer)
    paid = up.gateway("pay", payee, "3.00", "USDX", "--from", payer)
    redeemed = up.gateway("convert", "3.00", "USDX", "USD", "--from", payee)

    assert re.match(r"cnv_\w{26}: 25\.00 USD into 25\.000000 USDX\n  queued ", bought.stdout)
    assert re.match(r"pay_\w{26}: @token_payer pays @token_payee 3\.000000 USDX by the chain, no fee\n", paid.stdout)
    for followed in (bought, paid, redeemed):
        assert followed.returncode == 0, followed.stderr
        states = [line.split()[0] for line in followed.stdout.splitlines()[1:]]
        assert states in (["queued", "settled"], ["queued", "submitted", "settled"])
    assert up.available(payer, "USDX") == "22.000000"
    assert up.available(payee, "USD") == "3.00"


def test_who_does_not_wait_is_told_the_first_state_and_looks_later(up: Up) -> None:
    payer, payee = up.someone("hasty_payer", USD="5.00"), up.someone("hasty_payee")
    up.gateway("convert", "5.00", "USD", "USDX", "--from", payer)

    paid = up.gateway("pay", payee, "5.00", "USDX", "--from", payer, "--no-wait")

    opening, *states = paid.stdout.splitlines()
    assert [line.split()[0] for line in states] == ["queued"]
    shown = up.json("show", opening.partition(":")[0], "--from", payee)
    assert shown["state"] in ("queued", "submitted", "settled")


def test_a_hold_is_captured_in_part_and_the_rest_is_the_payers_again(up: Up) -> None:
    payer, payee = up.someone("hold_payer", EUR="20.00"), up.someone("hold_payee")
    held = up.json("pay", payee, "9.00", "EUR", "--from", payer, "--hold")
    assert (held["state"], up.available(payer, "EUR")) == ("held", "11.00")

    captured = up.gateway("capture", held["id"], "--from", payee, "--amount", "4.00")

    assert captured.stdout.endswith(" s  4.00 EUR of it; the rest is the payer's again\n")
    assert up.available(payer, "EUR") == "16.00"
    assert up.available(payee, "EUR") == "4.00"


def test_a_voided_hold_gives_the_money_back(up: Up) -> None:
    payer, payee = up.someone("void_payer", EUR="20.00"), up.someone("void_payee")
    held = up.gateway("pay", payee, "9.00", "EUR", "--from", payer, "--hold")
    assert "; end it with gateway capture or gateway void pay_" in held.stdout

    voided = up.gateway("void", held.stdout.partition(":")[0], "--from", payee)

    assert voided.stdout.splitlines()[1].split()[0] == "voided"
    assert up.available(payer, "EUR") == "20.00"


def test_a_refund_names_the_payment_it_gives_back(up: Up) -> None:
    payer, payee = up.someone("refund_payer", EUR="20.00"), up.someone("refund_payee")
    paid = up.json("pay", payee, "9.00", "EUR", "--from", payer)

    refund = up.gateway("refund", paid["id"], "--from", payee, "--amount", "4.00")

    assert f"@refund_payee gives @refund_payer 4.00 EUR of {paid['id']} back by the ledger" in refund.stdout
    assert up.available(payer, "EUR") == "15.00"
    shown = up.gateway("show", paid["id"], "--from", payer).stdout
    assert "refunded   4.00 EUR" in re.sub(r"  +", "   ", shown)


def test_a_preview_says_the_way_and_moves_nothing(up: Up) -> None:
    payer, payee = up.someone("wary_payer", EUR="20.00"), up.someone("wary_payee")

    seen = up.gateway("preview", payee, "30.00", "EUR", "--from", payer)

    assert "rail             ledger\n" in seen.stdout
    assert "available after  -10.00 EUR, so it would be refused\n" in seen.stdout
    assert up.available(payer, "EUR") == "20.00"


def test_a_list_goes_on_at_its_cursor(up: Up) -> None:
    payer, payee = up.someone("list_payer", EUR="20.00"), up.someone("list_payee")
    for amount in ("1.00", "2.00", "3.00"):
        up.api(payer, "/v1/payments", to=payee, amount=amount, asset="EUR")

    page = up.gateway("payments", payer, "--limit", "2").stdout.splitlines()
    cursor = page[-1].removeprefix("more with --cursor ")
    rest = up.json("payments", payer, "--limit", "2", "--cursor", cursor)

    assert [line.split()[5] for line in page[1:3]] == ["3.00", "2.00"]
    assert [one["amount"] for one in rest["items"]] == ["1.00"]


def test_with_json_every_result_is_json_and_nothing_else(up: Up) -> None:
    payer, payee = up.someone("json_payer", EUR="20.00", USD="5.00"), up.someone("json_payee")

    held = up.json("pay", payee, "2.00", "EUR", "--from", payer, "--hold")
    captured = up.json("capture", held["id"], "--from", payee)
    refund = up.json("refund", held["id"], "--from", payee)
    voided = up.json("void", up.json("pay", payee, "2.00", "EUR", "--from", payer, "--hold")["id"], "--from", payer)
    bought = up.json("convert", "5.00", "USD", "USDX", "--from", payer)

    states = [one["state"] for one in (held, captured, refund, voided, bought)]
    assert states == ["held", "settled", "settled", "voided", "settled"]
    assert up.json("handle", "create", "json_third")["api_key_file"] == str(up.home / "keys" / "json_third")
    assert up.json("handle", "show", payer)["handle"] == "json_payer"
    assert up.json("deposit", "1.00", "EUR", "--to", payer)["replayed"] is False
    assert up.json("withdraw", "1.00", "EUR", "--from", payer)["amount"] == "1.00"
    assert up.json("preview", payee, "1.00", "EUR", "--from", payer)["route"]["rail"] == "ledger"
    assert len(up.json("payments", payer)["items"]) == 3


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("balance nobody_here", "there is no API key of @nobody_here in "),
        ("balance @@", "'@@' is not a handle: "),
        (
            "pay @bob 9999999.00 EUR --from alice",
            "9999999.00 EUR is needed: use a smaller amount, or put money in first (insufficient_funds)",
        ),
        ("pay @bob 1.001 EUR --from alice", "nothing is rounded for you (amount_too_precise)"),
        ("pay @bob much EUR --from alice", "'much' is not an amount (malformed)"),
        ("pay @bob 1.00 XYZ --from alice", "'XYZ' is not an asset of this gateway"),
        ("pay @nobody_here 1.00 EUR --from alice", "nobody has this handle (unknown_payee)"),
        ("pay @alice 1.00 EUR --from alice", "payer and payee are both @alice: name another handle (self_payment)"),
        ("show pay_1 --from alice", "there is no payment pay_1 (not_found)"),
        ("balance alice --url http://127.0.0.1:1", "no gateway answers at http://127.0.0.1:1 (no connection)"),
    ],
)
def test_a_refusal_is_one_sentence_on_stderr_and_the_status_1(up: Up, command: str, sentence: str) -> None:
    refused = up.gateway(*command.split())

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("gateway: ")
    assert sentence in refused.stderr
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "command",
    [
        "pay @bob 1.00 EUR",
        "pay @bob 1.00 EUR --from alice --key ключ",
        "pay @bob 1.00 EUR --from alice --key two\nlines",
        "statement alice EUR --limit 0",
        "pay @bob 1.00 EUR --from alice --metadata shop",
        "pay @bob 1.00 EUR --from alice --metadata a=1 --metadata a=2",
        "payments alice --rail bank",
        "pay @bob 1.00 EUR --from alice --tip",
        "nothing",
    ],
)
def test_a_command_that_cannot_be_meant_is_a_usage_error(up: Up, command: str) -> None:
    refused = up.gateway(*command.split(" "))

    assert (refused.returncode, refused.stdout) == (2, "")
    assert "Usage: gateway" in refused.stderr


@pytest.mark.parametrize("id", ["../handles", "a b?c#d", "%2e%2e"])
def test_what_is_no_id_leads_to_no_other_page(up: Up, id: str) -> None:
    refused = up.gateway("show", id, "--from", "alice")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert "(not_found)" in refused.stderr


def test_ctrl_c_stops_the_waiting_and_not_the_payment(up: Up) -> None:
    payer = up.someone("impatient", USD="5.00")
    argv = [sys.executable, "-P", "-m", "gateway", "convert", "5.00", "USD", "USDX", "--from", payer]
    with start(
        argv, cwd=up.folder, env=environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        assert process.stdout is not None
        opening = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=HANG_SECONDS)

    id = opening.partition(":")[0]
    if process.returncode:  # it was not settled before the signal came
        assert f"no longer waiting, but it goes on: gateway show {id} --from @impatient" in told
        assert "Traceback" not in told
    assert up.json("show", id, "--from", payer)["state"] in ("queued", "submitted", "settled")


def test_somebody_else_at_the_url_is_told_from_a_gateway(up: Up) -> None:
    refused = up.gateway("balance", "alice", "--url", up.place("rpc_url"))

    assert refused.returncode == 1
    assert "what answers there is something else" in refused.stderr


def test_on_a_terminal_the_waiting_is_shown_and_the_states_stay(up: Up) -> None:
    payer = up.someone("watcher", USD="5.00")
    terminal, end = pty.openpty()

    argv = [sys.executable, "-P", "-m", "gateway", "convert", "5.00", "USD", "USDX", "--from", payer]
    environ = os.environ | {"GATEWAY_HOME": str(up.home), "TERM": "xterm-256color"}
    with start(argv, stdout=end, stderr=end, env=environ) as process:
        os.close(end)
        shown = b"".join(iter(lambda: _read(terminal), b"")).decode()
    os.close(terminal)

    assert process.returncode == 0
    assert "waiting; Ctrl-C stops the waiting, not the payment" in shown
    assert re.search(r"  queued .*  settled ", shown, re.DOTALL)


def test_what_up_tells_to_try_next_works_as_printed(up: Up) -> None:
    told = [line.strip() for line in up.said if line.startswith("  ") and "gateway " in line]

    ran = [up.sh(line) for line in told]

    assert len(told) == 3
    assert [one.returncode for one in ran] == [0, 0, 0], [one.stderr for one in ran]
    assert ran[2].stdout.endswith("no difference\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other end is closed
        return b""


def test_json_has_the_api_s_own_names(up: Up) -> None:
    wallet = json.loads(up.gateway("balance", "alice", "--json").stdout)

    assert set(wallet) == {"handle", "wallet_id", "address", "custody", "at", "balances", "frozen_at", "freezes"}
