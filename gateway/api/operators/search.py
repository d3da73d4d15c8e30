"""One search for everything that an operator may be given: a handle, an id, a transaction hash, an address, an e-mail
address.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Final
from uuid import UUID

from litestar import get
from litestar.params import QueryParameter

from gateway import address
from gateway.api.operators.views import FoundPage, FoundView
from gateway.chain.errors import NodeUnavailable
from gateway.errors import InvalidRequest
from gateway.http.services import Services
from gateway.identity import wallet as wallets
from gateway.identity.errors import InvalidHandle
from gateway.identity.handle import fold
from gateway.ids import WalletId, read, show
from gateway.notifications import address as addresses
from gateway.operators import proposals
from gateway.operators.operators import Operator
from gateway.payments.records import records, transaction
from gateway.postgres.pool import Connection

#: The longest search text: an e-mail address has at most 254 characters (RFC 5321).
LONGEST: Final = 254

_HASH: Final = re.compile(r"0x[0-9a-fA-F]{64}")
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")
_ID: Final = re.compile(r"(pay|pro|wal)_[0-9a-z]{26}")


@get("/v1/operator/search", tags=["Operators"], summary="Search", needs="operator")
async def search(
    services: Services,
    operator: Operator,
    q: Annotated[
        str,
        QueryParameter(
            description="A handle, the id of a payment, a proposal or a wallet, a transaction's hash, an address of a "
            "wallet, or an e-mail address that an owner has confirmed.",
            schema_extra={"examples": ["@alice"]},
            min_length=1,
            max_length=LONGEST,
        ),
    ],
) -> FoundPage:
    """Searches for a handle, an id, a transaction hash, an address or an e-mail address. `searched_for` is what the
    text was read as; `items` is empty if nothing was found. The payments of a final transaction are found with the help
    of the node. An e-mail address is found only as a whole, by its hash.
    """
    text = q.strip()
    if _HASH.fullmatch(text):
        return FoundPage("transaction", await _transaction(services, bytes.fromhex(text[2:])))
    async with services.database.reading() as connection:
        if _ADDRESS.fullmatch(text):
            return FoundPage("address", await _address(connection, text))
        if (id := _ID.fullmatch(text.lower())) is not None:
            return await _by_id(connection, services, id[1], text.lower())
        if "@" in text[1:]:
            handles = await addresses.handles_of(connection, services.vault, "email", text)
            return FoundPage("email", [FoundView("wallet", one, f"@{one}") for one in handles])
        return FoundPage("handle", await _handle(connection, text))


async def _handle(connection: Connection, text: str) -> list[FoundView]:
    try:
        folded = fold(text)
    except InvalidHandle:
        return []
    return [FoundView("wallet", one, f"@{one}") for one in await wallets.by_handles(connection, [folded])]


async def _address(connection: Connection, text: str) -> list[FoundView]:
    """The wallet that has or had this address."""
    row = await connection.fetchrow(wallets.sql.address, address.read(text))
    if row is None:
        return []
    of = await wallets.by_id(connection, WalletId(row["wallet_id"]))
    return [FoundView("wallet", of.handle, f"@{of.handle}")]


async def _by_id(connection: Connection, services: Services, prefix: str, text: str) -> FoundPage:
    try:
        id = read(prefix, text)
    except InvalidRequest:
        id = UUID(int=0)  # no object has this hash
    if prefix == "pay":
        return FoundPage("payment", await _payments(connection, services, [id]))
    if prefix == "wal":
        handles = await wallets.handles(connection, [WalletId(id)])
        return FoundPage("wallet", [FoundView("wallet", one, f"@{one}") for one in handles.values()])
    found = await proposals.find(connection, id)
    whose = f" of @{found.handle}" if found is not None and found.handle else ""
    items = [] if found is None else [FoundView("proposal", found.shown_id, f"{found.kind}{whose}")]
    return FoundPage("proposal", items)


async def _transaction(services: Services, hash_: bytes) -> list[FoundView]:
    """The transaction, if the gateway or its chain has it, and the payments in it."""
    block = await _block_of(services, hash_)
    found: list[FoundView] = []
    async with services.database.reading() as connection:
        sent = await transaction.sent(connection, hash_)
        if sent is not None:
            description = f"{sent.kind}, {sent.state}: nonce {sent.nonce} of relayer {sent.relayer}"
            found.append(FoundView("transaction", f"0x{hash_.hex()}", description))
        elif block is not None:
            found.append(FoundView("transaction", f"0x{hash_.hex()}", f"not sent by this gateway, in block {block}"))
        ids = set(sent.under_way) if sent is not None else set()
        if block is not None:
            for chain_id in {one.chain_id for one in services.settings.contracts.values()}:
                ids |= set(await transaction.settled_in(connection, chain_id, block, hash_))
        return found + await _payments(connection, services, ids)


async def _block_of(services: Services, hash_: bytes) -> int | None:
    """The number of the transaction's block; None if it is in no block, or if the node is unavailable."""
    if services.node is None:
        return None
    try:
        receipt = (await services.node.receipts([hash_])).get(hash_)
    except NodeUnavailable:
        return None
    return None if receipt is None else receipt.block_number


async def _payments(connection: Connection, services: Services, ids: Iterable[UUID]) -> list[FoundView]:
    there: Sequence[UUID] = sorted(ids)
    found = await records.payments_shown(connection, services.settings.assets, there)
    return [
        FoundView("payment", show("pay", one.id), f"{one.amount} from {one.payer_name} to {one.payee_name}")
        for one in found.values()
    ]


ROUTES = (search,)
