"""The steps of a payment's timeline in words: the kind, the effects, and the time since the first. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from gateway.api.operators.running.shapes import PaymentTimelineView, StepView
from gateway.web.failures import failure_of
from gateway.web.reader import Reader

#: The colours of steps other than the usual ones.
_KINDS: Final[Mapping[str, str]] = {
    "approval_needed": "wait",
    "signature_needed": "wait",
    "failed": "wrong",
    "voided": "wait",
    "expired": "wait",
    "declined": "wait",
    "refunded": "digital",
    "reported": "wrong",
    "webhooks": "digital",
    "notified": "digital",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A step as it is shown. `since` is the time of the first step, and for the others the time since the first; `link`
    leads to another payment.
    """

    title: str
    details: Sequence[str]
    since: str
    at: str
    kind: str
    link: str = ""


def shown(timeline: PaymentTimelineView, reader: Reader) -> list[Shown]:
    """All steps, in their order."""
    started = timeline.steps[0].at
    return [_shown(step, started, timeline.payment.asset, reader) for step in timeline.steps]


def _shown(step: StepView, started: str, asset: str, reader: Reader) -> Shown:
    details: Mapping[str, Any] = step.details
    return Shown(
        title=_title(step.kind, details, asset, reader),
        details=list(_details(step.kind, details, asset, reader)),
        since=reader.clock_exact(step.at) if step.kind == "requested" else after(started, step.at, reader),
        at=step.at,
        kind=_KINDS.get(step.kind, ""),
        link=f"/console/payments/{details['payment']}" if step.kind == "refunded" else "",
    )


def after(started: str, at: str, reader: Reader) -> str:
    """The time since the beginning, in a suitable unit."""
    say, passed = reader.say, datetime.fromisoformat(at) - datetime.fromisoformat(started)
    seconds = passed.total_seconds()
    if passed < timedelta(seconds=1):
        return say("+ {number} ms", number=f"{seconds * 1_000:.0f}")
    if passed < timedelta(minutes=2):
        return say("+ {number} s", number=f"{seconds:.2f}")
    if passed < timedelta(hours=2):
        return say("+ {number} min", number=f"{seconds / 60:.0f}")
    if passed < timedelta(days=2):
        return say("+ {number} h", number=f"{seconds / 3_600:.0f}")
    return say("+ {number} days", number=f"{seconds / 86_400:.0f}")


def _title(kind: str, details: Mapping[str, Any], asset: str, reader: Reader) -> str:
    say = reader.say
    match kind:
        case "requested":
            return say("Requested by {who}", who=details["by"])
        case "approval_needed":
            return say("Approval needed")
        case "signature_needed":
            return say("Signature needed")
        case "approved":
            return say("Approved")
        case "held":
            return say("Held in the ledger")
        case "authorized":
            return say("Authorized")
        case "relayed":
            return _relayed(details, reader)
        case "final":
            return say("In final block {number}", number=f"{details['block']:,}")
        case "transferred":
            return say("Posted in the ledger")
        case "settled":
            return say("Payment settled")
        case "failed":
            return say("Failed")
        case "voided":
            return say("Voided")
        case "expired":
            return say("Expired")
        case "declined":
            return say("Declined")
        case "refunded":
            return say("{amount} refunded", amount=reader.amount(details["amount"], asset).exact)
        case "reported":
            return say("Reported as unauthorized")
        case "webhooks":
            return say("Sent to webhooks")
        case _:
            return say("Notifications sent")


def _relayed(details: Mapping[str, Any], reader: Reader) -> str:
    if "others" not in details:
        return reader.say("Relayed")
    if details["others"] == 0:
        return reader.say("Relayed alone")
    if details["others"] == 1:
        return reader.say("Relayed with one other")
    return reader.say("Relayed with {number} others", number=f"{details['others']:,}")


def _details(kind: str, details: Mapping[str, Any], asset: str, reader: Reader) -> Iterator[str]:
    say = reader.say
    match kind:
        case "requested":
            yield from _requested(details, reader)
        case "approval_needed":
            yield from (reason_name(one, reader) for one in details["reasons"])
        case "signature_needed":
            yield say("by a key of {who}", who=details["by"])
        case "approved" | "reported":
            yield say("by {name}", name=details["by"])
        case "held":
            yield f"{details['debit']} → {details['credit']}"
            yield reader.amount(details["amount"], asset).exact
            yield details["transfer"]
        case "authorized":
            yield say("EIP-3009 nonce {nonce} of {address}", nonce=details["nonce"], address=short(details["from"]))
            if details["signed_by"] != "gateway":
                yield say("signed by the owner's own key")
        case "relayed":
            if "tx_hash" in details:
                yield short(details["tx_hash"])
            yield say(
                "relayer {address}, nonce {nonce}", address=short(details["relayer"]), nonce=details["relayer_nonce"]
            )
            yield say("gas limit {number}", number=f"{details['gas_limit']:,}")
            if details["attempts"] > 1:
                yield say("{number} attempts", number=details["attempts"])
        case "final":
            yield say("log {number}", number=details["log"])
        case "transferred":
            yield from _posted(details, asset, reader)
        case "settled":
            yield say("{amount} paid", amount=reader.amount(details["captured"], asset).exact)
            yield say("event {number}", number=f"{details['event']:,}")
        case "refunded":
            yield details["payment"]
        case "webhooks" | "notified":
            yield from _told(details, reader)
        case _:
            yield from ([failure_of(details["reason"], reader)] if "reason" in details else [])


def _requested(details: Mapping[str, Any], reader: Reader) -> Iterator[str]:
    say = reader.say
    if "api_key" in details:
        yield say("API key {name}", name=details["api_key"])
    if "mandate" in details:
        yield say("by mandate {id}", id=details["mandate"])
    if "refund_of" in details:
        yield say("refund of {id}", id=details["refund_of"])
    if "idempotency_key" in details:
        yield f"Idempotency-Key {details['idempotency_key']}"


def _posted(details: Mapping[str, Any], asset: str, reader: Reader) -> Iterator[str]:
    for side in ("debit", "credit"):
        yield reader.say(
            "{account}: entry {number}, then {balance}",
            account=details[side],
            number=f"{details[f'{side}_number']:,}",
            balance=reader.amount(details[f"{side}_balance"], asset).exact,
        )


def _told(details: Mapping[str, Any], reader: Reader) -> Iterator[str]:
    say = reader.say
    if details.get("delivered"):
        yield say("{number} delivered", number=details["delivered"])
    if details.get("sent"):
        yield say("{number} sent by {channels}", number=details["sent"], channels=", ".join(details["channels"]))
    if details["pending"]:
        yield say("{number} waiting", number=details["pending"])
    if details["failed"]:
        yield say("{number} failed", number=details["failed"])
    if details.get("retried"):
        yield say("{number} retried", number=details["retried"])
    if details.get("reasons"):
        yield ", ".join(details["reasons"]).replace("_", " ")


def reason_name(reason: str, reader: Reader) -> str:
    """The reason for an approval, in the third person."""
    say = reader.say
    match reason:
        case "amount":
            return say("above the limit of one payment")
        case "day":
            return say("above the limit of a day")
        case "new_payee":
            return say("a payee never paid before")
        case "address":
            return say("to an address that is nobody's handle")
        case "changed_payee":
            return say("the payee's address changed lately")
        case "new_device":
            return say("asked for on a new device")
        case "before_passkey":
            return say("held before there was a passkey")
        case _:
            return reason


def short(text: str) -> str:
    """The first and last characters of an address or a hash."""
    return f"{text[:6]}…{text[-4:]}" if text.startswith("0x") else text
