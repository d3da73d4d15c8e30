"""Every type of event that wallets get. A type is never changed or removed; its object may get more fields.

A type is the object's name and a verb in the past tense. Events for the gateway's operators (relayers, withdrawal
freezes, differences) are in the same log without a wallet, and are not in this list.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

from gateway.errors import InvalidRequest

#: The version of the objects' format, as in the paths.
API_VERSION: Final = "v1"

#: By type: the kind of its object (shapes.py), and its meaning.
CATALOGUE: Final[dict[str, tuple[str, str]]] = {
    "payment.requires_confirmation": ("payment", "A payment waits for its payer's approval or signature."),
    "payment.held": ("payment", "The money of a payment was set aside, to be captured or voided."),
    "payment.queued": ("payment", "A token payment was accepted and waits to be sent to the chain."),
    "payment.submitted": ("payment", "A token payment was put into a chain transaction that is not final yet."),
    "payment.settled": ("payment", "The payment is complete and final. A refund is a payment too (`refund_of`)."),
    "payment.failed": ("payment", "The payment can never settle on the chain; the payer has the money back."),
    "payment.voided": ("payment", "The payment was voided; the payer has the money back."),
    "payment.expired": (
        "payment",
        "The payment was not captured, approved or signed in time; the payer has the money back.",
    ),
    "payment.declined": ("payment", "The payer declined to approve the payment."),
    "conversion.queued": ("conversion", "A conversion was accepted and waits to be sent to the chain."),
    "conversion.submitted": ("conversion", "A conversion was put into a chain transaction that is not final yet."),
    "conversion.settled": ("conversion", "The conversion is complete and final."),
    "conversion.failed": ("conversion", "The conversion can never settle on the chain; the wallet has its money back."),
    "deposit.settled": ("bank_movement", "Money was deposited from the bank."),
    "withdrawal.settled": ("bank_movement", "Money was withdrawn to the bank."),
    "mandate.granted": ("mandate", "A payer granted a mandate: the payee may draw."),
    "mandate.approved": ("mandate", "A payer approved a mandate from before the wallet's first passkey."),
    "mandate.revoked": ("mandate", "A mandate was revoked: nothing more can be drawn."),
    "request.created": ("request", "A wallet asked another one for money."),
    "request.paid": ("request", "A request was paid: its payment has settled."),
    "request.declined": ("request", "The wallet that was asked declined a request."),
    "request.cancelled": (
        "request",
        "A request was cancelled by the wallet that made it, or because one of the two wallets was closed.",
    ),
    "token.observed": ("observation", "Tokens were sent to or from the wallet's address outside the gateway."),
    "ledger.corrected": ("correction", "The gateway's operators corrected the wallet's balance."),
    "wallet.created": ("wallet", "The handle was claimed."),
    "wallet.bound": ("wallet", "The wallet was bound to another address."),
    "wallet.key_exported": ("wallet", "The owner exported the private key of the wallet's address."),
    "wallet.closed": ("wallet", "The owner closed the wallet for ever."),
    "wallet.frozen": ("wallet", "The wallet was frozen: nothing can be paid from it."),
    "wallet.unfrozen": ("wallet", "The wallet was unfrozen."),
    "wallet.freeze_expired": ("wallet", "A freeze of the wallet has expired."),
    "wallet.returned": ("wallet", "A wallet that a restore from a backup had lost was recovered."),
    "policy.changed": ("policy", "The wallet's policy was changed."),
    "api_key.created": ("api_key", "An API key was created."),
    "api_key.replaced": ("api_key", "This API key replaced another one."),
    "api_key.approved": ("api_key", "The owner approved an API key from before the wallet's first passkey."),
    "api_key.revoked": ("api_key", "An API key was revoked."),
    "passkey.added": ("passkey", "A passkey was added."),
    "passkey.revoked": ("passkey", "A passkey was revoked."),
    "passkey.stopped": ("passkey", "A passkey was disabled because it seems to have been cloned."),
    "session.started": ("session", "Somebody signed in."),
    "session.ended": ("session", "A session ended."),
    "recovery_codes.created": ("recovery_codes", "New recovery codes were created; the old ones no longer work."),
    "recovery_code.used": ("recovery_codes", "Somebody signed in with a recovery code."),
    "notification_address.added": ("notification_address", "An address for notifications was added to the wallet."),
    "notification_address.removed": ("notification_address", "An address for notifications was removed."),
    "notification_address.failed": (
        "notification_address",
        "An address for notifications no longer accepts messages; nothing more is sent to it.",
    ),
    "notification_preferences.changed": ("wallet", "The choice of notifications that are sent was changed."),
    "webhook.created": ("webhook", "A webhook endpoint was created."),
    "webhook.changed": ("webhook", "A webhook endpoint's settings were changed, or its owner enabled or disabled it."),
    "webhook.secret_rotated": (
        "webhook",
        "A webhook endpoint's secret was rotated; the old one stays valid for a day.",
    ),
    "webhook.disabled": ("webhook", "The gateway disabled a webhook endpoint that answered 410 or failed for days."),
    "webhook.deleted": ("webhook", "A webhook endpoint was deleted."),
    "webhook.test": ("webhook", "The owner tests a webhook endpoint. The event is sent to that endpoint only."),
}

TYPES: Final = tuple(CATALOGUE)


def types_named(text: str) -> Sequence[str]:
    """The types that a filter selects: one type, or a group such as `payment.*`. Raises InvalidRequest."""
    if text.endswith(".*") and (named := [one for one in TYPES if one.startswith(text[:-1])]):
        return named
    if text in CATALOGUE:
        return [text]
    near = get_close_matches(text[:60], [*TYPES, *sorted({f"{one.partition('.')[0]}.*" for one in TYPES})], 3)
    hint = f"did you mean {' or '.join(near)}?" if near else "GET /openapi.json lists them under `webhooks`"
    raise InvalidRequest("type", f"{text[:60]!r} is not an event type; {hint}")
