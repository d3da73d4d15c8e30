"""The outbox: send what relayers have stored, as it is stored, and report what a node refuses.

What is read here is confirmed before it is sent. If it were lost with its server (see `DatabaseConnection.confirm`),
the chain would move tokens for a payment that the database does not have.

A node's answer decides nothing about a payment: only the receipt of a stored hash does. But operators need to know why
a node refuses a transaction ("underpriced", "insufficient funds", "exceeds block gas limit"). So the last reason is
kept with the relayer, in the node's words, until the node accepts its transactions. It is logged once, and shown by
`gateway relayers`, by `/health/ready` and by `gateway deploy`.

Nodes also return errors for transactions that they have already. So an error counts only if no attempt at its nonce was
accepted, and the node, asked by their hashes, knows none of them.
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

#: How nodes say that they have a transaction already. For other words, the node is asked whether it knows it.
_HAS_IT = re.compile(r"already ?(known|imported|exists)|known transaction", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The first transaction of a relayer that a node refuses, and why, in the node's words."""

    relayer: str
    nonce: int
    reason: str

    def __str__(self) -> str:
        return f"the node refuses transaction {self.nonce} of the relayer {self.relayer}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Sent:
    """The attempts that were sent, of transactions that are in no block, and what was refused of them."""

    attempts: list[Attempt]
    refusal: Refusal | None = None


async def send_open(database: Database, node: Node, attempts: Sequence[Attempt]) -> Sent:
    """Send, as stored and in nonce order, the attempts of transactions that are in no block."""
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
    """Send, in nonce order, what was not sent to any node yet, and record that."""
    async with database.reading() as connection:
        unsent = await connection.fetch(sql.unsent, address)
        if unsent:
            await confirm(connection)
    handed = [_Handed(row["transaction_id"], row["nonce"], row["hash"], await node.send(row["raw"])) for row in unsent]
    if unsent:
        async with database.one_statement() as connection:
            await connection.execute(sql.sent, address, unsent[-1]["nonce"] + 1)
        await _note(database, node, handed)


async def clear_refusal(database: Database, address: str) -> None:
    """Record that the node accepts the relayer's transactions, or that it has none to send."""
    async with database.one_statement() as connection:
        if await connection.fetchval(sql.note_taken, address) is not None:
            log.info("the node accepts the transactions of the relayer %s again", address)


async def refused_anywhere(connection: Connection) -> Refusal | None:
    """Return the refusal that has lasted longest, of all relayers."""
    row = await connection.fetchrow(sql.refused_anywhere)
    return None if row is None else Refusal(row["address"], row["refused_nonce"], row["refused"])


@dataclass(frozen=True, slots=True)
class _Handed:
    """An attempt, and the node's error; None if the node accepted it."""

    transaction_id: UUID
    nonce: int
    hash: bytes
    complaint: str | None


async def _receipts(node: Node, hashes: Sequence[bytes]) -> Collection[bytes]:
    """Return the hashes that are in a block. If the node cannot say, as while it indexes, return none, so that all are
    sent.
    """
    try:
        return (await node.receipts(hashes)).keys()
    except NodeRefused:
        return ()


async def _note(database: Database, node: Node, handed: Sequence[_Handed]) -> Refusal | None:
    """Record the first of these transactions, all of one relayer, that the node refused, and log it once."""
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
        log.warning("%s. Its payments wait; it is resent until a node accepts it", refusal)
    return refusal


async def _first_refused(node: Node, handed: Sequence[_Handed]) -> _Handed | None:
    """Return the newest attempt at the first nonce of which no attempt was accepted and the node knows none: a node
    returns errors for attempts that it has already, too.
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
