"""The protocol of what a final block can settle, with one module for each kind.

A thing has put an authorization into the queue (gateway/chain/token/authorization.py): a signed transfer or a mint. A
final block settles it, or the contract can never settle it any more. Payments, conversions and sweeps are such things.
Settlement does not know the kinds; each kind finds the things of its own authorizations.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from msgspec import Struct

from gateway.address import ZERO
from gateway.chain.token.contract import Movement
from gateway.chain.token.failure import Failure
from gateway.events.log import Event
from gateway.identity.wallet import Wallet
from gateway.ids import AccountId, TransferId, WalletId
from gateway.ledger import account
from gateway.ledger.transfer import End, Transfer
from gateway.money import Asset, Assets
from gateway.postgres.pool import Connection

Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger knows of the parties of a block range: wallets by address, account ids by code, and which wallets
    that redeemed are closed.
    """

    assets: Assets
    wallets: Mapping[str, Wallet]
    accounts: Mapping[str, AccountId]
    closed: Collection[WalletId] = ()

    def account_at(self, address: str, token: Asset) -> str:
        """Return the code of the account that has the tokens at an address. Minted tokens come from `supply`."""
        if address == ZERO:
            return account.system_account("supply", token)
        owner = self.wallets.get(address)
        return account.wallet(owner.handle, token) if owner else account.system_account("outside", token)


class Posted(Struct, frozen=True):
    """The transfer that posts a movement, and the code of the account that it credits."""

    by: TransferId
    to: str


class Outcome(Struct, Generic[Thing], frozen=True):
    """The outcome for a thing: the thing as it is now, the ledger's steps, and the events.

    `posted` says how the ledger has posted the movement that settled it. Without it, the movement is posted as an
    observation.
    """

    thing: Thing
    steps: tuple[Transfer | End, ...] = ()
    events: tuple[Event, ...] = ()
    posted: Posted | None = None


class Submitted(Struct, frozen=True):
    """The event of a thing that was submitted: its kind and its subject."""

    kind: str
    subject: UUID


class Settles(Protocol[Thing]):
    """One kind of thing that a final block can settle. `PaymentSettings.settles` lists the kinds.

    A block range is decided in memory and written column by column: `find`, `write`, `start` and `submit` take all
    things of their kind at once, so the number of statements does not depend on how many there are. `settle`, `fail`
    and `notice` are pure.
    """

    async def find(
        self, connection: Connection, assets: Assets, authorizations: Sequence[UUID]
    ) -> Mapping[UUID, Thing]:
        """Return the things of this kind that these authorizations belong to, by authorization. The caller has locked
        the authorizations. Rows that others change without locking the authorization first are locked here, in id
        order, until the transaction ends.
        """

    def accounts(self, thing: Thing) -> Sequence[tuple[str, Asset]]:
        """Return the codes of the accounts that `settle` needs, besides those of the movement's parties. They are
        opened.
        """

    def settle(self, thing: Thing, movement: Movement, known: Known, now: datetime) -> Outcome[Thing]:
        """Settle the thing: the movement is exactly the one that its authorization allows, and it is final."""

    def fail(self, thing: Thing, reason: Failure, tx_hash: str | None) -> Outcome[Thing]:
        """Fail the thing: the contract can never settle it any more, and its money is released. `tx_hash` is of the
        chain transaction that carried it last; None if none did.
        """

    async def write(self, connection: Connection, things: Sequence[Thing], now: datetime) -> None:
        """Write the new state of these things, in the caller's transaction: its last step, with the accounts locked."""

    # ---- what only some kinds need ----------------------------------------------------------------------------------

    def notice(self, movement: Movement, known: Known, now: datetime) -> Sequence[Outcome[Any]]:
        """Return what a movement of tokens starts, whoever made it, and what that holds in the ledger. `start` gets
        it.
        """
        return ()

    async def start(self, connection: Connection, things: Sequence[Any], now: datetime) -> None:
        """Write what `notice` started, and queue its authorizations. The ledger is written already: nonces are locked
        last.
        """
        assert not things

    async def submit(
        self, connection: Connection, assets: Assets, authorizations: Sequence[UUID], tx_hash: str, now: datetime
    ) -> Mapping[UUID, Submitted]:
        """Record and log that a stored chain transaction carries those of these authorizations that things of this kind
        belong to. The caller has locked them. Returns what was submitted, by authorization.
        """
        return {}
