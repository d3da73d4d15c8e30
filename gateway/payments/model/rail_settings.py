"""The configuration that every rail gets: assets, contracts, rates and durations. Pure.

It imports no rail, so that rails, routes and payments need no circular import; `PaymentSettings` adds the registered
rails.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.chain.token.contract import Contract
from gateway.money import Asset, Assets
from gateway.payments.errors import TokenNotDeployed


@dataclass(frozen=True, slots=True)
class RailSettings:
    """`contracts` has the contract of every token that is deployed, by asset code; durations are in seconds."""

    assets: Assets
    contracts: Mapping[str, Contract]
    ledger_fee_basis_points: int
    hold_seconds: int
    authorization_seconds: int
    finality_seconds: float  #: The expected time of a chain payment from accepted to final.
    signature_seconds: int = 900  #: How long a payment waits for the signature of a payer who keeps the key.
    approval_seconds: int = 900  #: How long a payment waits for its payer's approval.

    def contract(self, token: Asset) -> Contract:
        """The token's contract. Raises TokenNotDeployed."""
        try:
            return self.contracts[token.code]
        except KeyError:
            raise TokenNotDeployed(token.code) from None

    def backing(self, token: Asset) -> Asset:
        """The currency that backs the token."""
        return self.assets.backing(token)
