"""What is printed for people: lines and tables, from the same objects that `--json` prints.

Amounts are aligned at their last digit, with all the decimals that their asset has.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.escape import for_shell, for_terminal

#: As wide as the longest state that a payment passes through while somebody waits for it.
_STATE_WIDTH = len("submitted")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Lines of a plain table: two spaces between columns, the columns in `right` aligned at their right."""
    shown = [list(map(for_terminal, row)) for row in [heads, *rows]]
    widths = [max(len(row[column]) for row in shown) for column in range(len(heads))]
    lines = []
    for row in shown:
        cells = [
            text.rjust(width) if column in right else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def facts(pairs: Sequence[tuple[str, str | None]]) -> list[str]:
    """A line per fact, its name first; a fact that is not there is left out."""
    known = [(name, for_terminal(value)) for name, value in pairs if value]
    width = max(len(name) for name, _ in known)
    return [f"{name.ljust(width)}  {value}" for name, value in known]


# ---- handles and balances -------------------------------------------------------------------------------------------


def handle_lines(handle: Mapping[str, Any], key_file: str | None = None) -> list[str]:
    """Who a handle is, and where its API key is kept."""
    return facts(
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
    """A wallet's balances: what it has, what of that is set aside, and what is left to spend. Of a past time only what
    was posted is known.
    """
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
    """Available balances before and after, fiat and tokens side by side per handle; what is zero is left out."""
    handles = list(dict.fromkeys(handle for handle, _ in after))
    assets = [
        asset
        for asset in dict.fromkeys(asset for _, asset in after)
        if any(_some(before, after, handle, asset) for handle in handles)
    ]
    rows = []
    for handle in handles:
        for when, balances in (("before", before), ("after", after)):
            rows.append([f"@{handle}", when, *(balances.get((handle, asset), "") for asset in assets)])
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
    """What an entry is of: of tokens that were seen to move, who sent them, or where they went."""
    if entry["from"] is None:
        return str(entry["reference"] or "")
    return f"from {entry['from']}" if entry["side"] == "credit" else f"to {entry['to']}"


# ---- payments and conversions ---------------------------------------------------------------------------------------


def _is_part(payment: Mapping[str, Any]) -> bool:
    """Whether less was paid than was set aside: a hold of which a part was captured. A conversion never is."""
    return bool(payment["state"] == "settled" and payment.get("captured", payment["amount"]) != payment["amount"])


def _paid(payment: Mapping[str, Any]) -> str:
    """The amount that was paid, or is to be."""
    return str(payment["captured"] if _is_part(payment) else payment["amount"])


def _state(payment: Mapping[str, Any]) -> str:
    """The state, and what was captured of how much where that is not all of it."""
    part = f": {payment['captured']} of {payment['amount']}" if _is_part(payment) else ""
    return f"{payment['state']}{part}"


def payment_line(payment: Mapping[str, Any]) -> str:
    """One payment in one line."""
    what = f"{payment['from']} paid {payment['to']} {_paid(payment)} {payment['asset']}"
    how = f"{_state(payment)} by the {payment['route']['rail']}, {payment['id']}"
    return f"{what}: {how}" + (f", {payment['tx_hash']}" if payment["tx_hash"] else "")


def opening_line(found: Mapping[str, Any]) -> str:
    """What a payment or a conversion is, before the states it passes through."""
    if "to_asset" in found:
        return f"{found['id']}: {found['amount']} {found['asset']} into {found['to_amount']} {found['to_asset']}"
    what = f"{found['from']} pays {found['to']} {found['amount']} {found['asset']}"
    if found["refund_of"]:
        what = f"{found['from']} gives {found['to']} {found['amount']} {found['asset']} of {found['refund_of']} back"
    fee = "no fee" if not found["fee"].strip("0.") else f"fee {found['fee']} {found['asset']}"
    return f"{found['id']}: {what} by the {found['route']['rail']}, {fee}"


def state_line(found: Mapping[str, Any], seconds: float) -> str:
    """The state that it is in now, and how long after the command began."""
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
    return facts(
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
    return facts(
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
    """What a payment would be like."""
    route = preview["route"]
    seconds = route["expected_seconds"]
    refused = ", so it would be refused" if preview["available_after"].startswith("-") else ""
    return facts(
        [
            ("rail", route["rail"]),
            ("because", "; ".join(route["reasons"])),
            ("fee", f"{preview['fee']} {asset}"),
            ("finality", route["finality"] + (f", in about {max(seconds, 1):.0f} s" if seconds else "")),
            ("available after", f"{preview['available_after']} {asset}{refused}"),
            *([("asks for", "your approval: " + ", ".join(preview["approval"]))] if preview["approval"] else []),
        ]
    )


def _more(page: Mapping[str, Any]) -> list[str]:
    return [f"more with --cursor {for_shell(page['next_cursor'])}"] if page["next_cursor"] else []


# ---- what an operator reads -----------------------------------------------------------------------------------------


def reconciliation_lines(found: Mapping[str, Any]) -> list[str]:
    """The totals per token, then every difference, or that there is none."""
    totals = [
        [
            one["asset"],
            one["supply"],
            one["wallets"],
            one["outside"],
            f"{one['reserve']} {one['reserve_asset']}",
            "none yet" if one["final_block"] is None else str(one["final_block"]),
        ]
        for one in found["totals"]
    ]
    lines = table(["token", "supply", "wallets", "outside", "reserve", "final block"], totals, right=range(1, 6))
    if found["recovery"]:
        lines = [found["recovery"], "", *lines]
    if found["corrections"]:
        lines += ["", "correcting transfers:", *_corrections(found["corrections"])]
    if not found["differences"]:
        return [*lines, "", "no difference"]
    count = len(found["differences"])
    return [*lines, "", f"{count} difference{'s' if count > 1 else ''}:", *_differences(found["differences"])]


def _corrections(corrections: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [
        [when(one["posted_at"]), one["debit"], one["credit"], one["amount"], " and ".join(one["by"]), one["reason"]]
        for one in corrections
    ]
    return table(["posted", "debit", "credit", "amount", "by", "reason"], rows, right=[3])


def recovery_lines(found: Mapping[str, Any]) -> list[str]:
    """How the gateway stands, then the payments that were missing and the addresses that are no wallet's."""
    lines = [found["says"]]
    if found["payments"]:
        rows = [
            [one["kind"], one["amount"], one["from"], one["to"], str(one["block"]), one["tx_hash"], when(one["met_at"])]
            for one in found["payments"]
        ]
        heads = ["kind", "amount", "from", "to", "block", "transaction", "asked again"]
        lines += ["", "on the chain and not in the database's requests:", *table(heads, rows, right=(1, 4))]
    if found["addresses"]:
        rows = [
            [one["address"], one["state"], f"@{one['handle']}" if one["handle"] else ""] for one in found["addresses"]
        ]
        lines += ["", "addresses that were no wallet's here:", *table(["address", "state", "handle"], rows)]
    return lines


def _differences(differences: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [[one["account"], one["book"], one["other"], one["where"]] for one in differences]
    return table(["account", "the book says", "the other side says", "where"], rows)


def frozen_lines(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Each asset whose withdrawals are stopped, why, and what to do about it."""
    lines = []
    for one in found:
        lines += [f"withdrawals of {one['asset']} are frozen since {when(one['since'])}:", ""]
        lines += [*_differences(one["differences"]), ""]
        lines += [f"find out why, put it right, then run 'gateway withdrawals unfreeze {for_shell(one['asset'])}'"]
    return lines or ["no withdrawals are frozen"]


def unfrozen_line(done: Mapping[str, Any]) -> str:
    """What goes on again."""
    return f"everything adds up: withdrawals of {done['asset']}, frozen since {when(done['since'])}, go on"


def master_keys_lines(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line per master key, the newest first."""
    rows = [
        [str(one["number"] or ""), one["key"], one["state"], when(one["made_at"]), "yes" if one["in_file"] else "no"]
        for one in found
    ]
    return table(["number", "master key", "state", "since", "in the file"], rows)


def added_key_lines(added: Mapping[str, Any]) -> list[str]:
    """Where the next master key is, and what to do with it."""
    return [f"{added['key']} is in {added['file']}: copy that to every machine, then run 'gateway master-keys rotate'"]


def rotated_lines(rotated: Mapping[str, Any]) -> list[str]:
    """How many keys are under the new master key, and what to do with the ones before."""
    before = ", ".join(rotated["retired"])
    backup = f"a backup from before needs {before}: keep a copy with it, then take it out of {rotated['file']}"
    return [
        f"{rotated['reencrypted']:,} keys re-encrypted under {rotated['key']}; no key is under another master key",
        *([backup] if before else []),
    ]


def operators_lines(found: Mapping[str, Any]) -> list[str]:
    """A line per operator, the first first."""
    rows = [[one["name"], one["state"], when(one["created_at"])] for one in found["items"]]
    return table(["operator", "state", "since"], rows) if rows else ["no operators"]


def verified_lines(found: Mapping[str, Any]) -> list[str]:
    """How many rows of both logs are under checkpoints, and what differs from them."""
    lines = facts(
        [
            ("checkpoints", str(found["checkpoints"])),
            ("events", f"{found['events']} covered, {found['events_pending']} pending"),
            ("audit events", f"{found['audit_events']} covered, {found['audit_events_pending']} pending"),
            ("head", found["head"]),
        ]
    )
    return [*lines, "", *([one["says"] for one in found["broken"]] or ["every row matches its checkpoint"])]


def audit_event_lines(found: Mapping[str, Any]) -> list[str]:
    """A line per audit event, the newest first."""
    heads = ["number", "at", "kind", "by", "wallet", "of", "facts"]
    rows = [
        [
            *(str(one["number"]), when(one["at"]), one["kind"], " ".join(filter(None, [one["by"], one["by_id"]]))),
            *(one["wallet"] or "", one["subject"] or "", json.dumps(one["facts"])),
        ]
        for one in found["items"]
    ]
    return table(heads, rows, right=[0]) if rows else ["no such audit events"]


def relayer_lines(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line per relayer, then why those that are stopped or refused are, and how they go on."""
    rows = [
        [
            one["address"],
            one["state"],
            str(one["next_nonce"]),
            str(one["open"]),
            when(one["oldest_open_at"]),
            one["balance"],
            f"{one['payments']:,} payments",
        ]
        for one in found
    ]
    if not rows:
        return ["no relayers yet: run 'gateway deploy'"]
    heads = ["relayer", "state", "next nonce", "open", "oldest open", "balance (ETH)", "lasts for"]
    return [
        *table(heads, rows, right=(2, 3, 5, 6)),
        *(
            f"{one['address']} is stopped: {one['reason']}. {one['advice']}"
            for one in found
            if one["state"] == "stopped"
        ),
        *(
            f"the node does not take what {one['address']} sends: {one['reason']}"
            for one in found
            if one["state"] == "refused"
        ),
        *(f"{one['address']} is {one['state']}: send it some ETH" for one in found if one["state"] in ("low", "dry")),
    ]


def resumed_line(gone_on: Mapping[str, Any]) -> str:
    """How a relayer goes on."""
    return (
        f"the relayer {gone_on['relayer']} goes on from nonce {gone_on['next_nonce']}; {gone_on['ended']} transactions "
        "were overtaken by others, and what they carried is queued again"
    )


def reread_line(read: Mapping[str, Any]) -> str:
    """What came of reading blocks again."""
    count = read["posted"]
    posted = "the book lacked nothing" if not count else f"{count} movements that the book lacked are posted now"
    return f"blocks {read['first']} to {read['last']} were read again: {posted}"


def sizes_lines(found: Mapping[str, Any]) -> list[str]:
    """Every table that has rows, and how what is written all over compares with the memory there is for it."""
    rows = [
        (one["name"], f"{one['rows']:,}", _bytes(one["table_bytes"]), _bytes(one["index_bytes"]))
        for one in found["tables"]
        if one["rows"]
    ]
    fits = found["spread_bytes"] <= found["cache_bytes"]
    verdict = (
        "it fits"
        if fits
        else "payments wait for the disk unless few wallets are active: give PostgreSQL more shared_buffers"
    )
    spread, cache = _bytes(found["spread_bytes"]), _bytes(found["cache_bytes"])
    return [
        *table(("table", "rows", "table", "indexes"), rows, right=(1, 2, 3)),
        "",
        f"what payments touch all over: {spread}; PostgreSQL's cache: {cache}; {verdict}",
    ]


def _bytes(count: int) -> str:
    """With the unit that keeps it short, by powers of 1024."""
    size, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while size >= 1024 and len(units) > 1:
        size, units = size / 1024, units[1:]
    return f"{count} B" if units[0] == "B" else f"{size:.1f} {units[0]}"


def when(time: str | None) -> str:
    """An RFC 3339 time to the second, easier on the eye."""
    return "" if time is None else f"{time[:10]} {time[11:19]} UTC"
