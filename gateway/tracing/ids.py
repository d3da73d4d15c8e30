"""Ids of traces and spans, sampling, and the caller's `traceparent` (W3C Trace Context). Pure.

Sampling compares the last 40 bits of a payment's id, which are random, with a threshold. A TypeID's last eight letters
are these bits, and its alphabet ascends, so an answer is sampled by its text without being decoded.
"""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from gateway.ids import show

_LAST_40: Final = (1 << 40) - 1
_LAST_64: Final = (1 << 64) - 1

_TRACEPARENT: Final = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


@dataclass(frozen=True, slots=True)
class Context:
    """The place of a span: its trace, of 128 bits, and its own id, of 64. Neither is zero."""

    trace: int
    span: int


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller's `traceparent`. `sampled`: the caller records its part."""

    context: Context
    sampled: bool


class Ratio:
    """The share of traces that is recorded, from 0 to 1."""

    def __init__(self, ratio: float) -> None:
        self._from = round((1 - ratio) * (1 << 40))
        #: Above any eight letters if nothing is sampled.
        self._letters = b"~" if self._from > _LAST_40 else show("", UUID(int=self._from))[-8:].encode()

    def takes(self, id: UUID) -> bool:
        """Return whether the trace of the payment with this id is recorded."""
        return (id.int & _LAST_40) >= self._from

    def takes_letters(self, letters: bytes) -> bool:
        """Return the same by the last eight letters of its TypeID."""
        return letters >= self._letters

    def takes_any(self) -> bool:
        """Decide whether a trace that is of no payment is recorded."""
        return secrets.randbits(40) >= self._from


def root_of(payment: UUID) -> Context:
    """Return the root span of a payment's trace: the request that created it."""
    return Context(payment.int, payment.int & _LAST_64)


def within(trace: int) -> Context:
    """Return a new span of a trace."""
    return Context(trace, secrets.randbits(64) or 1)


def fresh() -> Context:
    """Return the first span of a new trace."""
    return within(secrets.randbits(128) or 1)


def caller_of(headers: Iterable[tuple[bytes, bytes]]) -> Caller | None:
    """Return the caller's span; None if there is none, or one that the specification says to ignore."""
    for name, value in headers:
        if name == b"traceparent":
            found = _TRACEPARENT.fullmatch(value)
            if found is None or found[1] == b"ff" or (found[1] == b"00" and found[5]):
                return None
            trace, span = int(found[2], 16), int(found[3], 16)
            return Caller(Context(trace, span), bool(int(found[4], 16) & 1)) if trace and span else None
    return None
