"""Settle conversions: the hold is captured, and the owner gets the minted tokens, or fiat out of the reserve. If a
conversion fails, its hold is voided.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from gateway.chain.token.contract import Movement
from gateway.chain.token.failure import Failure
from gateway.events import log
from gateway.ids import TransferId, new_id
from gateway.ledger import account, transfer
from gateway.ledger.transfer import End, Leg, Transfer
from gateway.money import Asset, Assets
from gateway.payments.model import payment_events
from gateway.payments.model.conversion import Conversion
from gateway.payments.model.payment import Event, State, after
from gateway.payments.records import records
from gateway.postgres.pool import Connection
from gateway.settlement.settles import Known, Outcome, Posted, Settles, Submitted


class Conversions(Settles[Conversion]):
    async def find(
        self, connection: Connection, assets: Assets, authorizations: Sequence[UUID]
    ) -> Mapping[UUID, Conversion]:
        found = await records.conversions_by_authorizations(connection, assets, authorizations)
        return {one.authorization_id: one for one in found}

    def accounts(self, thing: Conversion) -> Sequence[tuple[str, Asset]]:
        asset = thing.to_amount.asset
        return [(_giver(asset), asset), (_receiver(thing), asset)]

    def settle(self, thing: Conversion, movement: Movement, known: Known, now: datetime) -> Outcome[Conversion]:
        """A mint's log is posted as the credit of its owner, a redemption's log as the capture of its hold."""
        leg = Leg(
            known.accounts[_giver(thing.to_amount.asset)], known.accounts[_receiver(thing)], thing.to_amount.units
        )
        given = Transfer(TransferId(new_id(now)), "conversion", thing.id, (leg,), unconditional=True)
        settled = replace(
            thing,
            state=after(thing.id, thing.state, Event.SETTLE, "cnv"),
            settled_at=now,
            tx_hash="0x" + movement.transaction_hash.hex(),
        )
        posted_by = thing.transfer_id if movement.reference is None else given.id
        return Outcome(
            settled,
            (End(thing.transfer_id, transfer.Event.CAPTURE), given),
            (payment_events.conversion_event(settled),),
            Posted(posted_by, _receiver(thing)),
        )

    def fail(self, thing: Conversion, reason: Failure, tx_hash: str | None) -> Outcome[Conversion]:
        failed = replace(thing, state=after(thing.id, thing.state, Event.FAIL, "cnv"), failure=reason)
        voided = (End(thing.transfer_id, transfer.Event.VOID),)
        return Outcome(failed, voided, (payment_events.conversion_event(failed),))

    async def write(self, connection: Connection, things: Sequence[Conversion], now: datetime) -> None:
        await records.update_conversions(connection, things)

    async def submit(
        self, connection: Connection, assets: Assets, authorizations: Sequence[UUID], tx_hash: str, now: datetime
    ) -> Mapping[UUID, Submitted]:
        found = await self.find(connection, assets, authorizations)
        submitted = [replace(one, tx_hash=tx_hash, state=_submitted(one)) for one in found.values()]
        if submitted:
            await records.update_conversions(connection, submitted)
            await log.append(connection, [payment_events.conversion_event(one) for one in submitted], now)
        return {one.authorization_id: Submitted("conversion.submitted", one.id) for one in submitted}


def _submitted(conversion: Conversion) -> State:
    """Changes nothing if it was submitted before and its chain transaction reverted or was replaced."""
    if conversion.state is State.SUBMITTED:
        return conversion.state
    return after(conversion.id, conversion.state, Event.SUBMIT, "cnv")


def _giver(asset: Asset) -> str:
    return account.system_account("supply" if asset.kind == "token" else "reserve", asset)


def _receiver(conversion: Conversion) -> str:
    return account.wallet(conversion.handle, conversion.to_amount.asset)
