"""What a payer pays on top of a payment. Pure."""

from gateway.money import Money, basis_points_floor
from gateway.payments.model.rail_settings import RailSettings


def fee(settings: RailSettings, money: Money) -> Money:
    """The payer's fee on top of `money`. It is rounded down to a whole unit, so that 1% of 0.01 is nothing."""
    if money.asset.kind == "token":
        return Money(0, money.asset)
    return basis_points_floor(money, settings.ledger_fee_basis_points)
