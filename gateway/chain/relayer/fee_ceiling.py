"""The most that a relayer offers for gas, whatever the node suggests. Pure."""

from gateway.chain.block import Fees

#: No attempt offers more for a unit of gas: 500 gwei, which Ethereum's base fee has exceeded for a few hours in all its
#: years. A transaction of the most gas there may be (16,777,216) then costs 8.4 ETH; above that the relayer waits.
FEE_WEI_CEILING = 500 * 10**9


def capped(fees: Fees) -> Fees:
    """These fees, or the ceiling where they are higher."""
    return Fees(min(fees.fee_wei_max, FEE_WEI_CEILING), min(fees.tip_wei_max, FEE_WEI_CEILING))
