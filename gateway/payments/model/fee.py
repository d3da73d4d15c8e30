"""The fee of a payment, which its payer pays on top. Pure."""

from gateway.money import Money, basis_points_floor
from gateway.payments.model.rail_settings import RailSettings


def fee(settings: RailSettings, money: Money) -> Money:
    """Return the payer's fee on top of `money`, rounded down to a whole unit: 1% of 0.01 is nothing. Tokens have
    no fee.
    """
    if money.asset.kind == "token":
        return Money(0, money.asset)
    return basis_points_floor(money, settings.ledger_fee_basis_points)
