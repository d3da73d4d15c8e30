"""A caller's note on a payment, for its own systems: a reference, such as an order number, and metadata. Pure.

A note is shown only to the wallet that wrote it. What the other side should read goes into the memo. Other payment APIs
do the same: Stripe's `metadata` and Adyen's `reference` are visible to the merchant only, and the text for the customer
is another field (`description`, `referenceForBeneficiary`). GoCardless prints its `reference` on the payer's bank
statement: that is the memo here. The author is the payer, or the payee if it draws on a mandate.

A note is written once, with its payment, and never changed. A refund has a note of its own, written by its
payer; the note of the original payment (`refund_of`) belongs to the other side.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import msgspec

from gateway.errors import InvalidRequest
from gateway.ids import WalletId

Metadata: TypeAlias = dict[str, str | int | float | bool]

#: The longest reference, and the longest key of metadata, in characters.
REFERENCE_MAX: Final = 64
KEY_MAX: Final = 40

#: The largest size of metadata in bytes, as JSON in UTF-8 without whitespace.
METADATA_BYTES_MAX: Final = 2048

#: The largest integer that every JSON reader represents exactly (RFC 8259, section 6).
INTEGER_MAX: Final = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Note:
    """What `author` has written: a reference, metadata, or both."""

    author: WalletId
    reference: str | None
    metadata: Metadata | None


def note_of(
    author: WalletId, reference: str | None, metadata: Mapping[str, str | int | float | bool] | None
) -> Note | None:
    """The note of a request; None if it has none, or metadata without a key. Raises InvalidRequest."""
    if reference is not None:
        check_reference(reference)
    if metadata:
        _check_metadata(metadata)
    return Note(author, reference, dict(metadata) if metadata else None) if reference or metadata else None


def check_reference(reference: str) -> None:
    """Raises InvalidRequest for text that cannot be a reference."""
    if not (1 <= len(reference) <= REFERENCE_MAX and reference.isprintable()):
        raise InvalidRequest("reference", f"a reference has 1 to {REFERENCE_MAX} printable characters")


def _check_metadata(metadata: Mapping[str, str | int | float | bool]) -> None:
    for key, value in metadata.items():
        if not (1 <= len(key) <= KEY_MAX and key.isprintable()):
            raise InvalidRequest("metadata", f"a key of metadata has 1 to {KEY_MAX} printable characters")
        if isinstance(value, int) and abs(value) > INTEGER_MAX:
            raise InvalidRequest("metadata", f"metadata[{key!r}] is larger than {INTEGER_MAX}: write it in quotes")
        if isinstance(value, str) and "\x00" in value:
            raise InvalidRequest("metadata", f"metadata[{key!r}] has a NUL; leave it out")
    size = len(msgspec.json.encode(metadata))
    if size > METADATA_BYTES_MAX:
        raise InvalidRequest("metadata", f"metadata takes {size} bytes as JSON; it may have up to {METADATA_BYTES_MAX}")
