"""Payment settings, and the kinds that are registered, in one value that every function of the package takes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.chain.contract import Contract
from gateway.errors import NodeUnavailable
from gateway.money import Asset, Assets
from gateway.payments.payees.resolver import PayeeResolver


@dataclass(frozen=True, slots=True)
class Terms:
    """`contracts` has the contract of every token that is deployed, by asset code; durations are in seconds.
    `payees` are the ways to name a payee, in the order in which they are asked.
    """

    assets: Assets
    contracts: Mapping[str, Contract]
    ledger_fee_basis_points: int
    hold_seconds: int
    authorization_seconds: int
    finality_seconds: float  #: What a chain payment is expected to take, from accepted to final.
    signature_seconds: int = 900  #: How long a payment waits for the signature of a payer with a key of their own.
    approval_seconds: int = 900  #: How long a payment waits for its payer's approval.
    payees: tuple[PayeeResolver, ...] = field(kw_only=True)

    def contract(self, token: Asset) -> Contract:
        """The token's contract. Raises NodeUnavailable while it is not deployed."""
        try:
            return self.contracts[token.code]
        except KeyError:
            raise NodeUnavailable(f"{token.code} has no contract on this chain yet; run 'gateway deploy'") from None

    def backing(self, token: Asset) -> Asset:
        """The currency that the token is issued against."""
        assert token.backing is not None
        return self.assets[token.backing]
