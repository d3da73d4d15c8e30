"""Payment settings, and the kinds that are registered, in one value that every function of the package takes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.chain.token.contract import Contract
from gateway.money import Asset, Assets
from gateway.payments.errors import TokenNotDeployed
from gateway.payments.model.rail import Rail
from gateway.payments.payees.resolver import PayeeResolver
from gateway.settlement.settles import Settles


@dataclass(frozen=True, slots=True)
class PaymentSettings:
    """`contracts` has the contract of every token that is deployed, by asset code; durations are in seconds.
    `rails` are what money moves by, and `payees` the ways to name a payee, both in the order in which they are asked;
    `settles` are the kinds of things that final blocks settle, in the order in which they lock their rows.
    """

    assets: Assets
    contracts: Mapping[str, Contract]
    ledger_fee_basis_points: int
    hold_seconds: int
    authorization_seconds: int
    finality_seconds: float  #: What a chain payment is expected to take, from accepted to final.
    signature_seconds: int = 900  #: How long a payment waits for the signature of a payer with a key of their own.
    approval_seconds: int = 900  #: How long a payment waits for its payer's approval.
    rails: tuple[Rail, ...] = field(kw_only=True)
    payees: tuple[PayeeResolver, ...] = field(kw_only=True)
    settles: tuple[Settles[Any], ...] = field(kw_only=True)

    def contract(self, token: Asset) -> Contract:
        """The token's contract. Raises TokenNotDeployed."""
        try:
            return self.contracts[token.code]
        except KeyError:
            raise TokenNotDeployed(token.code) from None

    def rail(self, name: str) -> Rail:
        """The rail of this name, which a payment goes by."""
        return next(rail for rail in self.rails if rail.name == name)

    def backing(self, token: Asset) -> Asset:
        """The currency that the token is issued against."""
        return self.assets.backing(token)
