"""Payees by handle: `@alice`, with or without the `@`, as people type it."""

from collections.abc import Collection, Mapping

from gateway.chain.token.contract import Contract
from gateway.identity import wallet
from gateway.identity.errors import InvalidHandle
from gateway.identity.handle import fold, is_folded
from gateway.payments.errors import UnknownPayee
from gateway.payments.payees.resolver import Payee, PayeeResolver
from gateway.postgres.pool import Connection


class HandleResolver(PayeeResolver):
    """Resolves a handle to its wallet. Handles are written as they are stored, with their `@`."""

    def recognizes(self, to: str) -> bool:
        """Always true: any text may be meant as a handle."""
        return True

    def read(self, to: str) -> str:
        if is_folded(handle := to.removeprefix("@")):
            return f"@{handle}"
        try:
            return f"@{fold(to)}"
        except InvalidHandle as malformed:
            raise UnknownPayee(to[:60], f"it is not a handle: {malformed.reason}") from None

    async def find(
        self, connection: Connection, contracts: Mapping[str, Contract], names: Collection[str]
    ) -> Mapping[str, Payee | str]:
        wallets = await wallet.by_handles(connection, sorted(name[1:] for name in names))
        found = {f"@{one.handle}": Payee(one, one.address) for one in wallets.values()}
        return {name: found.get(name, "nobody has this handle") for name in names}
