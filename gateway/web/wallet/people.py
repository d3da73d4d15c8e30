"""The people of a wallet's recent payments."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.api.payments.payments import list_payments
from gateway.http.services import Services
from gateway.identity.wallet import Wallet

#: How many payments are read, and how many people are shown.
_PAYMENTS: Final = 100
_PEOPLE: Final = 8


@dataclass(frozen=True, slots=True)
class Known:
    """A person with a handle: how often they are among the recent payments, and when last (RFC 3339)."""

    name: str
    times: int
    last: str


async def known_to(services: Services, caller: Wallet) -> Sequence[Known]:
    """The people of the recent payments, the most recent first."""
    found: dict[str, Known] = {}
    for one in (await list_payments.fn(services, caller, limit=_PAYMENTS)).items:
        name = one.to if one.from_ == f"@{caller.handle}" else one.from_
        if name.startswith("@"):
            before = found.get(name)
            found[name] = Known(name, before.times + 1 if before else 1, before.last if before else one.created_at)
    return list(found.values())[:_PEOPLE]
