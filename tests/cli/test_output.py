"""Tables for people, and help with examples."""

from collections.abc import Iterator
from inspect import cleandoc

import pytest
import rich_click as click

from gateway.__main__ import cli
from gateway.cli import output
from gateway.cli.operate import printout as operate_printout
from gateway.cli.wallet import printout as wallet_printout


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command of the group, below it too, with what to type for it."""
    for name, command in group.commands.items():
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


@pytest.mark.parametrize(("typed", "command"), list(commands(cli, "gateway")))
def test_every_commands_help_has_an_example_of_it(typed: str, command: click.Command) -> None:
    _, example, lines = cleandoc(command.help or "").partition("\b\nExample:\n")

    assert example
    assert all(f"{typed} " in f"{line} " for line in lines.splitlines() if not isinstance(command, click.Group))


def test_amounts_are_aligned_at_their_last_digit() -> None:
    lines = output.table(["asset", "posted"], [["EUR", "5.00"], ["JPY", "1200"], ["USDX", "3.000000"]], right=[1])

    assert lines == ["asset    posted", "EUR        5.00", "JPY        1200", "USDX   3.000000"]


def test_a_list_of_payments_shows_what_was_captured_and_of_how_much() -> None:
    payment = {
        "id": "pay_1",
        "from": "@alice",
        "to": "@bob",
        "amount": "40.00",
        "asset": "EUR",
        "tx_hash": None,
        "created_at": "2030-01-31T12:00:00.000000Z",
        "route": {"rail": "ledger"},
    }
    part = payment | {"state": "settled", "captured": "30.00"}
    items = [
        part,
        payment | {"state": "settled", "captured": "40.00"},
        payment | {"state": "held", "captured": "0.00"},
        payment | {"state": "voided", "captured": "0.00"},
    ]

    lines = wallet_printout.payments_lines({"items": items, "next_cursor": None})

    shown = [line.partition("@bob")[2].split() for line in lines[1:5]]
    assert shown == [
        ["30.00", "EUR", "settled:", "30.00", "of", "40.00", "pay_1"],
        ["40.00", "EUR", "settled", "pay_1"],
        ["40.00", "EUR", "held", "pay_1"],
        ["40.00", "EUR", "voided", "pay_1"],
    ]
    assert (
        wallet_printout.payment_line(part) == "@alice paid @bob 30.00 EUR: settled: 30.00 of 40.00 by the ledger, pay_1"
    )


def test_differences_are_counted_and_named() -> None:
    difference = {"account": "wallet:bob:USDX", "ledger": "3.00", "other": "2.00", "where": "USDX at block 7"}

    correction = {
        "id": "cor_1",
        "debit": "wallet:bob:USD",
        "credit": "reserve:USD",
        "amount": "1.00 USD",
        "reason": "a mint",
        "by": ["ann", "ben"],
        "posted_at": "2030-01-31T12:00:00.000000Z",
    }
    found = {"totals": [], "differences": [difference, difference], "corrections": [correction], "recovery": "in it"}

    lines = operate_printout.reconciliation_lines(found)

    assert "2 differences:" in lines
    assert lines[0] == "in it"
    assert any(line.split()[-7:] == ["1.00", "USD", "ann", "and", "ben", "a", "mint"] for line in lines)
    assert lines[-1].split() == ["wallet:bob:USDX", "3.00", "2.00", "USDX", "at", "block", "7"]


def test_a_statement_says_who_sent_tokens_past_the_gateway_and_where_they_went() -> None:
    line = {
        "number": 2,
        "posted_at": "2030-01-31T12:00:00.000000Z",
        "amount": "4.000000",
        "side": "credit",
        "balance": "9.000000",
        "purpose": "observation",
        "reference": "obs_1",
        "from": "@alice",
        "to": "@bob",
    }

    came, went = ({"items": [line | {"side": side}], "next_cursor": None} for side in ("credit", "debit"))

    assert wallet_printout.statement_lines(came)[1].endswith("observation  from @alice")
    assert wallet_printout.statement_lines(went)[1].endswith("observation  to @bob")
    paid = line | {"from": None, "to": None, "purpose": "payment", "reference": "pay_1"}
    assert wallet_printout.statement_lines({"items": [paid], "next_cursor": None})[1].endswith("payment  pay_1")
