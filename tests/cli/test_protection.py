"""Protecting a wallet by the command line, against a running `up`."""

from gateway.api.payments.shapes import LimitShape, PolicyView
from gateway.cli.wallet.protection import policy_lines
from tests.running import Up


def test_reporting_a_payment_stops_what_leaves_and_nothing_else(up: Up) -> None:
    payer, payee = up.someone("stolen_payer", EUR="50.00"), up.someone("stolen_payee")
    paid = up.json("pay", payee, "1.00", "EUR", "--from", payer)

    said = up.gateway("report-unauthorized", paid["id"], "--from", payer)

    assert said.returncode == 0
    assert said.stdout.splitlines()[-1].startswith("nothing leaves this wallet now")
    refused = up.gateway("pay", payee, "1.00", "EUR", "--from", payer)
    assert (refused.returncode, refused.stderr.strip().endswith("(wallet_frozen)")) == (1, True)
    assert up.gateway("pay", payer, "0.50", "EUR", "--from", payee).returncode == 0


def test_a_wallet_without_a_passkey_has_no_policy_to_show(up: Up) -> None:
    shown = up.gateway("policy", "--handle", up.someone("unguarded"))
    assert (shown.returncode, "the wallet has no passkey yet (not_found)" in shown.stderr) == (1, True)


def test_a_policy_is_shown_rule_by_rule() -> None:
    found = PolicyView(
        limits={"EUR": LimitShape("100.00", "300.00")},
        approve_new_payee=True,
        approve_address=False,
        changed_payee_days=7,
        new_device_hours=0,
        undo_seconds=30,
        trusted=["@bob"],
        version="5f70bf18a086007a",
    )
    assert policy_lines(found) == [
        "without approval  100.00 EUR a payment and 300.00 EUR a day",
        "needs approval    a payee never paid before",
        "needs approval    a payee whose address changed in 7 days",
        "to undo tokens    30 s",
        "trusted           @bob",
    ]
