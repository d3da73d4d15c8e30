"""The protocol of payee resolvers, and how a text is read: by the first resolver that recognizes it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, Protocol

from msgspec import Struct

from gateway.chain.token.contract import Contract
from gateway.identity.wallet import Wallet
from gateway.ledger import account
from gateway.money import Asset
from gateway.payments.errors import UnknownPayee
from gateway.postgres.pool import Connection

#: The reason why a closed wallet cannot be paid.
WALLET_CLOSED: Final = "its owner has closed this wallet"


class Payee(Struct, frozen=True):
    """A payee: a wallet, or an address outside the gateway."""

    wallet: Wallet | None
    address: str

    def account_code(self, asset: Asset) -> str:
        return account.wallet(self.wallet.handle, asset) if self.wallet else account.system_account("outside", asset)


class PayeeResolver(Protocol):
    """One way to name a payee."""

    def recognizes(self, to: str) -> bool:
        """Whether `to` is meant in this way, well formed or not. Pure."""

    def read(self, to: str) -> str:
        """The canonical spelling of `to`. Pure.

        It is part of idempotency fingerprints, which are stored, so a spelling must never change. Raises UnknownPayee
        if `to` is malformed.
        """

    async def find(
        self, connection: Connection, contracts: Mapping[str, Contract], names: Collection[str]
    ) -> Mapping[str, Payee | str]:
        """The payee of each of these names, spelled as `read` returns them, or the reason why there is none. One
        look-up for all names. `contracts` are those of the tokens, by asset code.
        """


def spelling(resolvers: Sequence[PayeeResolver], to: str) -> str:
    """The canonical spelling of `to`; a text that is not a name stays as it is. Pure."""
    for resolver in resolvers:
        if resolver.recognizes(to):
            try:
                return resolver.read(to)
            except UnknownPayee:
                break
    return to


class Name(Struct, frozen=True):
    """A well-formed `to` in its canonical spelling, and the resolver that read it."""

    resolver: PayeeResolver
    name: str


def read(resolvers: Sequence[PayeeResolver], to: str) -> Name | UnknownPayee:
    """The name in `to`, or the reason why it is not a name. Pure."""
    for resolver in resolvers:
        if resolver.recognizes(to):
            try:
                return Name(resolver, resolver.read(to))
            except UnknownPayee as malformed:
                return malformed
    return UnknownPayee(to[:60], "it is written in no way that this gateway knows")
