"""The steps of a payment's timeline, derived from its rows. Pure.

A step has the time of its row. Where there is no row there is no step: no row is written for a check that passed, nor
for the session or key that made a payment, unless the key has a cap or a mandate was drawn on.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from gateway.ids import show
from gateway.money import Money
from gateway.payments.model.payment import Payment
from gateway.payments.timeline.rows import Rows
from gateway.payments.timeline.step import KINDS, Detail, Kind, Step
from gateway.postgres.pool import Record

#: The events of payments that ended without being paid.
_ENDS: Final[Mapping[str, Kind]] = {
    "payment.failed": "failed",
    "payment.voided": "voided",
    "payment.expired": "expired",
    "payment.declined": "declined",
}


@dataclass(frozen=True, slots=True)
class AuditLine:
    """An audit event of a payment, and its actor."""

    number: int
    kind: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The checkpoint that covers the newest of a payment's events, and so all of them."""

    number: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Timeline:
    """A payment and its steps, in the order of time. `checkpoint` is None until a worker has written it."""

    payment: Payment
    steps: Sequence[Step]
    events: Sequence[str]
    audit_events: Sequence[AuditLine]
    checkpoint: Checkpoint | None


def timeline_of(rows: Rows) -> Timeline:
    """The timeline derived from these rows."""
    places = {kind: place for place, kind in enumerate(KINDS)}
    steps = sorted(_steps(rows), key=lambda step: (step.at, places[step.kind]))
    audited = [AuditLine(row["id"], row["kind"], _by(row), row["at"]) for row in rows.audit_events]
    row = rows.checkpoint
    covered = None if row is None else Checkpoint(row["number"], row["at"])
    return Timeline(rows.payment, steps, [row["kind"] for row in rows.events], audited, covered)


def _steps(rows: Rows) -> Iterator[Step]:
    yield Step("requested", rows.payment.created_at, dict(_request(rows)))
    yield from _decided(rows)
    yield from _in_ledger(rows)
    yield from _on_chain(rows)
    yield from _ended(rows)
    yield from _refunded(rows)
    if rows.report is not None:
        yield Step("reported", rows.report["placed_at"], {"by": rows.payment.payer_name})
    yield from _deliveries(rows)


def _request(rows: Rows) -> Iterator[tuple[str, Detail]]:
    """The request: its caller and credential, as far as they are stored."""
    payment = rows.payment
    mandates = [show("mdt", row["scope_id"]) for row in rows.limits if row["scope"] == "mandate"]
    keys = [row["name"] for row in rows.limits if row["scope"] == "cap" and row["name"] is not None]
    yield "by", payment.payee_name if mandates else payment.payer_name
    if mandates:
        yield "mandate", mandates[0]
    if keys:
        yield "api_key", keys[0]
    if rows.key is not None:
        yield "idempotency_key", rows.key
    if payment.refund_of is not None:
        yield "refund_of", show("pay", payment.refund_of)
    if payment.note is not None and payment.note.reference is not None:
        yield "reference", payment.note.reference
    if payment.memo is not None:
        yield "memo", payment.memo


def _decided(rows: Rows) -> Iterator[Step]:
    """The approvals and signatures that the payment needed, and who gave them."""
    for row in rows.events:
        if row["kind"] == "payment.requires_confirmation":
            reasons = _payload(row).get("approval")
            if reasons:
                yield Step("approval_needed", row["at"], {"reasons": list(reasons)})
            else:
                yield Step("signature_needed", row["at"], {"by": rows.payment.payer_name})
    for row in rows.audit_events:
        if row["kind"] == "payment.approved":
            yield Step("approved", row["at"], {"by": _by(row)})


def _in_ledger(rows: Rows) -> Iterator[Step]:
    """The holds and postings in the ledger, a step for each leg."""
    id = show("trf", rows.payment.transfer_id)
    for row in rows.holds:
        details: dict[str, Detail] = {"transfer": id, "debit": row["debit"], "credit": row["credit"]}
        yield Step("held", row["created_at"], details | {"amount": _amount(rows, row["amount"])})
    for row in rows.transfers:
        sides: dict[str, Detail] = {
            "debit": row["debit"],
            "debit_number": row["debit_number"],
            "debit_balance": _amount(rows, row["debit_balance"]),
            "credit": row["credit"],
            "credit_number": row["credit_number"],
            "credit_balance": _amount(rows, row["credit_balance"]),
        }
        yield Step("transferred", row["posted_at"], {"transfer": id, "amount": _amount(rows, row["amount"]), **sides})


def _on_chain(rows: Rows) -> Iterator[Step]:
    """The authorization, the chain transaction that carries it, and the final block that contains it."""
    row = rows.on_chain
    if row is None:
        return
    signed: dict[str, Detail] = {"nonce": row["nonce"], "from": row["from_address"], "to": row["to_address"]}
    yield Step("authorized", row["created_at"], signed | {"signed_by": row["signed_by"]})
    seen = rows.observed
    if row["relayer"] is not None:
        relayed: dict[str, Detail] = {
            "relayer": row["relayer"],
            "relayer_nonce": row["relayer_nonce"],
            "gas_limit": row["gas_limit"],
            "attempts": row["attempts"],
        }
        if rows.payment.tx_hash is not None:
            relayed["tx_hash"] = rows.payment.tx_hash
        if seen is not None:
            relayed["others"] = seen["together"] - 1
        yield Step("relayed", row["stored_at"], relayed)
    if seen is not None and rows.payment.settled_at is not None:
        final: dict[str, Detail] = {"block": seen["block_number"], "log": seen["log_index"]}
        tx_hash = "0x" + seen["transaction_hash"].hex()
        yield Step("final", row["concluded_at"] or rows.payment.settled_at, final | {"tx_hash": tx_hash})


def _ended(rows: Rows) -> Iterator[Step]:
    payment = rows.payment
    for row in rows.events:
        if row["kind"] == "payment.settled":
            captured: dict[str, Detail] = {"captured": payment.captured.amount}
            yield Step("settled", row["at"], captured | {"event": row["id"]})
        elif row["kind"] in _ENDS:
            why: dict[str, Detail] = {"event": row["id"]}
            failure = _payload(row).get("failure")
            yield Step(_ENDS[row["kind"]], row["at"], why if failure is None else why | {"reason": failure})


def _refunded(rows: Rows) -> Iterator[Step]:
    for one in rows.refunds:
        details: dict[str, Detail] = {"payment": show("pay", one.id), "amount": one.amount.amount}
        yield Step("refunded", one.created_at, details | {"state": one.state.value})


def _deliveries(rows: Rows) -> Iterator[Step]:
    """The webhook deliveries and the notifications, as one step each, at the time of the last attempt."""
    tried = [row["last_at"] for row in rows.webhooks if row["last_at"] is not None]
    if rows.webhooks:
        states = [row["state"] for row in rows.webhooks]
        details: dict[str, Detail] = {
            "delivered": states.count("delivered"),
            "pending": states.count("pending"),
            "failed": states.count("failed"),
            "retried": sum(row["tries"] > 1 for row in rows.webhooks),
            "endpoints": sorted({show("whk", row["id"]) for row in rows.webhooks}),
        }
        reasons = sorted({outcome for row in rows.webhooks for outcome in row["failures"] or ()})
        last = max(tried, default=rows.events[-1]["at"])
        yield Step("webhooks", last, details | ({"reasons": reasons} if reasons else {}))
    if rows.notifications:
        states = [row["state"] for row in rows.notifications]
        ended = [row["ended_at"] for row in rows.notifications if row["ended_at"] is not None]
        told: dict[str, Detail] = {
            "kinds": sorted({row["kind"] for row in rows.notifications}),
            "channels": sorted({row["channel"] for row in rows.notifications if row["state"] == "sent"}),
            "sent": states.count("sent"),
            "pending": states.count("pending"),
            "failed": states.count("failed"),
        }
        reasons = sorted({row["reason"] for row in rows.notifications if row["state"] == "failed" and row["reason"]})
        last = max(ended, default=rows.events[-1]["at"])
        yield Step("notified", last, told | ({"reasons": reasons} if reasons else {}))


def _payload(row: Record) -> Any:
    return msgspec.json.decode(row["payload"])


def _by(row: Record) -> str:
    return f"{row['by_kind']} {row['by_id']}".strip()


def _amount(rows: Rows, units: int) -> str:
    return Money(int(units), rows.payment.amount.asset).amount
