"""Addresses that cannot be paid: tokens sent there would be lost, or go to the operator by mistake.

Checked wherever a request names an address: a payment, a signed authorization, a trusted payee, an address to bind.
"""

from collections.abc import Collection, Mapping
from typing import Final

from gateway.chain.relayer import relayers
from gateway.chain.token.contract import Contract
from gateway.postgres.pool import Connection

#: No address up to this one is anybody's account: the zero address, the precompiled contracts (EIP-1352 reserves 0x0 to
#: 0xffff for them), and 0x…dEaD, the customary burn address.
_RESERVED: Final = 0x10000


async def unpayable(
    connection: Connection, contracts: Mapping[str, Contract], addresses: Collection[str]
) -> dict[str, str]:
    """Why these addresses (EIP-55) cannot be paid, by address. An address that can be paid is absent."""
    if not addresses:
        return {}
    tokens = {one.address: one.asset.code for one in contracts.values()}
    ours = await relayers.among(connection, addresses)
    reasons = {}
    for address in addresses:
        if int(address, 16) < _RESERVED:
            reasons[address] = "it is the zero address, a precompiled contract or a burn address: nobody has its key"
        elif address in tokens:
            reasons[address] = f"it is the contract of {tokens[address]}; redeem tokens by a conversion"
        elif address in ours:
            reasons[address] = "it is a relayer of this gateway's operator, who keeps no tokens there for anybody"
    return reasons
