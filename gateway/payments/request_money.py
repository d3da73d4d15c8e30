"""Request money from another wallet; decline or cancel a request.

Invariants:
  - a request is addressed to one wallet, and only the two wallets can see it;
  - it ends once: paid, declined, cancelled or expired;
  - while a payment of it is pending it cannot be declined or cancelled;
  - no money moves here: a request is paid by an ordinary payment (checks/open_request.py).

Lock order: the requester's requests, the two wallets in id order; to decline or cancel, the request.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from gateway.clock import rfc3339
from gateway.errors import Forbidden, InvalidRequest, StateConflict
from gateway.events import log
from gateway.identity import wallet as wallets
from gateway.identity.errors import UnknownHandle
from gateway.identity.wallet import Wallet
from gateway.ids import RequestId, WalletId, new_id
from gateway.money import Assets, Money
from gateway.payments.checks import wallet_freeze
from gateway.payments.errors import RequestDayLimit, RequestLimit, SelfPayment
from gateway.payments.model.memo import check_memo
from gateway.payments.requests import rows
from gateway.payments.requests.request import DAY_MAX, OPEN_FOR, OPEN_FOR_MAX, OPEN_MAX, Request, event
from gateway.postgres.pool import Connection


async def create(
    connection: Connection,
    requester: Wallet,
    payer: str,
    amount: Money,
    memo: str | None,
    expires_at: datetime | None,
    now: datetime,
) -> Request:
    """Request an amount from the wallet with the handle `payer`.

    Raises InvalidHandle, UnknownHandle (nobody has it, or one of the two wallets is closed), SelfPayment,
    InvalidRequest (the memo, the expiry), WalletFrozen (of the requester), RequestLimit, RequestDayLimit.
    """
    check_memo(memo)
    until = now + OPEN_FOR if expires_at is None else expires_at
    if not now < until <= now + OPEN_FOR_MAX:
        raise InvalidRequest(
            "expires_at",
            f"a request expires in the future, within {OPEN_FOR_MAX.days} days; {rfc3339(until)} is not",
        )
    asked = await wallets.by_handle(connection, payer)
    if asked.id == requester.id:
        raise SelfPayment(requester.handle)
    open_now, made = await rows.counts(connection, requester.id, asked.id, now)
    await wallets.share(connection, [requester.id, asked.id])
    closed = await wallets.closed(connection, [requester.id, asked.id])
    for one in (requester, asked):
        if one.id in closed:
            raise UnknownHandle(one.handle)
    await wallet_freeze.check(connection, requester.id)
    if open_now >= OPEN_MAX:
        raise RequestLimit(OPEN_MAX)
    if made >= DAY_MAX:
        raise RequestDayLimit(DAY_MAX)
    fresh = Request(
        id=RequestId(new_id(now)),
        state="open",
        requester=requester.id,
        requester_handle=requester.handle,
        payer=asked.id,
        payer_handle=asked.handle,
        amount=amount,
        memo=memo,
        created_at=now,
        expires_at=until,
    )
    await rows.insert(connection, fresh)
    await log.append(connection, [event("request.created", fresh)], now)
    return fresh


async def decline(connection: Connection, assets: Assets, caller: WalletId, id: RequestId, now: datetime) -> Request:
    """Decline a request to the caller; idempotent. Raises NotFound, Forbidden (the caller is the requester),
    StateConflict.
    """
    found = await rows.one(connection, assets, id, caller, now, for_update=True)
    if found.payer != caller:
        raise Forbidden("only the wallet that is asked can decline a request; to withdraw your own, cancel it")
    return await _end(connection, assets, found, declined=True, now=now)


async def cancel(connection: Connection, assets: Assets, caller: WalletId, id: RequestId, now: datetime) -> Request:
    """Cancel the caller's request; idempotent. Raises NotFound, Forbidden (the caller is the payer), StateConflict."""
    found = await rows.one(connection, assets, id, caller, now, for_update=True)
    if found.requester != caller:
        raise Forbidden("only the wallet that made a request can cancel it; to refuse to pay, decline it")
    return await _end(connection, assets, found, declined=False, now=now)


async def cancel_all(connection: Connection, assets: Assets, ids: Sequence[UUID], now: datetime) -> None:
    """Cancel those of these requests that are open, because one of their wallets is being closed. Their rows are
    locked.
    """
    cancelled = await rows.cancel_open(connection, assets, ids, now)
    await log.append(connection, [event("request.cancelled", one) for one in cancelled], now)


async def _end(connection: Connection, assets: Assets, found: Request, declined: bool, now: datetime) -> Request:
    state = "declined" if declined else "cancelled"
    if found.state == state:
        return found
    if found.state != "open":
        raise StateConflict(found.shown_id, found.state, "decline" if declined else "cancel")
    await rows.end(connection, found.id, declined, now)
    await log.append(connection, [event(f"request.{state}", found)], now)
    return await rows.one(connection, assets, found.id, found.payer, now)
