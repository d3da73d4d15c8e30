"""Read final blocks again that the ledger has read, and post the movements that it lacks.

A node that answered for a block without its logs leaves the ledger wrong: a deposit is not credited, or a payment that
has settled stays submitted. The block is read and posted as it was the first time (gateway/settlement/), without the
movements that the ledger has, which are identified by block and log index. So nothing is posted twice, however often a
block is read.

It is used by operators (`gateway chain reread`), and by a reconciliation run that finds for the second time that a
wallet or a supply differs from the chain. Before that is confirmed, the token's Transfer logs are searched for
movements that the ledger lacks, and their blocks are read again.

The ledger has no movements between addresses that were not a wallet's at the time. Nor has it those of an address
before it was bound: binding posted its balance as one sum.
"""

import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from gateway.address import ZERO
from gateway.chain.block import Log
from gateway.chain.node import Node
from gateway.chain.relayer import relayers
from gateway.chain.token.contract import Contract, Movement
from gateway.chain.watcher import cursors, watch
from gateway.chain.watcher.block_range import BlockRange
from gateway.clock import Clock
from gateway.errors import InvalidRequest
from gateway.payments.model.settings import PaymentSettings
from gateway.postgres.pool import Connection, Database, Statements
from gateway.reconciliation.solvency import Difference
from gateway.settlement import block_settlement

sql = Statements(__package__, "reread.sql")

log = logging.getLogger(__name__)

#: Blocks read at once; and blocks whose Transfer logs are searched between two renewals of the lease.
_BATCH, _SEARCH = 500, 50_000


@dataclass(frozen=True, slots=True)
class Reread:
    """The blocks that were read again, and how many movements were posted that the ledger lacked."""

    first: int
    last: int
    posted: int


async def reread(
    database: Database, node: Node, settings: PaymentSettings, first: int, last: int, clock: Clock
) -> Reread:
    """Read the final blocks from `first` to `last` again and post the movements that the ledger lacks.

    Raises InvalidRequest if the ledger has not read all of them or `last` is before `first`, ChainReplaced and
    NodeUnavailable.
    """
    if last < first:
        raise InvalidRequest("blocks", f"block {last} is before block {first}: name the first block first")
    contracts = list(settings.contracts.values())
    posted = 0
    for start in range(first, last + 1, _BATCH):
        async with database.reading() as connection:
            cursor = await cursors.read(connection, contracts[0].chain_id) if contracts else None
            hashes = await relayers.open_hashes(connection, contracts[0].chain_id, clock()) if contracts else {}
        end = min(start + _BATCH - 1, last)
        if cursor is None or not 0 < start <= end <= cursor.number:
            read = "nothing is read yet" if cursor is None else f"blocks 1 to {cursor.number} are in the ledger"
            raise InvalidRequest("blocks", f"blocks {first} to {last} cannot be read again: {read}")
        block_range = await watch.read_again(node, contracts, cursor, start, end, hashes)
        posted += await _post(database, settings, cursor.chain_id, block_range, clock)
    return Reread(first, last, posted)


async def _post(
    database: Database, settings: PaymentSettings, chain_id: int, block_range: BlockRange, clock: Clock
) -> int:
    """Post the movements that the ledger lacks, block by block, in one transaction. Returns how many."""
    async with database.transaction() as connection:
        await cursors.lock(connection, chain_id)
        missing = await _missing(connection, chain_id, block_range)
        posted = 0
        for number in sorted({one.block_number for one in missing}):
            moved = [one for one in missing if one.block_number == number]
            last = replace(block_range.last, number=number)
            block = replace(block_range, first=number, last=last, movements=moved, skips=[], receipts=[])
            posted += await block_settlement.settle_again(
                connection, settings.assets, settings.settles, chain_id, block, clock()
            )
        rest = replace(block_range, movements=[])
        await block_settlement.settle_again(connection, settings.assets, settings.settles, chain_id, rest, clock())
    for one in missing if posted else ():
        log.warning(
            "block %d was read again: %s of %s from %s to %s was not in the ledger",
            *(one.block_number, one.value, one.asset_code, one.from_address, one.to_address),
        )
    return posted


async def _missing(connection: Connection, chain_id: int, block_range: BlockRange) -> list[Movement]:
    rows = await connection.fetch(sql.observed, chain_id, block_range.first, block_range.last.number)
    observed = {(row["block_hash"], row["log_index"]) for row in rows}
    return [one for one in block_range.movements if (one.block_hash, one.log_index) not in observed]


# ---- a difference that is seen again --------------------------------------------------------------------------------


async def search(
    database: Database, node: Node, settings: PaymentSettings, differences: Sequence[Difference], clock: Clock
) -> AsyncIterator[int]:
    """Search for movements of these accounts that the ledger lacks, and post them. Yields the number posted so far,
    often enough for the caller to renew its lease.

    Raises NodeUnavailable and ChainReplaced.
    """
    posted = 0
    for one in differences:
        contract = settings.contracts.get(one.asset.code)
        if contract is None or one.block is None:
            continue
        numbers = set[int]()
        for party in await _parties(database, one):
            for first in range(contract.deployed_block + 1, one.block + 1, _SEARCH):
                last = min(first + _SEARCH - 1, one.block)
                logs = await node.transfer_logs(contract.address, party, first, last)
                numbers |= await _missing_blocks(database, contract, logs, first, last)
                yield posted
        for number in sorted(numbers):
            posted += (await reread(database, node, settings, number, number, clock)).posted
            yield posted


async def _parties(database: Database, one: Difference) -> list[str]:
    """Return the addresses whose logs change an account. A supply is changed by mints and burns, which name the zero
    address.
    """
    kind, _, rest = one.account.partition(":")
    if kind != "wallet":
        return [ZERO]
    async with database.reading() as connection:
        rows = await connection.fetch(sql.addresses_of_handle, rest.partition(":")[0])
    return [row["address"] for row in rows]


async def _missing_blocks(
    database: Database, contract: Contract, logs: Sequence[Log], first: int, last: int
) -> set[int]:
    """Return the blocks of those logs that moved tokens and that the ledger lacks."""
    async with database.reading() as connection:
        rows = await connection.fetch(sql.observed, contract.chain_id, first, last)
    observed = {(row["block_hash"], row["log_index"]) for row in rows}
    return {
        one.block_number
        for one in logs
        if (one.block_hash, one.log_index) not in observed and any(one.data) and one.topics[1] != one.topics[2]
    }
