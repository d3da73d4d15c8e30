"""A step of a payment's timeline."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args

#: What a step is. In this order where several are of one moment.
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

#: What a detail may be: plain values, amounts as decimal strings, and no secret.
Detail = str | int | bool | list[str]


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what it was, when, and what is known of it."""

    kind: Kind
    at: datetime
    details: Mapping[str, Detail]
