"""The words about notifications that the API and its clients share. Imports nothing of the server."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

#: The prefix of address ids.
PREFIX: Final = "nad"

#: Every channel that exists, whether it is configured or not.
CHANNELS: Final = ("email", "push")

#: The languages that people choose from.
Locale = Literal["en", "th"]
LOCALES: Final = get_args(Locale)

#: Whether notifications of a kind are sent by a channel (preference.py).
Mode = Literal["on", "fallback", "off"]
MODES: Final = get_args(Mode)

#: The state of an address (address.py).
AddressState = Literal["pending", "confirmed", "failed"]

#: The state of a delivery (delivery.py).
DeliveryState = Literal["pending", "sent", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind. `description` is for documents. A `security` kind reaches its owner by any address."""

    name: str
    security: bool
    description: str


KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind("money_in", False, "Money came in."),
        Kind("money_out", False, "Money leaves the wallet, or came back since a payment failed."),
        Kind("needs_approval", False, "A payment waits for the owner's approval."),
        Kind("request", False, "Somebody asks the wallet for money, or has declined what it asked for."),
        Kind("bank_movement", False, "Money came in from the bank, or went out to it."),
        Kind("new_sign_in", True, "Somebody signed in, or a session was ended as stolen."),
        Kind("new_key", True, "A passkey, an API key, recovery codes or the wallet's own key: made, ended or shown."),
        Kind("freeze", True, "The wallet was frozen, or can pay again."),
        Kind(
            "protection", True, "The wallet's policy, its addresses for notifications or what is sent to them changed."
        ),
    )
}
