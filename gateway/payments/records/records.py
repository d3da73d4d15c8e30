"""Payments and conversions as rows: change, find, list. Payments are inserted by their rails (payments/rails/).

A payment gives back to the limits that it counts against when it changes state: all of it if it failed or was voided,
expired or declined, the part that was not captured, or what was refunded. That is done here, in `update` and
`add_refunded`, and nowhere else. Both come after the accounts are locked, since they lock buckets (spending.py).
A request whose payment settles later than it is accepted is marked as paid here, too.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from gateway.errors import NotFound
from gateway.ids import NEWEST, ConversionId, PaymentId, TransferId, WalletId, show
from gateway.money import Assets, Money
from gateway.payments.checks import spending
from gateway.payments.model.conversion import Conversion
from gateway.payments.model.note import Note
from gateway.payments.model.payment import ENDED_UNPAID, Event, Payment, State, after
from gateway.payments.model.route import restored
from gateway.payments.requests import rows as requests
from gateway.postgres.pool import Connection, Record, Statements

sql = Statements(__package__, "records.sql")


async def insert_notes(connection: Connection, notes: Mapping[PaymentId, Note]) -> None:
    """Write the notes of new payments, in the transaction that writes the payments."""
    if notes:
        metadata = [one.metadata and msgspec.json.encode(one.metadata).decode() for one in notes.values()]
        authors, references = [one.author for one in notes.values()], [one.reference for one in notes.values()]
        await connection.execute(sql.insert_notes, list(notes), authors, references, metadata)


async def update(connection: Connection, payments: Sequence[Payment]) -> None:
    """Update the fields of the payments that can change, and give back to limits what ended payments no longer use. The
    caller has locked their rows.
    """
    await connection.execute(
        sql.update_payments,
        [payment.id for payment in payments],
        [payment.state.value for payment in payments],
        [payment.fee.units for payment in payments],
        [payment.captured.units for payment in payments],
        [payment.transfer_id for payment in payments],
        [payment.authorization_id for payment in payments],
        [payment.tx_hash for payment in payments],
        [payment.failure for payment in payments],
        [payment.expires_at for payment in payments],
        [payment.settled_at for payment in payments],
        [payment.undo_until for payment in payments],
        [not payment.visible_to_payee for payment in payments],
    )
    await requests.mark_paid(connection, payments)
    back = given_back(payments)
    if refunds := [one for one in payments if one.state in ENDED_UNPAID and one.refund_of is not None]:
        await connection.execute(
            sql.unrefund, [one.refund_of for one in refunds], [one.amount.units for one in refunds]
        )
        for one in refunds:
            assert one.refund_of is not None
            back[one.refund_of] = (back.get(one.refund_of) or 0) - one.amount.units
    await spending.give_back(connection, back)


async def settle(connection: Connection, payments: Sequence[Payment], now: datetime) -> None:
    """Like `update`, for payments that have just settled on the chain: writes only the fields that change then."""
    await connection.execute(
        sql.settle_staged,
        [payment.id for payment in payments],
        [payment.captured.units for payment in payments],
        [payment.tx_hash for payment in payments],
        now,
    )
    await requests.mark_paid(connection, payments)
    await spending.give_back(connection, given_back(payments))


def given_back(payments: Sequence[Payment]) -> dict[UUID, int | None]:
    """How many units payments give back in their present state; None: all. Pure."""
    back: dict[UUID, int | None] = {}
    for one in payments:
        if one.state in ENDED_UNPAID:
            back[one.id] = None
        elif one.state is State.SETTLED and one.captured < one.amount:
            back[one.id] = one.amount.units - one.captured.units
    return back


async def submit(
    connection: Connection, authorizations: Sequence[UUID], tx_hash: str, now: datetime
) -> tuple[dict[UUID, PaymentId], list[PaymentId]]:
    """Log that a chain transaction carries the payments of these authorizations, which the caller has locked. Returns
    the payments by authorization, and those whose earlier events were archived: the caller logs them. A payment may
    have been submitted before, in a chain transaction that reverted or was replaced.

    Raises StateConflict if one is in a state that does not allow it: then the caller has to roll back.
    """
    rows = await connection.fetch(sql.submit_payments, list(authorizations), tx_hash, now)
    for row in rows:
        if row["state"] != State.QUEUED.value:
            after(row["id"], State(row["state"]), Event.SUBMIT)
    found = {row["authorization_id"]: PaymentId(row["id"]) for row in rows}
    return found, [PaymentId(row["id"]) for row in rows if not row["logged"]]


async def add_refunded(connection: Connection, refunds: Sequence[Payment]) -> None:
    """Add accepted refunds to the refunded amounts of their original payments. The caller has locked those rows."""
    back: dict[UUID, int] = {one.refund_of: one.amount.units for one in refunds if one.refund_of is not None}
    assert len(back) == len(refunds), "of two refunds of one payment the later is not in a group"
    await connection.execute(sql.add_refunded, list(back), list(back.values()))
    await spending.give_back(connection, {**back})


async def payment(connection: Connection, assets: Assets, id: PaymentId, party: WalletId) -> Payment:
    """The payment, for its payer, or for its payee if visible to it. Raises NotFound for anybody else."""
    row = await connection.fetchrow(sql.payment_of_party, id, party)
    if row is None:
        raise NotFound(f"payment {show('pay', id)}")
    return of_row(assets, row)


async def payment_for_update(connection: Connection, assets: Assets, id: PaymentId, party: WalletId) -> Payment:
    """Like `payment`, with its row locked until the transaction ends."""
    return of_party(await payments_for_update(connection, assets, [id]), id, party)


async def payments_of(connection: Connection, assets: Assets, ids: Iterable[PaymentId]) -> dict[PaymentId, Payment]:
    """The payments with these ids as they are now; unknown ids are absent."""
    rows = await connection.fetch(sql.payments_of, list(ids))
    return {PaymentId(row["id"]): of_row(assets, row) for row in rows}


async def payments_shown(connection: Connection, assets: Assets, ids: Iterable[UUID]) -> dict[PaymentId, Payment]:
    """Like `payments_of`, with their notes."""
    rows = await connection.fetch(sql.payments_shown, list(ids))
    return {PaymentId(row["id"]): of_row(assets, row) for row in rows}


async def payments_for_update(
    connection: Connection, assets: Assets, ids: Iterable[PaymentId]
) -> dict[PaymentId, Payment]:
    """Like `payments_of`, with their rows locked in id order until the transaction ends. Of a ledger payment that
    settled at once only the refunded amount can change, and that is not locked.
    """
    return await _locked(connection, assets, ids, refunds=False)


async def payments_to_refund(
    connection: Connection, assets: Assets, ids: Iterable[PaymentId]
) -> dict[PaymentId, Payment]:
    """Like `payments_for_update`; the refunded amounts of ledger payments are locked as well, after the others."""
    return await _locked(connection, assets, ids, refunds=True)


async def _locked(
    connection: Connection, assets: Assets, ids: Iterable[PaymentId], refunds: bool
) -> dict[PaymentId, Payment]:
    wanted = set(ids)
    rows = await connection.fetch(sql.staged_for_update, list(wanted))
    found = {PaymentId(row["id"]): of_row(assets, row) for row in rows}
    if at_once := wanted - found.keys():
        if refunds:
            await connection.execute(sql.lock_refunds, list(at_once))
        found |= await payments_of(connection, assets, at_once)
    return found


def of_party(payments: Mapping[PaymentId, Payment], id: PaymentId, party: WalletId) -> Payment:
    """The payment with this id, for its payer, or for its payee if visible to it. Raises NotFound for anybody else."""
    found = payments.get(id)
    if found is None or not (party == found.payer or (party == found.payee and found.visible_to_payee)):
        raise NotFound(f"payment {show('pay', id)}")
    return found


async def payments_page(
    connection: Connection, assets: Assets, party: WalletId, before: PaymentId | None, limit: int
) -> list[Payment]:
    """Up to `limit` payments from or to the wallet, newest first, older than `before`."""
    rows = await connection.fetch(sql.payments_page, party, before or NEWEST, limit)
    return [of_row(assets, row) for row in rows]


async def waiting_page(
    connection: Connection, assets: Assets, payer: WalletId, before: PaymentId | None, limit: int, now: datetime
) -> list[Payment]:
    """Up to `limit` payments that wait for the wallet to approve or to sign them, newest first, older than `before`."""
    rows = await connection.fetch(sql.waiting_page, payer, before or NEWEST, limit, now)
    return [of_row(assets, row) for row in rows]


async def by_authorizations(connection: Connection, assets: Assets, ids: Sequence[UUID]) -> list[Payment]:
    """The payments that these authorizations are for, locked in id order."""
    wanted = set(ids)
    rows = await connection.fetch(sql.payments_of_authorizations, list(ids))
    return [of_row(assets, row) for row in rows if row["authorization_id"] in wanted]  # without their original payments


def of_row(assets: Assets, row: Record) -> Payment:
    """The payment of a row of the view `payment`, or of `staged_payment` with `submitted_as`."""
    asset, submitted_as = assets[row["asset"]], row.get("submitted_as")
    return Payment(
        id=PaymentId(row["id"]),
        state=State(row["state"]) if submitted_as is None else State.SUBMITTED,
        payer=WalletId(row["payer"]),
        payer_handle=row["payer_handle"],
        payee=row["payee"],
        payee_handle=row["payee_handle"],
        payee_address=row["payee_address"],
        amount=Money(row["amount"], asset),
        fee=Money(row["fee"], asset),
        captured=Money(row["captured"], asset),
        refunded=Money(row["refunded"], asset),
        memo=row["memo"],
        route=restored(row["route"], Money(row["fee"], asset), row["payee_address"] is not None),
        transfer_id=TransferId(row["transfer_id"]),
        authorization_id=row["authorization_id"],
        refund_of=row["refund_of"],
        tx_hash=row["tx_hash"] if submitted_as is None else submitted_as,
        failure=row["failure"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        settled_at=row["settled_at"],
        approval=tuple(row["approval"]) if row["approval"] else None,
        capture=row["capture"],
        undo_until=row["undo_until"],
        note=_note(row) if row.get("note_author") else None,
        hidden_from_payee=row["hidden_from_payee"],
    )


def _note(row: Record) -> Note:
    metadata = row["metadata"]
    return Note(WalletId(row["note_author"]), row["reference"], metadata and msgspec.json.decode(metadata))


async def ends_of_observations(connection: Connection, transfers: Sequence[UUID]) -> dict[UUID, tuple[str, str]]:
    """The sender and receiver of the tokens of these transfers: a `@handle`, or an address outside the gateway.

    A transfer that was not posted from the chain is absent.
    """
    if not transfers:
        return {}
    return {
        row["transfer_id"]: (
            f"@{row['from_handle']}" if row["from_handle"] else row["from_address"],
            f"@{row['to_handle']}" if row["to_handle"] else row["to_address"],
        )
        for row in await connection.fetch(sql.ends_of_observations, list(transfers))
    }


# ---- conversions ----------------------------------------------------------------------------------------------------


async def insert_conversion(connection: Connection, conversion: Conversion) -> None:
    """Write a new conversion's row."""
    await connection.execute(
        sql.insert_conversion,
        conversion.id,
        conversion.state.value,
        conversion.wallet,
        conversion.amount.asset.code,
        conversion.amount.units,
        conversion.to_amount.asset.code,
        conversion.to_amount.units,
        conversion.transfer_id,
        conversion.authorization_id,
        conversion.created_at,
    )


async def update_conversions(connection: Connection, conversions: Sequence[Conversion]) -> None:
    """Update the fields of the conversions that can change. The caller has locked their rows."""
    await connection.execute(
        sql.update_conversions,
        [conversion.id for conversion in conversions],
        [conversion.state.value for conversion in conversions],
        [conversion.tx_hash for conversion in conversions],
        [conversion.failure for conversion in conversions],
        [conversion.settled_at for conversion in conversions],
    )


async def conversion(connection: Connection, assets: Assets, id: ConversionId, owner: WalletId) -> Conversion:
    """The conversion, for its owner. Raises NotFound for anybody else."""
    row = await connection.fetchrow(sql.conversion_of_owner, id, owner)
    if row is None:
        raise NotFound(f"conversion {show('cnv', id)}")
    return conversion_of_row(assets, row)


async def conversions_of(connection: Connection, assets: Assets, ids: Iterable[UUID]) -> dict[ConversionId, Conversion]:
    """The conversions with these ids as they are now; unknown ids are absent."""
    rows = await connection.fetch(sql.conversions_of, list(ids))
    return {ConversionId(row["id"]): conversion_of_row(assets, row) for row in rows}


async def conversions_by_authorizations(
    connection: Connection, assets: Assets, ids: Sequence[UUID]
) -> list[Conversion]:
    """The conversions that these authorizations are for, locked in id order."""
    await connection.execute(sql.lock_conversions_of_authorizations, list(ids))
    rows = await connection.fetch(sql.conversions_of_authorizations, list(ids))
    return [conversion_of_row(assets, row) for row in rows]


def conversion_of_row(assets: Assets, row: Record) -> Conversion:
    return Conversion(
        id=ConversionId(row["id"]),
        state=State(row["state"]),
        wallet=WalletId(row["wallet_id"]),
        handle=row["handle"],
        amount=Money(row["amount"], assets[row["asset"]]),
        to_amount=Money(row["to_amount"], assets[row["to_asset"]]),
        transfer_id=TransferId(row["transfer_id"]),
        authorization_id=row["authorization_id"],
        tx_hash=row["tx_hash"],
        failure=row["failure"],
        created_at=row["created_at"],
        settled_at=row["settled_at"],
    )
