"""The output of the commands for a wallet for people, from the same objects that `--json` prints."""

import json
from collections.abc import Mapping
from typing import Any

from gateway.cli.output import fields, table, when
from gateway.escape import for_shell

#: The width of the longest state that a payment passes through while a command waits for it.
_STATE_WIDTH = len("submitted")


# ---- handles and balances -------------------------------------------------------------------------------------------


def handle_lines(handle: Mapping[str, Any], key_file: str | None = None) -> list[str]:
    """The public details of a handle, and the file of its API key."""
    return fields(
        [
            ("handle", f"@{handle['handle']}"),
            ("wallet", handle["wallet_id"]),
            ("address", handle["address"]),
            ("its key", _CUSTODY.get(handle.get("custody", ""))),
            ("API key", key_file),
        ]
    )


#: Who keeps the key of an address, in words.
_CUSTODY = {
    "gateway": "kept by the gateway, encrypted",
    "owner": "its owner's own",
    "contract": "none: a contract says what it has signed",
}


def wallet_lines(wallet: Mapping[str, Any]) -> list[str]:
    """A wallet's balances: posted, pending and available. Of a past time only the posted balance is known."""
    who = f"@{wallet['handle']}, {wallet['wallet_id']}, {wallet['address']}"
    if wallet["at"] is not None:
        past = [[one["asset"], one["posted"]] for one in wallet["balances"]]
        return [f"{who}, at {when(wallet['at'])}", "", *table(["asset", "posted"], past, right=[1])]
    rows = [[one["asset"], one["available"], one["pending"], one["posted"], _where(one)] for one in wallet["balances"]]
    return [
        who,
        "",
        *table(["asset", "available", "pending", "posted", "rail"], rows, right=(1, 2, 3)),
    ]


def _where(balance: Mapping[str, Any]) -> str:
    if balance["kind"] == "fiat":
        return "ledger"
    return "chain" if balance["final_block"] is None else f"chain, final at block {balance['final_block']}"


def balances_table(before: Mapping[tuple[str, str], str], after: Mapping[tuple[str, str], str]) -> list[str]:
    """Available balances before and after, fiat and tokens side by side per handle; zero balances are left out."""
    handles = list(dict.fromkeys(handle for handle, _ in after))
    assets = [
        asset
        for asset in dict.fromkeys(asset for _, asset in after)
        if any(_some(before, after, handle, asset) for handle in handles)
    ]
    rows = []
    for handle in handles:
        for time, balances in (("before", before), ("after", after)):
            rows.append([f"@{handle}", time, *(balances.get((handle, asset), "") for asset in assets)])
    return table(["handle", "", *assets], rows, right=range(2, len(assets) + 2))


def _some(before: Mapping[tuple[str, str], str], after: Mapping[tuple[str, str], str], handle: str, asset: str) -> bool:
    return any(balances.get((handle, asset), "0").strip("0.") for balances in (before, after))


def bank_line(moved: Mapping[str, Any], handle: str) -> str:
    """A deposit or a withdrawal."""
    verb = "paid in" if moved["id"].startswith("dep_") else "paid out"
    return f"{moved['id']}: @{handle} {verb} {moved['amount']} {moved['asset']}, {moved['state']}"


def statement_lines(entries: Mapping[str, Any]) -> list[str]:
    """The entries of one account, newest first, each with the balance after it."""
    rows = [
        [
            str(one["number"]),
            when(one["posted_at"]),
            one["amount"] if one["side"] == "debit" else "",
            one["amount"] if one["side"] == "credit" else "",
            one["balance"],
            one["purpose"],
            _reference(one),
        ]
        for one in entries["items"]
    ]
    heads = ["number", "posted", "out", "in", "balance", "for", "reference"]
    return [*(table(heads, rows, right=(0, 2, 3, 4)) if rows else ["no entries"]), *_more(entries)]


def _reference(entry: Mapping[str, Any]) -> str:
    """The subject of an entry; for an observation, the sender or receiver of the tokens."""
    if entry["from"] is None:
        return str(entry["reference"] or "")
    return f"from {entry['from']}" if entry["side"] == "credit" else f"to {entry['to']}"


# ---- payments and conversions ---------------------------------------------------------------------------------------


def _is_part(payment: Mapping[str, Any]) -> bool:
    """Whether a hold was only partly captured. A conversion never is."""
    return bool(payment["state"] == "settled" and payment.get("captured", payment["amount"]) != payment["amount"])


def _paid(payment: Mapping[str, Any]) -> str:
    """The amount that was or will be paid."""
    return str(payment["captured"] if _is_part(payment) else payment["amount"])


def _state(payment: Mapping[str, Any]) -> str:
    """The state, with the captured part if it is not the whole amount."""
    part = f": {payment['captured']} of {payment['amount']}" if _is_part(payment) else ""
    return f"{payment['state']}{part}"


def payment_line(payment: Mapping[str, Any]) -> str:
    """One payment in one line."""
    what = f"{payment['from']} paid {payment['to']} {_paid(payment)} {payment['asset']}"
    how = f"{_state(payment)} by the {payment['route']['rail']}, {payment['id']}"
    return f"{what}: {how}" + (f", {payment['tx_hash']}" if payment["tx_hash"] else "")


def opening_line(found: Mapping[str, Any]) -> str:
    """The first line about a payment or a conversion, before its states."""
    if "to_asset" in found:
        return f"{found['id']}: {found['amount']} {found['asset']} into {found['to_amount']} {found['to_asset']}"
    what = f"{found['from']} pays {found['to']} {found['amount']} {found['asset']}"
    if found["refund_of"]:
        what = f"{found['from']} gives {found['to']} {found['amount']} {found['asset']} of {found['refund_of']} back"
    fee = "no fee" if not found["fee"].strip("0.") else f"fee {found['fee']} {found['asset']}"
    return f"{found['id']}: {what} by the {found['route']['rail']}, {fee}"


def state_line(found: Mapping[str, Any], seconds: float) -> str:
    """The current state, and the time since the command began."""
    line = f"  {found['state'].ljust(_STATE_WIDTH)}  {seconds:5.1f} s"
    id = for_shell(found["id"])
    if found["state"] == "held" and found.get("undo_until"):
        return f"{line}  until {when(found['undo_until'])}, then it goes; stop it with gateway void {id}"
    if found["state"] == "held":
        return f"{line}  until {when(found['expires_at'])}; end it with gateway capture or gateway void {id}"
    if found["state"] == "submitted" and found["tx_hash"]:
        return f"{line}  {found['tx_hash']}"
    if _is_part(found):
        return f"{line}  {found['captured']} {found['asset']} of it; the rest is the payer's again"
    return line


def payment_lines(payment: Mapping[str, Any]) -> list[str]:
    """Everything about one payment."""
    asset = payment["asset"]
    route = payment["route"]
    return fields(
        [
            ("id", payment["id"]),
            ("state", payment["state"]),
            ("why", payment["failure"]),
            ("from", payment["from"]),
            ("to", payment["to"]),
            ("amount", f"{payment['amount']} {asset}"),
            ("fee", f"{payment['fee']} {asset}"),
            ("captured", f"{payment['captured']} {asset}"),
            ("refunded", f"{payment['refunded']} {asset}"),
            ("refund of", payment["refund_of"]),
            ("memo", payment["memo"]),
            ("reference", payment["reference"]),
            ("metadata", json.dumps(payment["metadata"], ensure_ascii=False) if payment["metadata"] else None),
            ("rail", route["rail"]),
            ("because", "; ".join(route["reasons"])),
            ("finality", route["finality"]),
            ("transaction", payment["tx_hash"]),
            ("created", when(payment["created_at"])),
            ("held until", when(payment["expires_at"])),
            ("settled", when(payment["settled_at"])),
        ]
    )


def conversion_lines(conversion: Mapping[str, Any]) -> list[str]:
    """Everything about one conversion."""
    return fields(
        [
            ("id", conversion["id"]),
            ("state", conversion["state"]),
            ("why", conversion["failure"]),
            ("given", f"{conversion['amount']} {conversion['asset']}"),
            ("got", f"{conversion['to_amount']} {conversion['to_asset']}"),
            ("transaction", conversion["tx_hash"]),
            ("created", when(conversion["created_at"])),
            ("settled", when(conversion["settled_at"])),
        ]
    )


def payments_lines(page: Mapping[str, Any]) -> list[str]:
    """A list of payments, newest first."""
    rows = [
        [when(one["created_at"]), one["from"], one["to"], _paid(one), one["asset"], _state(one), one["id"]]
        for one in page["items"]
    ]
    heads = ["created", "from", "to", "amount", "asset", "state", "id"]
    return [*(table(heads, rows, right=(3,)) if rows else ["no payments"]), *_more(page)]


def preview_lines(preview: Mapping[str, Any], asset: str) -> list[str]:
    """The preview of a payment."""
    route = preview["route"]
    seconds = route["expected_seconds"]
    refused = ", so it would be refused" if preview["available_after"].startswith("-") else ""
    return fields(
        [
            ("rail", route["rail"]),
            ("because", "; ".join(route["reasons"])),
            ("fee", f"{preview['fee']} {asset}"),
            ("finality", route["finality"] + (f", in about {max(seconds, 1):.0f} s" if seconds else "")),
            ("available after", f"{preview['available_after']} {asset}{refused}"),
            *([("needs", "your approval: " + ", ".join(preview["approval"]))] if preview["approval"] else []),
        ]
    )


def _more(page: Mapping[str, Any]) -> list[str]:
    return [f"more with --cursor {for_shell(page['next_cursor'])}"] if page["next_cursor"] else []
