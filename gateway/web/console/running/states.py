"""Relayers, checks and outcomes of deliveries in words. Pure."""

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


def outcome_name(outcome: str, status: int | None, reader: Reader) -> str:
    """What came of an attempt to deliver. Other reasons than these are said as the API says them."""
    match outcome:
        case "delivered":
            return reader.say("delivered")
        case "gone":
            return reader.say("HTTP 410: gone")
        case "http_status" | "redirect" | "too_many_requests" if status is not None:
            return reader.say("HTTP {status}", status=status)
        case _:
            return outcome.replace("_", " ")
