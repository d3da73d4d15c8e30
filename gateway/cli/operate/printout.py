"""The output of operators' commands for people, from the same objects that `--json` prints."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.cli.output import fields, table, when
from gateway.escape import for_shell, for_terminal


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
    """The state of the recovery, then the payments that were missing and the addresses that belong to no wallet."""
    lines = [found["message"]]
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
    rows = [[one["account"], one["ledger"], one["other"], one["where"]] for one in differences]
    return table(["account", "the ledger says", "the other side says", "where"], rows)


def frozen_lines(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Each asset whose withdrawals are frozen, why, and what to do."""
    lines = []
    for one in found:
        lines += [f"withdrawals of {one['asset']} are frozen since {when(one['since'])}:", ""]
        lines += [*_differences(one["differences"]), ""]
        lines += [f"find out why, put it right, then run 'gateway withdrawals unfreeze {for_shell(one['asset'])}'"]
    return lines or ["no withdrawals are frozen"]


def unfrozen_line(done: Mapping[str, Any]) -> str:
    """The asset whose withdrawals continue."""
    return f"everything adds up: withdrawals of {done['asset']}, frozen since {when(done['since'])}, go on"


def master_keys_lines(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line per master key, newest first."""
    rows = [
        [str(one["number"] or ""), one["key"], one["state"], when(one["made_at"]), "yes" if one["in_file"] else "no"]
        for one in found
    ]
    return table(["number", "master key", "state", "since", "in the file"], rows)


def added_key_lines(added: Mapping[str, Any]) -> list[str]:
    """The file of the next master key, and what to do with it."""
    return [f"{added['key']} is in {added['file']}: copy that to every machine, then run 'gateway master-keys rotate'"]


def rotated_lines(rotated: Mapping[str, Any]) -> list[str]:
    """How many keys are encrypted under the new master key, and what to do with the previous ones."""
    before = ", ".join(rotated["retired"])
    backup = f"a backup from before needs {before}: keep a copy with it, then take it out of {rotated['file']}"
    return [
        f"{rotated['reencrypted']:,} keys re-encrypted under {rotated['key']}; no key is under another master key",
        *([backup] if before else []),
    ]


def operators_lines(found: Mapping[str, Any]) -> list[str]:
    """A line per operator, oldest first."""
    rows = [[one["name"], one["role"], one["state"], when(one["created_at"])] for one in found["items"]]
    return table(["operator", "role", "state", "since"], rows) if rows else ["no operators"]


def verified_lines(found: Mapping[str, Any]) -> list[str]:
    """How many rows of both logs were verified, and the mismatches."""
    lines = fields(
        [
            ("checkpoints", str(found["checkpoints"])),
            ("events", f"{found['events']} covered, {found['events_pending']} pending"),
            ("audit events", f"{found['audit_events']} covered, {found['audit_events_pending']} pending"),
            ("head", found["head"]),
        ]
    )
    checked = found["events"] + found["audit_events"]
    verdict = "every row matches its checkpoint" if checked else "no rows were compared: no checkpoint covers any"
    return [*lines, "", *([one["message"] for one in found["broken"]] or [verdict])]


def audit_event_lines(found: Mapping[str, Any]) -> list[str]:
    """A line per audit event, newest first."""
    heads = ["number", "at", "kind", "by", "wallet", "of", "details"]
    rows = [
        [
            *(str(one["number"]), when(one["at"]), one["kind"], " ".join(filter(None, [one["by"], one["by_id"]]))),
            *(one["wallet"] or "", one["subject"] or "", json.dumps(one["details"])),
        ]
        for one in found["items"]
    ]
    return table(heads, rows, right=[0]) if rows else ["no such audit events"]


def relayer_lines(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line per relayer, then the reasons of stopped or refused ones, and what to do."""
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
    """The result of resuming a relayer."""
    return (
        f"the relayer {gone_on['relayer']} goes on from nonce {gone_on['next_nonce']}; {gone_on['ended']} transactions "
        "were overtaken by others, and what they carried is queued again"
    )


def reread_line(read: Mapping[str, Any]) -> str:
    """The result of reading blocks again."""
    count = read["posted"]
    posted = "the ledger lacked nothing" if not count else f"{count} movements that the ledger lacked are posted now"
    return f"blocks {read['first']} to {read['last']} were read again: {posted}"


def sizes_lines(found: Mapping[str, Any]) -> list[str]:
    """Every table that has rows, and the size of the randomly accessed part compared with PostgreSQL's cache."""
    rows = [
        (one["name"], f"{one['rows']:,}", size(one["table_bytes"]), size(one["index_bytes"]))
        for one in found["tables"]
        if one["rows"]
    ]
    fits = found["working_set_bytes"] <= found["cache_bytes"]
    verdict = (
        "it fits"
        if fits
        else "payments wait for the disk unless few wallets are active: give PostgreSQL more shared_buffers"
    )
    spread, cache = size(found["working_set_bytes"]), size(found["cache_bytes"])
    return [
        *table(("table", "rows", "table", "indexes"), rows, right=(1, 2, 3)),
        "",
        f"what payments read and write at random: {spread}; PostgreSQL's cache: {cache}; {verdict}",
    ]


def configuration_lines(found: Mapping[str, Any]) -> list[str]:
    """Every setting with its value and source, then the faults and the missing settings."""
    rows = [(one["name"], one["value"], one["source"]) for one in found["settings"]]
    wrong = [for_terminal(one["message"]) for one in found["faults"]]
    missing = [f"warning: {for_terminal(one['message'])}" for one in found["warnings"]]
    return [*table(("setting", "value", "from"), rows), "", *(wrong or ["every setting is valid"]), *missing]


def doctor_lines(found: Mapping[str, Any]) -> list[str]:
    """A line per diagnostic, and how many failed."""
    rows = [(one["name"], one["state"], one["message"]) for one in found["findings"]]
    count = sum(one["state"] == "failed" for one in found["findings"])
    return [*table(("what", "state", "found"), rows), "", f"{count} failed" if count else "nothing failed"]


def size(count: int) -> str:
    """A size in the unit that keeps it short, by powers of 1024."""
    number, units = float(count), ["B", "KiB", "MiB", "GiB", "TiB"]
    while number >= 1024 and len(units) > 1:
        number, units = number / 1024, units[1:]
    return f"{count} B" if units[0] == "B" else f"{number:.1f} {units[0]}"
