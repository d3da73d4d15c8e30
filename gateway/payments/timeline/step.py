"""A step of a payment's timeline."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

#: The kinds of steps. Steps of the same moment are in this order.
Kind = Literal[
    "requested",
    "approval_needed",
    "signature_needed",
    "approved",
    "held",
    "authorized",
    "relayed",
    "final",
    "transferred",
    "settled",
    "failed",
    "voided",
    "expired",
    "declined",
    "refunded",
    "reported",
    "webhooks",
    "notified",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

#: The type of a detail: plain values, amounts as decimal strings, never a secret.
Detail = str | int | bool | list[str]


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its kind, its time and its details."""

    kind: Kind
    at: datetime
    details: Mapping[str, Detail]
