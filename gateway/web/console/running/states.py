"""Relayers, checks and outcomes of deliveries in words. Pure."""

from gateway.api.operators.running.shapes import CheckView, RelayerView
from gateway.notifications.texts.language import SOURCE
from gateway.web.problems import sentence
from gateway.web.reader import Reader


def relayer_state(state: str, reader: Reader) -> str:
    match state:
        case "runs":
            return reader.say("runs")
        case "low":
            return reader.say("low on gas money")
        case "dry":
            return reader.say("out of gas money")
        case "refused":
            return reader.say("refused by the node")
        case _:
            return reader.say("stopped")


def relayer_reason(relayer: RelayerView, reader: Reader) -> str:
    """Why a relayer is stopped or refused: the original sentence in English; in other languages a sentence for its
    state.
    """
    if reader.locale == SOURCE or not relayer.reason:
        return sentence(relayer.reason)
    if relayer.state == "refused":
        return reader.say("The node refuses its transactions; gateway relayers says why.")
    return reader.say("Its next nonce was used on the chain by a transaction that the database does not know.")


def check_name(name: str, reader: Reader) -> str:
    match name:
        case "durability":
            return reader.say("Durability")
        case "clock":
            return reader.say("Clocks")
        case "worker":
            return reader.say("Worker")
        case "recovery":
            return reader.say("Recovery after a restore")
        case "checkpoints":
            return reader.say("Checkpoints of the logs")
        case _:
            return name


def check_state(state: str, reader: Reader) -> str:
    match state:
        case "ok":
            return reader.say("ok")
        case "failed":
            return reader.say("failed")
        case _:
            return reader.say("warning")


def check_message(check: CheckView, reader: Reader) -> str:
    """The result of a check: the original sentence in English; in other languages a sentence for its name and state."""
    if reader.locale == SOURCE:
        return sentence(check.message)
    is_ok = check.state == "ok"
    match check.name:
        case "durability" if is_ok:
            return reader.say("A payment that was answered survives a crash of the database's machine.")
        case "durability":
            return reader.say("The database's server may lose payments in a crash: turn on fsync and full_page_writes.")
        case "clock" if is_ok:
            return reader.say("This machine's clock agrees with the database's within a second.")
        case "clock":
            return reader.say("This machine's clock does not agree with the database's: set it right (NTP).")
        case "worker" if is_ok:
            return reader.say("A worker runs, and its transactions become final.")
        case "worker":
            return reader.say("Token payments wait: no worker runs, or its relayers send nothing. See gateway doctor.")
        case "recovery" if is_ok:
            return reader.say("The database is not older than the chain.")
        case "recovery":
            return reader.say("The database is older than the chain, as after a restore: see gateway recovery.")
        case "checkpoints" if is_ok:
            return reader.say("Checkpoints cover both logs.")
        case _:
            return reader.say("No checkpoint covers what was logged lately: start gateway work.")


def event_name(kind: str, reader: Reader) -> str:
    """The name of a payment's event."""
    match kind.partition(".")[2]:
        case "requires_confirmation":
            return reader.say("waits for its payer")
        case "held":
            return reader.say("held")
        case "queued":
            return reader.say("queued")
        case "submitted":
            return reader.say("submitted")
        case "settled":
            return reader.say("settled")
        case "failed":
            return reader.say("failed")
        case "voided":
            return reader.say("voided")
        case "expired":
            return reader.say("expired")
        case "declined":
            return reader.say("declined")
        case other:
            return other


def outcome_name(outcome: str, status: int | None, reader: Reader) -> str:
    """The outcome of a delivery attempt in words. Unknown reasons are shown as in the API."""
    match outcome:
        case "delivered":
            return reader.say("delivered")
        case "gone":
            return reader.say("HTTP 410: gone")
        case "http_status" | "redirect" | "too_many_requests" if status is not None:
            return reader.say("HTTP {status}", status=status)
        case _:
            return outcome.replace("_", " ")
