"""Payees by address: `0x` and 40 hex digits, a wallet's or outside the gateway."""

from collections.abc import Collection, Mapping

from gateway.address import read
from gateway.chain.token.contract import Contract
from gateway.identity import wallet
from gateway.payments.errors import UnknownPayee
from gateway.payments.payees.resolver import Payee, PayeeResolver
from gateway.payments.payees.unpayable import unpayable
from gateway.postgres.pool import Connection


class AddressResolver(PayeeResolver):
    """Resolves an address to the wallet that it belongs to, or to itself. Addresses are written with their EIP-55
    checksum.
    """

    def recognizes(self, to: str) -> bool:
        return to.startswith(("0x", "0X"))

    def read(self, to: str) -> str:
        address = read(to)
        if address is None:
            raise UnknownPayee(to[:60], "it is not an address: 0x and 40 hex digits, in EIP-55's case or in one case")
        return address

    async def find(
        self, connection: Connection, contracts: Mapping[str, Contract], names: Collection[str]
    ) -> Mapping[str, Payee | str]:
        wallets = await wallet.by_addresses(connection, sorted(names))
        refused = await unpayable(connection, contracts, names)
        found: dict[str, Payee | str] = {address: Payee(None, address) for address in names}
        return found | refused | {address: Payee(one, one.address) for address, one in wallets.items()}
