"""Settle token payments: the hold is captured, or voided if the payment failed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from gateway.chain.token.contract import Movement
from gateway.chain.token.failure import Failure
from gateway.events import log
from gateway.ledger import account, transfer
from gateway.ledger.transfer import End
from gateway.money import Asset, Assets, Money
from gateway.payments.model import payment_events
from gateway.payments.model.payment import Event, Payment, State, after
from gateway.payments.records import records
from gateway.payments.requests import rows as requests
from gateway.postgres.pool import Connection
from gateway.settlement.settles import Known, Outcome, Posted, Settles, Submitted


class Payments(Settles[Payment]):
    async def find(
        self, connection: Connection, assets: Assets, authorizations: Sequence[UUID]
    ) -> Mapping[UUID, Payment]:
        found = await records.by_authorizations(connection, assets, authorizations)
        await requests.lock_paid_by(connection, found)
        return {one.authorization_id: one for one in found if one.authorization_id is not None}

    def accounts(self, thing: Payment) -> Sequence[tuple[str, Asset]]:
        return [(_payee_account(thing), thing.amount.asset)]

    def settle(self, thing: Payment, movement: Movement, known: Known, now: datetime) -> Outcome[Payment]:
        settled = replace(
            thing,
            state=after(thing.id, thing.state, Event.SETTLE),
            captured=Money(movement.value, thing.amount.asset),
            settled_at=now,
            tx_hash="0x" + movement.transaction_hash.hex(),
        )
        return Outcome(
            settled,
            (End(thing.transfer_id, transfer.Event.CAPTURE),),
            tuple(payment_events.events(settled)),
            Posted(thing.transfer_id, _payee_account(thing)),
        )

    def fail(self, thing: Payment, reason: Failure, tx_hash: str | None) -> Outcome[Payment]:
        failed = replace(thing, state=after(thing.id, thing.state, Event.FAIL), failure=reason, tx_hash=tx_hash)
        return Outcome(failed, (End(thing.transfer_id, transfer.Event.VOID),), tuple(payment_events.events(failed)))

    async def write(self, connection: Connection, things: Sequence[Payment], now: datetime) -> None:
        settled = [one for one in things if one.state is State.SETTLED]
        if settled:
            await records.settle(connection, settled, now)
        if len(settled) < len(things):
            await records.update(connection, [one for one in things if one.state is not State.SETTLED])

    async def submit(
        self, connection: Connection, assets: Assets, authorizations: Sequence[UUID], tx_hash: str, now: datetime
    ) -> Mapping[UUID, Submitted]:
        """Payments are not read for this: a batch has hundreds of them."""
        found, unlogged = await records.submit(connection, authorizations, tx_hash, now)
        if unlogged:
            read = await records.payments_of(connection, assets, unlogged)
            await log.append(connection, [event for one in read.values() for event in payment_events.events(one)], now)
        return {of: Submitted("payment.submitted", id) for of, id in found.items()}


def _payee_account(payment: Payment) -> str:
    """The account that the payment's tokens are posted to."""
    asset = payment.amount.asset
    return (
        account.wallet(payment.payee_handle, asset)
        if payment.payee_handle
        else account.system_account("outside", asset)
    )
