"""The highest fee that a relayer offers, whatever the node suggests. Pure."""

from gateway.chain.block import Fees

#: The highest fee for a unit of gas: 500 gwei, which Ethereum's base fee has exceeded for a few hours in all its years.
#: A transaction of the largest gas limit (16,777,216) then costs 8.4 ETH; above that the relayer waits.
FEE_WEI_CEILING = 500 * 10**9


def capped(fees: Fees) -> Fees:
    """Return these fees, limited to the ceiling."""
    return Fees(min(fees.fee_wei_max, FEE_WEI_CEILING), min(fees.tip_wei_max, FEE_WEI_CEILING))
