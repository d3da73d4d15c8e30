"""Search a wallet's payments by state, asset, rail, amount, memo, reference, time and parties.

A page is found by an index or by a bounded walk, so it takes a few milliseconds however many payments there are:

    reference                            the index of the wallet's own references
    held, failed, voided, expired,       the index of the states that few payments are in
    declined, requires_confirmation
    created                              payments are walked from the end of the period to its beginning: ids begin
                                         with their payment's time
    from, to                             if that is the wallet itself, only its payments of that side are walked
    the other side, by its handle        its payments are walked beside the wallet's, so the shorter list decides
    any other                            the wallet's own payments are walked

A walk looks at up to `WALKED_MAX` payments and returns those that match the other filters, with the place to continue
from. So a page may have fewer payments than requested, or none, although there are more. An index for each filter would
make every payment more expensive.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal
from uuid import UUID

from gateway import address
from gateway.errors import InvalidRequest
from gateway.identity import wallet
from gateway.identity.errors import InvalidHandle
from gateway.identity.handle import fold
from gateway.ids import NEWEST, PaymentId, WalletId, first_id
from gateway.money import Asset, Assets, Money
from gateway.payments.model.payment import Payment, State
from gateway.payments.model.route import RailName
from gateway.payments.records.records import of_row
from gateway.postgres.pool import Connection, Record, Statements

sql = Statements(__package__, "search.sql")

#: How many payments are walked for a page.
WALKED_MAX: Final = 1_000

#: Stands for a wallet that does not exist: no payment matches it.
_NOBODY: Final = UUID(int=0)

#: The states of most payments. Payments in other states have an index.
_UNINDEXED: Final = (State.QUEUED, State.SUBMITTED, State.SETTLED)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

#: The distance between the first ids of two consecutive milliseconds (ids.py).
_MILLISECOND: Final = 1 << 80


@dataclass(frozen=True, slots=True)
class PaymentFilter:
    """The filters; None matches anything. The parties are @handles or addresses; `counterparty` is whichever side the
    caller is not. `created` includes its start and excludes its end; the amounts are of `asset`, both included.
    """

    state: State | None = None
    asset: Asset | None = None
    memo: str | None = None
    payer: str | None = None
    payee: str | None = None
    counterparty: str | None = None
    reference: str | None = None
    rail: RailName | None = None
    created: tuple[datetime | None, datetime | None] = (None, None)
    amount_min: Money | None = None
    amount_max: Money | None = None


@dataclass(frozen=True, slots=True)
class _Party:
    """The party that a filter names: a wallet, or an address outside the gateway. Neither: anybody."""

    wallet: UUID | None = None
    address: str | None = None


async def find(
    connection: Connection, assets: Assets, caller: WalletId, where: PaymentFilter, before: PaymentId | None, limit: int
) -> tuple[list[Payment], PaymentId | None]:
    """Up to `limit` matching payments of the wallet older than `before`, and the payment to continue from: None if
    there are no more. Raises InvalidRequest for a party that is neither a handle nor an address.
    """
    named = {"from": where.payer, "to": where.payee, "counterparty": where.counterparty}
    payer, payee, counterparty = await _parties(connection, named)
    if counterparty.wallet == caller:
        counterparty = _Party(_NOBODY)
    begins, ends = where.created
    other = _other(where, caller, (counterparty, payer, payee))
    low = _id_of(begins) if begins is not None else UUID(int=0)
    high = min(before or NEWEST, UUID(int=_id_of(ends).int + _MILLISECOND) if ends is not None else NEWEST)
    rows = await connection.fetch(
        sql.payments_that_fit,
        *(caller, high, low, WALKED_MAX, limit),
        _walked(where),
        *(payer.wallet in (None, caller), payee.wallet in (None, caller)),
        other,
        *(where.state.value if where.state else None, where.asset.code if where.asset else None, where.memo),
        *(where.rail, payer.wallet, payee.wallet, payee.address, counterparty.wallet, counterparty.address),
        *(begins, ends, *(one.units if one else None for one in (where.amount_min, where.amount_max))),
        where.reference,
    )
    found = [of_row(assets, row) for row in rows if row["id"] is not None]
    return found, found[-1].id if len(found) == limit else _walked_to(rows[0], other)


def _walked(where: PaymentFilter) -> Literal["all", "state", "reference"]:
    """Which of the wallet's payments are walked."""
    if where.reference is not None:
        return "reference"
    return "all" if where.state is None or where.state in _UNINDEXED else "state"


def _other(where: PaymentFilter, caller: WalletId, parties: Iterable[_Party]) -> UUID | None:
    """The wallet on the other side, whose payments are walked beside the caller's. None for an address: it may have
    been paid before it belonged to a wallet.
    """
    if _walked(where) != "all":
        return None
    named = (one.wallet for one in parties if one.address is None and one.wallet not in (None, caller))
    return next(named, None)


def _walked_to(row: Record, other: UUID | None) -> PaymentId | None:
    """The payment down to which the walk is complete; None: to the end."""
    walks = [(row["own_walked"], row["own_to"])]
    walks += [(row["other_walked"], row["other_to"])] if other is not None else []
    return PaymentId(min(to for _, to in walks)) if all(walked == WALKED_MAX for walked, _ in walks) else None


def _id_of(at: datetime) -> UUID:
    """An id that is not greater than the id of any payment made at that time or later."""
    return first_id(max(at, _EPOCH))


async def _parties(connection: Connection, named: Mapping[str, str | None]) -> list[_Party]:
    """The party that each filter names, in order. Raises InvalidRequest."""
    names = {key: None if text is None else _name(key, text) for key, text in named.items()}
    wallets = await _wallets(connection, {name for name in names.values() if name is not None})
    return [
        _Party() if name is None else _Party(wallets.get(name, _NOBODY), name if name.startswith("0x") else None)
        for name in names.values()
    ]


def _name(parameter: str, text: str) -> str:
    """A handle in its stored spelling, or an address with its EIP-55 checksum. Raises InvalidRequest, which names the
    parameter.
    """
    if text.startswith("0x"):
        read = address.read(text)
        if read is None:
            raise InvalidRequest(
                "party", f"{parameter}: an address is 0x and 40 hex digits, in EIP-55's case or in one"
            )
        return read
    try:
        return fold(text)
    except InvalidHandle as refusal:
        raise InvalidRequest("party", f"{parameter}: send a @handle or an address: {refusal}") from None


async def _wallets(connection: Connection, names: Collection[str]) -> dict[str, UUID]:
    """The wallets of these handles and addresses, by handle or address."""
    addresses = [name for name in names if name.startswith("0x")]
    handles = [name for name in names if not name.startswith("0x")]
    found = await wallet.by_handles(connection, handles) if handles else {}
    if addresses:
        found |= await wallet.by_addresses(connection, addresses)
    return {name: one.id for name, one in found.items()}
