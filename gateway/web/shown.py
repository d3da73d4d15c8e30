"""Helpers of templates that show people and payments. Pure."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from gateway.api.operators.views import OperatorPaymentView
from gateway.api.payments.shapes import PaymentView
from gateway.api.requests.shapes import RequestView
from gateway.web.avatar import avatar_of
from gateway.web.failures import failure_of
from gateway.web.reader import Reader, exactly


def helpers(reader: Reader) -> Mapping[str, Callable[..., Any]]:
    """The functions that templates call, for this reader."""
    return {
        "avatar_of": avatar_of,
        "paid_of": paid_of,
        "direction_of": direction_of,
        "words_of": lambda state: words_of(state, reader),
        "left_of": left_of,
        "request_state_of": lambda request, mine: request_state_of(request, mine, reader),
        "is_some": is_some,
        "typed_of": typed_of,
        "failure_of": lambda code: failure_of(code, reader),
        "reason_of": lambda reason: reason_of(reason, reader),
        "state_of": lambda payment: state_of(payment, reader),
        "device_of": lambda agent: device_of(agent, reader),
        "sign_in_method_of": lambda by: sign_in_method_of(by, reader),
        "scope_of": lambda scope: scope_of(scope, reader),
    }


def paid_of(payment: PaymentView) -> str:
    """The part of a payment's amount that was or will be paid."""
    return payment.captured if payment.state == "settled" else payment.amount


#: States in which nothing has moved, and nothing will.
_UNMOVED: Final = ("failed", "voided", "expired", "declined")


def direction_of(payment: PaymentView | OperatorPaymentView, me: str) -> tuple[str, str]:
    """Which way the money of a payment goes for `me`, as a class of style.css and as a sign."""
    if payment.state in _UNMOVED:
        return "unmoved", ""
    return ("", "−") if payment.from_ == me else ("in", "+")


def left_of(payment: PaymentView) -> str:
    """The part of a payment that can still be refunded; empty if nothing is left, and for a refund, which is final."""
    with exactly():
        left = Decimal(payment.captured) - Decimal(payment.refunded)
        return f"{left:f}" if left and payment.refund_of is None else ""


def is_some(amount: str) -> bool:
    """Whether an amount is greater than zero."""
    return any(digit in "123456789" for digit in amount)


def typed_of(amount: str) -> str:
    """An amount as somebody types it: without zeros beyond two decimals."""
    whole, point, part = amount.partition(".")
    return f"{whole}{point}{part[:2]}{part[2:].rstrip('0')}"


def reason_of(reason: str, reader: Reader) -> str:
    """Why a payment needs its payer's approval."""
    match reason:
        case "amount":
            return reader.say("It is above your limit for one payment.")
        case "day":
            return reader.say("It is above your limit for a day.")
        case "new_payee":
            return reader.say("It is your first payment to them since you have had a passkey.")
        case "address":
            return reader.say("It goes to an address that is nobody's handle.")
        case "changed_payee":
            return reader.say("Their address has changed lately.")
        case "new_device":
            return reader.say("It was asked for on a new device.")
        case "before_passkey":
            return reader.say("It was set aside before you had a passkey.")
        case _:
            return reason


#: The colour of each state; None: the state is not shown.
_KINDS: Final[Mapping[str, str | None]] = {
    "requires_confirmation": "wait",
    "held": "wait",
    "queued": "wait",
    "submitted": "wait",
    "settled": None,
    "failed": "wrong",
    "voided": "",
    "expired": "",
    "declined": "",
}


def state_of(payment: PaymentView, reader: Reader) -> tuple[str, str]:
    """A payment's state in words, and its colour; no words if it is simply settled."""
    kind = _KINDS[payment.state]
    if kind is not None:
        return words_of(payment.state, reader), kind
    said = []

    def exact(amount: str) -> str:
        return reader.amount(amount, payment.asset).exact

    if payment.captured != payment.amount:
        said.append(reader.say("{part} of {whole}", part=exact(payment.captured), whole=exact(payment.amount)))
    if is_some(payment.refunded):
        said.append(reader.say("{amount} refunded", amount=exact(payment.refunded)))
    return ", ".join(said), ""


def request_state_of(request: RequestView, mine: bool, reader: Reader) -> tuple[str, str]:
    """A request's state in words, and its colour; `mine`: the reader has made it."""
    match request.state:
        case "open":
            return (reader.say("not paid yet") if mine else reader.say("waits for you")), "wait"
        case "pending":
            return reader.say("on its way"), "wait"
        case "paid":
            return reader.say("paid"), "good"
        case "declined":
            return reader.say("declined"), ""
        case "cancelled":
            return reader.say("cancelled"), ""
        case _:
            return reader.say("expired"), ""


#: The parts of a User-Agent that identify a browser and a system; the first match counts.
_BROWSERS: Final = (("Firefox/", "Firefox"), ("Edg/", "Edge"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS: Final = (
    *(("Android", "Android"), ("iPhone", "iOS"), ("iPad", "iOS"), ("Windows", "Windows")),
    *(("Mac OS", "macOS"), ("Linux", "Linux")),
)


def device_of(agent: str, reader: Reader) -> str:
    """A browser and its system, from the User-Agent: "Firefox on Android"."""
    agent = agent.replace("HeadlessChrome/", "Chrome/")
    browser, system = (next((name for sign, name in of if sign in agent), "") for of in (_BROWSERS, _SYSTEMS))
    if browser and system:
        return reader.say("{browser} on {system}", browser=browser, system=system)
    return browser or agent or reader.say("An unknown device")


def sign_in_method_of(by: str, reader: Reader) -> str:
    """How a session was started."""
    match by:
        case "passkey":
            return reader.say("with a passkey")
        case "ethereum":
            return reader.say("with an Ethereum wallet")
        case "recovery_code":
            return reader.say("with a recovery code")
        case _:
            return reader.say("with the sign-in link that the gateway printed")


def scope_of(scope: str, reader: Reader) -> tuple[str, str]:
    """The name of a scope, and the rights that it gives."""
    match scope:
        case "read":
            return reader.say("Read"), reader.say("Sees balances, payments, statements and events.")
        case "pay":
            return reader.say("Pay"), reader.say("Pays, within your limits or the ones that you set below.")
        case "refund":
            return reader.say("Refund"), reader.say("Gives back what somebody has paid you.")
        case "webhooks":
            return reader.say("Webhooks"), reader.say("Reads what was sent to your servers, and sends it again.")
        case _:
            return reader.say("Everything"), reader.say("Does all that you can, until you have a passkey.")


def words_of(state: str, reader: Reader) -> str:
    """A payment's state in words."""
    match state:
        case "requires_confirmation":
            return reader.say("needs your approval")
        case "held":
            return reader.say("set aside")
        case "queued" | "submitted":
            return reader.say("on its way")
        case "failed":
            return reader.say("failed")
        case "voided":
            return reader.say("taken back")
        case "expired":
            return reader.say("expired")
        case "declined":
            return reader.say("declined")
        case _:
            return reader.say("settled")
