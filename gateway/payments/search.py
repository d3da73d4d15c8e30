"""A wallet's payments that fit: by state, asset, memo and who is on either side, newest first.

There is no index for any of it, since one more on `payment` would cost every payment that is made. The wallet's own
payments are walked, newest first and so many at a time, and those that fit are returned with the place to walk on from.
So a page may have fewer than were asked for, or none, while there are more; it takes a few milliseconds, however many
payments there are.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from gateway.chain import address
from gateway.errors import InvalidHandle, InvalidRequest
from gateway.ids import PaymentId, WalletId
from gateway.money import Asset, Assets
from gateway.payments.payment import Payment, State
from gateway.payments.records import NEWEST, of_row, sql
from gateway.postgres import Connection
from gateway.wallets import wallet
from gateway.wallets.handle import fold

#: How many payments of the wallet are walked for a page.
WALKED_MAX: Final = 1_000

#: In place of a wallet that there is not: nothing fits it.
_NOBODY: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; None is anything. The parties are @handles or addresses; `counterparty` is whichever side the
    caller is not.
    """

    state: State | None = None
    asset: Asset | None = None
    memo: str | None = None
    payer: str | None = None
    payee: str | None = None
    counterparty: str | None = None


async def find(
    connection: Connection, assets: Assets, party: WalletId, wanted: Wanted, before: PaymentId | None, limit: int
) -> tuple[list[Payment], PaymentId | None]:
    """Up to `limit` payments of the wallet that fit and are older than `before`, and the payment to walk on from: None
    where there are no more. Raises InvalidRequest for a party that is neither a handle nor an address.
    """
    named = {_name(text) for text in (wanted.payer, wanted.payee, wanted.counterparty) if text is not None}
    wallets = await _wallets(connection, named)

    def who(text: str | None) -> tuple[UUID | None, str | None]:
        """A wallet, and the address that stands in place of one."""
        if text is None:
            return None, None
        name = _name(text)
        return wallets.get(name, _NOBODY), name if name.startswith("0x") else None

    other, other_address = who(wanted.counterparty)
    rows = await connection.fetch(
        sql.payments_that_fit,
        *(party, before or NEWEST, limit, WALKED_MAX),
        *(wanted.state.value if wanted.state else None, wanted.asset.code if wanted.asset else None, wanted.memo),
        *(who(wanted.payer)[0], *who(wanted.payee)),
        *(_NOBODY if other == party else other, other_address),
    )
    found = [of_row(assets, row) for row in rows if row["id"] is not None]
    if len(found) == limit:
        return found, found[-1].id
    walked, walked_to = rows[0]["walked"], rows[0]["walked_to"]
    return found, PaymentId(walked_to) if walked == WALKED_MAX else None


def _name(text: str) -> str:
    """A handle as it is kept, or an address in EIP-55's case."""
    if text.startswith("0x"):
        read = address.read(text)
        if read is None:
            raise InvalidRequest("party", "an address is 0x and 40 hex digits, in EIP-55's case or in one case")
        return read
    try:
        return fold(text)
    except InvalidHandle as refusal:
        raise InvalidRequest("party", f"send a @handle or an address: {refusal}") from None


async def _wallets(connection: Connection, names: Collection[str]) -> dict[str, UUID]:
    """The wallets behind these handles and addresses, by what was given."""
    addresses = [name for name in names if name.startswith("0x")]
    handles = [name for name in names if not name.startswith("0x")]
    found = await wallet.by_handles(connection, handles) if handles else {}
    if addresses:
        found |= await wallet.by_addresses(connection, addresses)
    return {name: one.id for name, one in found.items()}
