"""The outbox: what relayers have stored is sent as it is stored, and what a node does not take is told.

What is read here is confirmed before it is sent: were it lost with its server (see `DatabaseConnection.confirm`), the
chain would move tokens for a payment that nobody knows any more.

A node's answer decides nothing of a payment: only the receipt of one of our own hashes does. But nobody could guess why
a node does not take a transaction ("underpriced", "insufficient funds", "exceeds block gas limit"), so the last reason
is kept with the relayer, in the node's words, until it takes what the relayer sends. It is logged once, and shown by
`gateway relayers`, by `/health/ready` and by `gateway deploy`.

Nodes also complain about what they have already. So a complaint counts when no attempt at its nonce was taken, and the
node, asked by their hashes, knows none of them.
"""

import logging
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from gateway.chain.errors import NodeRefused
from gateway.chain.json_rpc import same_words
from gateway.chain.node import Node
from gateway.chain.relayer.relayers import Attempt
from gateway.postgres.pool import Connection, Database, Statements, confirm

sql = Statements(__package__, "outbox.sql")

log = logging.getLogger(__name__)

#: How nodes say that they have a transaction already. Other words are looked into: whether the node knows it.
_HAS_IT = re.compile(r"already ?(known|imported|exists)|known transaction", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The first transaction of a relayer that a node does not take, and why, in its words."""

    relayer: str
    nonce: int
    reason: str

    def __str__(self) -> str:
        return f"the node refuses transaction {self.nonce} of the relayer {self.relayer}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Sent:
    """The attempts that were sent, at transactions that are in no block, and what was refused of them."""

    attempts: list[Attempt]
    refusal: Refusal | None = None


async def send_open(database: Database, node: Node, attempts: Sequence[Attempt]) -> Sent:
    """Send, as stored and in nonce order, the attempts at transactions that are in no block."""
    receipts = await _receipts(node, [attempt.hash for attempt in attempts])
    mined = {attempt.transaction_id for attempt in attempts if attempt.hash in receipts}
    unmined = [attempt for attempt in attempts if attempt.transaction_id not in mined]
    if not unmined:
        return Sent([])
    async with database.reading() as connection:
        rows = await connection.fetch(sql.raws, [attempt.hash for attempt in unmined])
        await confirm(connection)
    raws = {row["hash"]: row["raw"] for row in rows}
    handed = [_Handed(one.transaction_id, one.nonce, one.hash, await node.send(raws[one.hash])) for one in unmined]
    return Sent(unmined, await _note(database, node, handed))


async def send_unsent(database: Database, node: Node, address: str) -> None:
    """Send what no node was handed yet, in nonce order, and note that."""
    async with database.reading() as connection:
        unsent = await connection.fetch(sql.unsent, address)
        if unsent:
            await confirm(connection)
    handed = [_Handed(row["transaction_id"], row["nonce"], row["hash"], await node.send(row["raw"])) for row in unsent]
    if unsent:
        async with database.one_statement() as connection:
            await connection.execute(sql.sent, address, unsent[-1]["nonce"] + 1)
        await _note(database, node, handed)


async def taken_again(database: Database, address: str) -> None:
    """Note that the node takes what the relayer sends, or that nothing waits to be sent."""
    async with database.one_statement() as connection:
        if await connection.fetchval(sql.note_taken, address) is not None:
            log.info("the node takes the transactions of the relayer %s again", address)


async def refused_anywhere(connection: Connection) -> Refusal | None:
    """The refusal that has stood for longest, of all relayers."""
    row = await connection.fetchrow(sql.refused_anywhere)
    return None if row is None else Refusal(row["address"], row["refused_nonce"], row["refused"])


@dataclass(frozen=True, slots=True)
class _Handed:
    """An attempt, and what the node said to it; None where it took it."""

    transaction_id: UUID
    nonce: int
    hash: bytes
    complaint: str | None


async def _receipts(node: Node, hashes: Sequence[bytes]) -> Collection[bytes]:
    """The hashes of those that are in a block. A node that cannot say, as while it indexes, is sent all of them."""
    try:
        return (await node.receipts(hashes)).keys()
    except NodeRefused:
        return ()


async def _note(database: Database, node: Node, handed: Sequence[_Handed]) -> Refusal | None:
    """Note what a node did not take of this, all of one relayer, and say it once."""
    first = await _first_refused(node, handed)
    if first is None:
        return None
    assert first.complaint is not None
    async with database.one_statement() as connection:
        row = await connection.fetchrow(
            sql.note_refused, first.transaction_id, first.nonce, first.complaint, same_words(first.complaint)
        )
    assert row is not None, "it is stored"
    refusal = Refusal(row["address"], first.nonce, first.complaint)
    if row["fresh"]:
        log.warning("%s. What it carries waits; it is sent again until a node takes it", refusal)
    return refusal


async def _first_refused(node: Node, handed: Sequence[_Handed]) -> _Handed | None:
    """The newest attempt at the first nonce of which no attempt was taken, and none is known to the node: to what it
    has already it complains too.
    """
    doubtful: dict[int, list[_Handed]] = {}
    for one in handed:
        doubtful.setdefault(one.nonce, []).append(one)
    for nonce, attempts in list(doubtful.items()):
        if any(one.complaint is None or _HAS_IT.search(one.complaint) for one in attempts):
            del doubtful[nonce]
    if not doubtful:
        return None
    try:
        known = await node.known([one.hash for attempts in doubtful.values() for one in attempts])
    except NodeRefused:
        known = set()
    refused = [nonce for nonce, attempts in doubtful.items() if not any(one.hash in known for one in attempts)]
    return doubtful[min(refused)][-1] if refused else None
