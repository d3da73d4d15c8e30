"""A conversion: one asset of a wallet into another."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gateway.ids import ConversionId, TransferId, WalletId
from gateway.money import Money
from gateway.payments.model.payment import State


@dataclass(frozen=True, slots=True)
class Conversion:
    """`amount` of one asset given for `to_amount` of another, at par. States: queued, submitted, settled, failed."""

    id: ConversionId
    state: State
    wallet: WalletId
    handle: str
    amount: Money
    to_amount: Money
    transfer_id: TransferId
    authorization_id: UUID
    tx_hash: str | None
    failure: str | None
    created_at: datetime
    settled_at: datetime | None
