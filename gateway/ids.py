"""Ids: UUIDv7 inside (RFC 9562), TypeID outside (`pay_01h455vb4pex5vsknk084sn02q`).

A UUIDv7 begins with its time in milliseconds, so later ids sort later and an index on them grows at its end. A TypeID
is the same 128 bits in Crockford's base 32, after a prefix that names the kind of thing.
"""

import os
from datetime import datetime
from functools import lru_cache
from typing import Final, NewType
from uuid import UUID

from gateway.errors import InvalidRequest

WalletId = NewType("WalletId", UUID)
PaymentId = NewType("PaymentId", UUID)
RequestId = NewType("RequestId", UUID)
ConversionId = NewType("ConversionId", UUID)
BankMovementId = NewType("BankMovementId", UUID)
TransferId = NewType("TransferId", UUID)
PasskeyId = NewType("PasskeyId", UUID)
SessionId = NewType("SessionId", UUID)
AccountId = NewType("AccountId", int)

#: Crockford's base 32, lower case, as in the TypeID specification (0.3).
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_FORTY_BITS = (1 << 40) - 1
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}


def new_id(now: datetime) -> UUID:
    """Return a new UUIDv7 of the time `now`: 48 bits of milliseconds, then 74 random bits."""
    milliseconds = int(now.timestamp() * 1000)
    random = int.from_bytes(os.urandom(10), "big")
    value = milliseconds << 80 | 0x7 << 76 | (random >> 68 & 0xFFF) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    return UUID(int=value)


def first_id(at: datetime) -> UUID:
    """Return an id below every id of that millisecond and later."""
    return UUID(int=int(at.timestamp() * 1000) << 80)


#: An id above every other.
NEWEST: Final = UUID(int=2**128 - 1)


def numbered_id(number: int, at: datetime) -> UUID:
    """Return a UUIDv8 (RFC 9562, section 5.8) of the time `at` that contains `number`, which is below 2**62: 48 bits of
    milliseconds like a UUIDv7, then zeros, then the number.
    """
    return UUID(int=int(at.timestamp() * 1000) << 80 | 0x8 << 76 | 0b10 << 62 | number)


def number_of(id: UUID) -> int:
    """Return the number in a `numbered_id`. Raises InvalidRequest for another id."""
    if id.int >> 64 & 0xFFFF != 0x8000:
        raise InvalidRequest("id", "this id has no number: send one as you were given it")
    return id.int & (1 << 62) - 1


def show(prefix: str, value: UUID) -> str:
    """Return `value` as a TypeID: the prefix, an underscore, and 26 letters of base 32."""
    number = value.int
    high, low = number >> 40 & _FORTY_BITS, number & _FORTY_BITS
    return (
        f"{_show_time(prefix, number >> 80)}"
        f"{_PAIRS[high >> 30]}{_PAIRS[high >> 20 & 1023]}{_PAIRS[high >> 10 & 1023]}{_PAIRS[high & 1023]}"
        f"{_PAIRS[low >> 30]}{_PAIRS[low >> 20 & 1023]}{_PAIRS[low >> 10 & 1023]}{_PAIRS[low & 1023]}"
    )


@lru_cache(maxsize=1024)
def _show_time(prefix: str, milliseconds: int) -> str:
    """The first 10 letters of every id of one millisecond, for 48 bits."""
    return prefix + "_" + "".join([_PAIRS[milliseconds >> shift & 1023] for shift in range(40, -1, -10)])


def read(prefix: str, text: str) -> UUID:
    """Return the id in a TypeID. Raises InvalidRequest if it is not one with this prefix."""
    head, _, letters = text.rpartition("_")
    values = [_VALUES.get(letter) for letter in letters]
    if head != prefix or len(values) != 26 or None in values or letters[0] > "7":
        raise InvalidRequest("id", f"{text[:60]!r} is not an id that begins with '{prefix}_'")
    number = 0
    for value in values:
        number = number << 5 | (value or 0)
    return UUID(int=number)
