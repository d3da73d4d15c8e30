"""What a final block can settle: the protocol, with one module for each kind.

A thing settles if it has put an authorization into the queue (gateway/chain/token/authorization.py): a signed transfer
or a mint, which a block then settles, or which the contract can never settle any more. Payments, conversions and sweeps
are such things. Settlement knows none of them; it knows whose an authorization is by asking each kind.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from msgspec import Struct

from gateway.address import ZERO
from gateway.chain.token.contract import Movement
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
    """What the ledger has of the parties of a block range: wallets by address, ids of accounts by code, and which of
    those who redeemed have closed their wallets.
    """

    assets: Assets
    wallets: Mapping[str, Wallet]
    accounts: Mapping[str, AccountId]
    closed: Collection[WalletId] = ()

    def account_at(self, address: str, token: Asset) -> str:
        """The code of the account that has the tokens at an address; those that are minted come from `supply`."""
        if address == ZERO:
            return account.system_account("supply", token)
        owner = self.wallets.get(address)
        return account.wallet(owner.handle, token) if owner else account.system_account("outside", token)


class Posted(Struct, frozen=True):
    """A movement is posted by this transfer, to the account with this code."""

    by: TransferId
    to: str


class Outcome(Struct, Generic[Thing], frozen=True):
    """What became of a thing: as it is now, what follows in the ledger, and who is told.

    `posted` says how the ledger has the movement that settled it. Without it, the movement is posted as every movement
    is that nobody was waiting for.
    """

    thing: Thing
    steps: tuple[Transfer | End, ...] = ()
    events: tuple[Event, ...] = ()
    posted: Posted | None = None


class Settles(Protocol[Thing]):
    """One kind of thing that a final block can settle. The kinds there are stand in `PaymentSettings.settles`.

    A block range is decided in memory and written in whole columns: `find`, `write` and `start` take all things of
    their kind at once, so the number of statements does not depend on how many there are. `settle`, `fail` and `notice`
    are pure.
    """

    async def find(
        self, connection: Connection, assets: Assets, authorizations: Sequence[UUID]
    ) -> Mapping[UUID, Thing]:
        """The things of this kind that these authorizations are for, by authorization. The caller has locked the
        authorizations. Rows that anybody else changes without locking the authorization first are locked here, in id
        order, until the transaction ends.
        """

    def accounts(self, thing: Thing) -> Sequence[tuple[str, Asset]]:
        """Codes of the accounts that `settle` needs, beside those of the movement's own parties. They are opened."""

    def settle(self, thing: Thing, movement: Movement, known: Known, now: datetime) -> Outcome[Thing]:
        """The movement is what the thing's authorization asked for, and is final."""

    def fail(self, thing: Thing, reason: str) -> Outcome[Thing]:
        """The contract can never settle it any more; its money goes back."""

    async def write(self, connection: Connection, things: Sequence[Thing], now: datetime) -> None:
        """Write what became of these, in the caller's transaction: the last that it does, with accounts locked."""

    # ---- what only some kinds need ----------------------------------------------------------------------------------

    def notice(self, movement: Movement, known: Known, now: datetime) -> Sequence[Outcome[Any]]:
        """What begins because tokens moved, whoever moved them, and what it holds in the ledger. `start` takes it."""
        return ()

    async def start(self, connection: Connection, things: Sequence[Any], now: datetime) -> None:
        """Write what `notice` began, and queue its authorizations. The ledger is written: nonces are locked last."""
        assert not things

    async def submit(self, connection: Connection, things: Sequence[Thing], tx_hash: str) -> Sequence[Event]:
        """A stored chain transaction carries the authorizations of these, which `find` has found: write it, and return
        what is told of it.
        """
        return ()
