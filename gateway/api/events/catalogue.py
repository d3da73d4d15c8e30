"""Every type of event that a wallet is told of. A type is never changed or dropped; its object may get more fields.

A type is the object's name and a verb in the past. What only the gateway's operators are told of (relayers, withdrawal
freezes, differences) is in the same log without a wallet, and is no type of this list.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

from gateway.errors import InvalidRequest

#: The version that objects are written in, as in the paths.
API_VERSION: Final = "v1"

#: By type: the object that it is of (shapes.py), and when it is made.
CATALOGUE: Final[dict[str, tuple[str, str]]] = {
    "payment.requires_confirmation": ("payment", "A payment waits for its payer's approval or signature."),
    "payment.held": ("payment", "Money was set aside for a payment, to capture or void it."),
    "payment.queued": ("payment", "A token payment was accepted and waits to be sent to the chain."),
    "payment.submitted": ("payment", "A token payment is in a chain transaction. It is not final."),
    "payment.settled": (
        "payment",
        "The money is the payee's, for good. A refund is a payment too (`refund_of`).",
    ),
    "payment.failed": ("payment", "The chain can never settle the payment; its payer has the money back."),
    "payment.voided": ("payment", "The payment was given back on purpose."),
    "payment.expired": ("payment", "The payment was not captured, approved or signed in time, and was given back."),
    "payment.refused": ("payment", "The payer did not approve the payment."),
    "conversion.queued": ("conversion", "A conversion was accepted and waits to be sent to the chain."),
    "conversion.submitted": ("conversion", "A conversion is in a chain transaction. It is not final."),
    "conversion.settled": ("conversion", "The wallet has what it converted into, for good."),
    "conversion.failed": ("conversion", "The chain can never settle the conversion; what was given is back."),
    "deposit.settled": ("bank_movement", "Money came in from the bank."),
    "withdrawal.settled": ("bank_movement", "Money went out to the bank."),
    "mandate.granted": ("mandate", "A payer lets a payee draw."),
    "mandate.approved": ("mandate", "A payer approved a mandate that is older than the wallet's first passkey."),
    "mandate.revoked": ("mandate", "Nothing can be drawn by the mandate any more."),
    "token.observed": ("observation", "Tokens came to the wallet's address or left it, without the gateway."),
    "ledger.corrected": ("correction", "The gateway's operators corrected the wallet's balance."),
    "wallet.created": ("wallet", "The handle was claimed."),
    "wallet.bound": ("wallet", "The wallet has another address."),
    "wallet.key_exported": ("wallet", "The owner had the private key of the wallet's address shown."),
    "wallet.frozen": ("wallet", "Nothing can be paid from the wallet."),
    "wallet.unfrozen": ("wallet", "The wallet can pay again."),
    "wallet.freeze_lapsed": ("wallet", "A freeze of the wallet has ended by its time."),
    "wallet.returned": ("wallet", "The wallet is back after the gateway was restored from a backup."),
    "policy.changed": ("policy", "The wallet's policy is another one."),
    "api_key.made": ("api_key", "There is a new API key."),
    "api_key.replaced": ("api_key", "An API key was replaced by this one."),
    "api_key.approved": ("api_key", "The owner approved an API key that is older than the wallet's first passkey."),
    "api_key.revoked": ("api_key", "The API key opens nothing any more."),
    "passkey.added": ("passkey", "There is a new passkey."),
    "passkey.revoked": ("passkey", "The passkey opens nothing any more."),
    "passkey.stopped": ("passkey", "The passkey seems to have been copied, and opens nothing any more."),
    "session.started": ("session", "Somebody has signed in."),
    "session.ended": ("session", "A session has ended."),
    "recovery_codes.made": ("recovery_codes", "There are new recovery codes; those before open nothing any more."),
    "recovery_code.used": ("recovery_codes", "Somebody has signed in with a recovery code."),
    "webhook.created": ("webhook", "There is a new endpoint for webhooks."),
    "webhook.changed": ("webhook", "An endpoint has other settings, or is enabled or disabled by its owner."),
    "webhook.secret_rotated": ("webhook", "An endpoint has a new secret; the old one signs for a day more."),
    "webhook.disabled": ("webhook", "Nothing is sent to an endpoint any more: it answered 410, or failed for days."),
    "webhook.deleted": ("webhook", "An endpoint was deleted."),
    "webhook.test": ("webhook", "Its owner tests an endpoint. It is sent to that endpoint alone."),
}

TYPES: Final = tuple(CATALOGUE)


def types_named(text: str) -> Sequence[str]:
    """The types that `payment.settled`, or `payment.*` for all that begin so, names. Raises InvalidRequest."""
    if text.endswith(".*") and (named := [one for one in TYPES if one.startswith(text[:-1])]):
        return named
    if text in CATALOGUE:
        return [text]
    near = get_close_matches(text[:60], [*TYPES, *sorted({f"{one.partition('.')[0]}.*" for one in TYPES})], 3)
    hint = f"did you mean {' or '.join(near)}?" if near else "GET /openapi.json lists them under `webhooks`"
    raise InvalidRequest("type", f"{text[:60]!r} is no type of event; {hint}")
