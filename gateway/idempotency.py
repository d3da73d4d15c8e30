"""Idempotency: a call with a key is carried out once; repeating it always returns its first answer.

A key is stored in the transaction that moves the money, so both are stored or neither: with the call's answer in
`idempotency_key` or, for a payment that settles at once on the ledger, in the payment's own row. A second call with the
same key waits for that transaction, briefly, then finds its answer. Keys belong to the wallet that used them.

Errors are not stored: they moved nothing, so the same key may be retried. (IETF draft idempotency-key-header-07.)

Keys are locked before anything else, and in one order (`lock_keys` in schema/07_idempotency.sql): by the calls that
share a transaction (group_commit.py), and by the functions of the fast path. So if two groups want the same keys, one
waits for the other, and they cannot deadlock.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from msgspec import Struct

from gateway.errors import GatewayError, IdempotencyKeyInProgress, IdempotencyKeyReused
from gateway.ids import PaymentId, WalletId
from gateway.postgres.driver_errors import LockNotAvailable
from gateway.postgres.pool import Connection, Database, Record, Statements

sql = Statements(__package__, "idempotency.sql")

Asked = TypeVar("Asked")

#: The identity of a key: its wallet, and the key.
KeyId = tuple[WalletId, str]


class Claim(Struct, frozen=True):
    """A key, its wallet, and the request it is for: `fingerprint` is the SHA-256 of the request."""

    wallet: WalletId
    key: str
    fingerprint: bytes

    @property
    def id(self) -> KeyId:
        return self.wallet, self.key


class Answer(Struct, frozen=True):
    """The answer of a call: its HTTP status and the bytes of its body.

    Most calls about one payment store no body: their first answer is derived from `payment`, its row and its events
    (payments/first_answer.py).
    """

    status: int
    body: bytes | None
    replayed: bool = False
    payment: PaymentId | None = None
    in_row: bool = False  # Whether the key is in the payment's own row: then nothing else is stored.


class Unbatched:
    """The call was not decided in a batch: nothing was written for it, its key is free, and the caller runs this call
    again alone.
    """


#: The result of a call that shares a transaction: its answer (the first, if there was one), or an error.
Outcome = Answer | GatewayError | Unbatched

#: Runs calls of one kind, in order and independently; a refused call writes nothing and does not affect the others.
Operation = Callable[[Connection, Sequence[Asked], datetime], Awaitable[Sequence[Outcome]]]


async def claim(connection: Connection, wallet: WalletId, key: str, fingerprint: bytes, now: datetime) -> Answer | None:
    """Claim the key for this request. Returns None if this call has it now, or the first answer if it was used before.

    Raises IdempotencyKeyReused if it was used for another request (another `fingerprint`), and IdempotencyKeyInProgress
    if the first call is still running after the database's `lock_timeout`.
    """
    (found,) = await _claim_all(connection, [Claim(wallet, key, fingerprint)], now)
    if isinstance(found, GatewayError):
        raise found
    assert not isinstance(found, Unbatched), "one key is not there twice"
    return found


async def begin(database: Database, wallet: WalletId, key: str, fingerprint: bytes, now: datetime) -> Answer | None:
    """Claim the key as `claim`, for a call of several transactions: this is the first, and `end` the last. Returns None
    also if an earlier call was cut off in between or is not done yet: then the work is done again, so each part of it
    must be idempotent.
    """
    async with database.one_statement() as connection:
        (found,) = await _claim_all(connection, [Claim(wallet, key, fingerprint)], now)
    if found is None:
        return None
    async with database.transaction() as connection:  # a transaction confirms what it has read
        answer = await claim(connection, wallet, key, fingerprint, now)
    return answer if answer is not None and answer.body is not None else None


async def end(database: Database, wallet: WalletId, key: str, answer: Answer) -> Answer:
    """Store the answer as `keep`, in a transaction of its own."""
    async with database.one_statement() as connection:
        kept = await keep(connection, wallet, key, answer)
    if kept.replayed:
        async with database.transaction() as connection:  # a transaction confirms what it has read
            kept = await keep(connection, wallet, key, answer)
    return kept


async def keep(connection: Connection, wallet: WalletId, key: str, answer: Answer) -> Answer:
    """Store the answer of the call that claimed the key. Returns it, or the first one if two ran side by side: the
    later of the two gets that, replayed.
    """
    kept = await _keep_all(connection, {(wallet, key): answer})
    return kept[wallet, key]


async def run_idempotently(
    connection: Connection, asked: Sequence[tuple[Claim, Asked]], operation: Operation[Asked], now: datetime
) -> list[Outcome]:
    """Use the keys of calls that share this transaction: run `operation` on the new ones and store their answers; an
    error stores no key. The number of statements does not depend on how many calls there are.

    If two calls have the same new key, the later is Unbatched: once the first is committed, it finds its answer. A
    single call raises IdempotencyKeyInProgress as `claim` does; several raise the error that `transaction` turns into
    Contended.
    """
    found = await _use_all(connection, [claim for claim, _ in asked])
    fresh = [one for one, answer in zip(asked, found, strict=True) if answer is None]
    acted = await operation(connection, [what for _, what in fresh], now) if fresh else ()

    ends = [(claim, end) for (claim, _), end in zip(fresh, acted, strict=True) if isinstance(end, Answer)]
    await _insert_all(connection, [(claim, end) for claim, end in ends if not end.in_row], now)
    outcomes = iter(acted)
    return [next(outcomes) if answer is None else answer for answer in found]


async def _use_all(connection: Connection, claims: Sequence[Claim]) -> list[Outcome | None]:
    """Look keys up as `_claim_all`, without writing: the key is stored with the call's answer, or with its payment."""
    first = {claim.id: claim for claim in reversed(claims)}
    try:
        rows = await connection.fetch(sql.use_keys, *_columns(first))
    except LockNotAvailable:
        if len(claims) == 1:
            raise IdempotencyKeyInProgress(claims[0].key) from None
        raise
    listed = list(first)
    used = {listed[row["place"] - 1]: row for row in rows}
    return [_found(claim, used.get(claim.id), first[claim.id] is claim) for claim in claims]


def _found(claim: Claim, used: Record | None, is_first: bool) -> Outcome | None:
    """Return None for a new key, for the first of several calls that have it."""
    if used is None:
        return None if is_first else Unbatched()
    if used["fingerprint"] != claim.fingerprint:
        return IdempotencyKeyReused(claim.key)
    return _first_of(used)


async def _insert_all(connection: Connection, answers: Sequence[tuple[Claim, Answer]], now: datetime) -> None:
    """Store the answers of calls whose keys `_use_all` has found unused."""
    if answers:
        await connection.execute(
            sql.insert_answers,
            *_columns(claim.id for claim, _ in answers),
            [claim.fingerprint for claim, _ in answers],
            [answer.status for _, answer in answers],
            [answer.body for _, answer in answers],
            [answer.payment for _, answer in answers],
            now,
        )


async def _claim_all(connection: Connection, claims: Sequence[Claim], now: datetime) -> list[Outcome | None]:
    """Return per claim None if its key is claimed now, the first answer or IdempotencyKeyReused if it was used before,
    Unbatched if an earlier one of these claims has it.
    """
    first = {claim.id: claim for claim in reversed(claims)}
    try:
        fingerprints = [claim.fingerprint for claim in first.values()]
        rows = await connection.fetch(sql.claim_keys, *_columns(first), fingerprints, now)
    except LockNotAvailable:
        if len(claims) == 1:
            raise IdempotencyKeyInProgress(claims[0].key) from None
        raise
    listed = list(first)
    ours = {listed[row["place"] - 1] for row in rows}
    others = first.keys() - ours
    rows = await connection.fetch(sql.answers_of_keys, *_columns(others)) if others else []
    used = {(row["wallet_id"], row["key"]): row for row in rows}
    assert len(used) == len(others), "a key that was answered is never removed"
    return [_found(claim, used.get(claim.id), first[claim.id] is claim) for claim in claims]


async def _keep_all(connection: Connection, answers: Mapping[KeyId, Answer]) -> dict[KeyId, Answer]:
    """Store answers of claimed keys. Returns what is stored now: if another call was first, its answer, replayed."""
    if not answers:
        return {}
    rows = await connection.fetch(
        sql.keep_answers,
        *_columns(answers),
        [answer.status for answer in answers.values()],
        [answer.body for answer in answers.values()],
        [answer.payment for answer in answers.values()],
    )
    others = answers.keys() - {(row["wallet_id"], row["key"]) for row in rows}
    if not others:
        return dict(answers)
    rows = await connection.fetch(sql.answers_of_keys, *_columns(others))
    assert len(rows) == len(others), "only a key that was claimed has an answer"
    return {**answers, **{(row["wallet_id"], row["key"]): _first_of(row) for row in rows}}


def _first_of(row: Record) -> Answer:
    """Return the stored answer of a key, as later calls get it."""
    return Answer(row["status"], row["answer"], replayed=True, payment=row["payment_id"])


def _columns(ids: Iterable[KeyId]) -> tuple[list[WalletId], list[str]]:
    """Return the ids as a statement takes them."""
    listed = list(ids)
    return [wallet for wallet, _ in listed], [key for _, key in listed]
