"""Addresses that nobody means to pay: what they are sent is lost, or is the operator's by mistake.

Asked wherever an address is named: by a payment, a signed authorization, a policy's trust, and when one is bound.
"""

from collections.abc import Collection
from typing import Final

from gateway.chain import lanes
from gateway.payments.terms import Terms
from gateway.postgres import Connection

#: Below it there is no account of anybody: the zero address, the precompiled contracts (EIP-1352 keeps 0x0 to 0xffff
#: for them), and 0x…dEaD, which is where tokens are sent to be rid of them.
_RESERVED: Final = 0x10000


async def unpayable(connection: Connection, terms: Terms, addresses: Collection[str]) -> dict[str, str]:
    """Why each of these addresses (EIP-55) is no payee; one that may be paid is absent."""
    if not addresses:
        return {}
    contracts = {one.address: one.asset.code for one in terms.contracts.values()}
    relayers = await lanes.among(connection, addresses)
    reasons = {}
    for address in addresses:
        if int(address, 16) < _RESERVED:
            reasons[address] = "it is the zero address, a precompiled contract or a burn address: nobody has its key"
        elif address in contracts:
            reasons[address] = f"it is the contract of {contracts[address]}; redeem tokens by a conversion"
        elif address in relayers:
            reasons[address] = "it is a relayer of this gateway's operator, who keeps no tokens there for anybody"
    return reasons
