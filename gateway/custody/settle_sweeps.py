"""Settles sweeps: the hold is voided, because both addresses are the same wallet's. A sweep that fails waits for a
retry (gateway/custody/sweep.py).

A sweep starts when tokens reach a previous address of a wallet whose key the gateway keeps.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from gateway.chain.token.contract import Movement
from gateway.chain.token.failure import Failure
from gateway.custody import sweep
from gateway.custody.sweep import NewSweep, Sweep
from gateway.ids import TransferId
from gateway.ledger import account, transfer
from gateway.ledger.transfer import End, Leg
from gateway.money import Asset, Assets, Money
from gateway.postgres.pool import Connection
from gateway.settlement.settles import Known, Outcome, Settles

complaints = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sweeps(Settles[Sweep]):
    """Settles sweeps. `authorization_seconds` is how long the authorization of a new sweep is valid."""

    authorization_seconds: int

    async def find(
        self, connection: Connection, assets: Assets, authorizations: Sequence[UUID]
    ) -> Mapping[UUID, Sweep]:
        return {one.authorization_id: one for one in await sweep.by_authorizations(connection, assets, authorizations)}

    def accounts(self, thing: Sweep) -> Sequence[tuple[str, Asset]]:
        return ()

    def settle(self, thing: Sweep, movement: Movement, known: Known, now: datetime) -> Outcome[Sweep]:
        """Void the hold. The movement is within one wallet; if the wallet has another address by now, it is posted like
        any other.
        """
        return Outcome(replace(thing, state="settled"), (End(TransferId(thing.id), transfer.Event.VOID),))

    def fail(self, thing: Sweep, reason: Failure, tx_hash: str | None) -> Outcome[Sweep]:
        complaints.warning("%s at %s stays there for now: %s", thing.amount, thing.from_address, reason)
        return Outcome(replace(thing, state="waiting", failure=reason))

    async def write(self, connection: Connection, things: Sequence[Sweep], now: datetime) -> None:
        await sweep.update(connection, things, now)

    def notice(self, movement: Movement, known: Known, now: datetime) -> Sequence[Outcome[NewSweep]]:
        owner = known.wallets.get(movement.to_address)
        if owner is None or owner.address == movement.to_address:
            return ()
        if movement.value == 0 or movement.from_address == movement.to_address:
            return ()
        token = known.assets[movement.asset_code]
        arrived = sweep.sweep_of(owner.id, Money(movement.value, token), movement.to_address, now)
        payer, outside = account.wallet(owner.handle, token), account.system_account("outside", token)
        leg = Leg(known.accounts[payer], known.accounts[outside], movement.value)
        return [Outcome(NewSweep(arrived, owner.address), (sweep.hold_of(arrived, leg),))]

    async def start(self, connection: Connection, things: Sequence[NewSweep], now: datetime) -> None:
        await sweep.start(connection, self.authorization_seconds, things, now)
