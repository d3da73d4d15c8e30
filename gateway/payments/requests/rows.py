"""Requests for money as rows: write, find, list, pay.

A request is paid once: `begin_payment` sets its payment in the transaction that accepts it, only if nothing has changed
since the request was read. `mark_paid` writes that a payment that was not settled then has settled, in the transaction
that settles it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import Struct

from gateway.errors import NotFound
from gateway.events import log
from gateway.ids import NEWEST, PaymentId, RequestId, WalletId, first_id, show
from gateway.money import Assets, Money
from gateway.payments.model.payment import Payment, State
from gateway.payments.requests.request import DAY, OPEN_FOR_MAX, PREFIX, Request, can_pay_one, event, event_of
from gateway.payments.requests.state import RequestState
from gateway.postgres.pool import Connection, Record, Statements

sql = Statements(__package__, "rows.sql")

#: Requests to the wallet, or by it.
Direction = Literal["in", "out"]


class RequestFilter(Struct, frozen=True):
    """A filter of a wallet's requests; None matches any. `counterparty` is the handle of the other side."""

    direction: Direction | None = None
    state: RequestState | None = None
    counterparty: str | None = None


async def insert(connection: Connection, request: Request) -> None:
    """Write a new request."""
    await connection.execute(
        sql.insert,
        *(request.id, request.requester, request.payer, request.amount.asset.code, request.amount.units),
        *(request.memo, request.created_at, request.expires_at),
    )


async def counts(connection: Connection, requester: WalletId, payer: WalletId, now: datetime) -> tuple[int, int]:
    """How many requests of one wallet to the other are open or pending, and how many it made in the last DAY. Until the
    transaction ends, only the caller makes requests for it.
    """
    await connection.execute(sql.lock_requester, requester)
    row = await connection.fetchrow(sql.counts, requester, payer, now, first_id(now - DAY))
    assert row is not None
    return row["open"], row["day"]


async def end(connection: Connection, id: RequestId, declined: bool, now: datetime) -> None:
    """Write that the request was declined or cancelled. The caller has locked its row."""
    await connection.execute(sql.decline if declined else sql.cancel, id, now)


async def lock_unended(connection: Connection, party: WalletId) -> list[UUID]:
    """Lock the requests from and to a wallet that have not ended, until the transaction ends, so that no payment of
    them begins.
    """
    return [row["id"] for row in await connection.fetch(sql.lock_unended, party)]


async def cancel_open(connection: Connection, assets: Assets, ids: Sequence[UUID], now: datetime) -> list[Request]:
    """Cancel those of these requests that are open; return them as they were. The caller has locked their rows."""
    found = [one for one in (await by_ids(connection, assets, ids, now)).values() if one.state == "open"]
    if found:
        await connection.execute(sql.cancel_all, [one.id for one in found], now)
    return found


async def lock_paid_by(connection: Connection, payments: Iterable[Payment]) -> None:
    """Lock the requests that these payments pay. Settlement does so before it locks accounts, since another payment of
    the same request may have locked the request and wait for the accounts.
    """
    if ids := [one.id for one in payments if can_pay_one(one)]:
        await connection.execute(sql.lock_paid_by, ids)


async def one(
    connection: Connection, assets: Assets, id: RequestId, party: WalletId, now: datetime, for_update: bool = False
) -> Request:
    """The request, for its two wallets; `for_update`: its row is locked until the transaction ends. Raises NotFound for
    anybody else, as if it did not exist.
    """
    if for_update:
        await connection.execute(sql.lock, id)
    found = (await by_ids(connection, assets, [id], now)).get(id)
    if found is None or party not in (found.requester, found.payer):
        raise NotFound(f"request {show(PREFIX, id)}")
    return found


async def by_ids(
    connection: Connection, assets: Assets, ids: Iterable[UUID], now: datetime
) -> dict[RequestId, Request]:
    """The requests with these ids as they are at that time; unknown ids are absent."""
    rows = await connection.fetch(sql.by_ids, list(ids), now)
    return {RequestId(row["id"]): _of_row(assets, row) for row in rows}


async def page(
    connection: Connection,
    assets: Assets,
    party: WalletId,
    where: RequestFilter,
    before: RequestId | None,
    limit: int,
    now: datetime,
) -> list[Request]:
    """Up to `limit` requests by or to the wallet, newest first, older than `before`."""
    of = (party, now, before or NEWEST, limit, where.direction)
    if where.state == "open":
        rows = await connection.fetch(sql.open_page, *of, where.counterparty, first_id(now - OPEN_FOR_MAX))
    else:
        rows = await connection.fetch(sql.page, *of, where.state, where.counterparty)
    return [_of_row(assets, row) for row in rows]


async def begin_payment(connection: Connection, paying: Mapping[RequestId, tuple[Request, Payment]]) -> None:
    """Set the accepted payment that pays each request, as part of the payment's transaction. The rows are locked, and
    must be as they were read.
    """
    values = paying.values()
    changed = await connection.fetch(
        sql.begin_payment,
        list(paying),
        [request.last_payment for request, _ in values],
        [payment.id for _, payment in values],
        [payment.settled_at if payment.state is State.SETTLED else None for _, payment in values],
    )
    assert len(changed) == len(paying), "a request that is being paid was paid or ended by somebody else"
    settled = [(request, payment.settled_at) for request, payment in values if payment.state is State.SETTLED]
    if settled:
        at = settled[0][1]
        assert at is not None
        await log.append(connection, [event("request.paid", request) for request, _ in settled], at)


async def mark_paid(connection: Connection, payments: Sequence[Payment]) -> None:
    """Mark the requests as paid whose payments are among these and settled later than they were accepted. Called
    wherever such a payment settles (records/records.py), in the same transaction.
    """
    settled = {one.id: one for one in payments if one.state is State.SETTLED and can_pay_one(one)}
    if not settled:
        return
    at = next(one.settled_at for one in settled.values())
    assert at is not None
    rows = await connection.fetch(sql.mark_paid, list(settled), at)
    if rows:
        await log.append(connection, [_paid(row, settled[PaymentId(row["payment_id"])]) for row in rows], at)


def _paid(row: Record, by: Payment) -> log.Event:
    requester, payer = WalletId(row["requester"]), WalletId(row["payer"])
    return event_of("request.paid", RequestId(row["id"]), requester, payer, by.payer_name, by.payee_name, by.amount)


def _of_row(assets: Assets, row: Record) -> Request:
    state: RequestState = row["state"]
    return Request(
        id=RequestId(row["id"]),
        state=state,
        requester=WalletId(row["requester"]),
        requester_handle=row["requester_handle"],
        payer=WalletId(row["payer"]),
        payer_handle=row["payer_handle"],
        amount=Money(row["amount"], assets[row["asset"]]),
        memo=row["memo"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        ended_at=row["paid_at"] or row["declined_at"] or row["cancelled_at"],
        payment_hidden=bool(row["payment_hidden"]),
        last_payment=row["payment_id"],
    )
