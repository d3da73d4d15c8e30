"""Many payments of one payer in one call: payroll, payouts. Each is independent of the others, or all are paid or none.

Each line has an idempotency key: its own, or one derived from the call's key and its index. So an interrupted call can
be retried unchanged: lines that were paid are found, the others are paid. Ledger payments of a plain key go a thousand
to a commit (rails/ledger.py), all others a hundred (`pay_together`); lines that neither path can decide are paid one by
one.

Lines are kept as columns from reading to answering. With an object and a Money per line Python took twice the time;
with columns a call of a thousand lines takes 13 ms in Python and 41 ms in PostgreSQL.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from msgspec.structs import replace

from gateway import idempotency
from gateway.errors import GatewayError
from gateway.idempotency import Answer, Claim
from gateway.identity.credential import Credential
from gateway.identity.wallet import Wallet
from gateway.ids import PaymentId
from gateway.money import Assets, Money
from gateway.payments import pay, restored
from gateway.payments.errors import LineRefused, PaymentRestored
from gateway.payments.model.note import Note
from gateway.payments.model.payment import Payment
from gateway.payments.model.plain import Undecided, handle_of
from gateway.payments.model.proposed import Proposed
from gateway.payments.model.settings import PaymentSettings
from gateway.payments.pay import PayRequest
from gateway.payments.payees.lookup import find_payee
from gateway.payments.rails import ledger as ledger_rail
from gateway.payments.records import records
from gateway.postgres.pool import Connection, Database

#: The most ledger payments in one commit, and so the most lines in one part.
AT_ONCE = 1_000

#: The most other payments in one commit. It is lower, since their accounts are locked for longer.
SHARED = 100

#: The most payments in one array; fewer where all are paid or none, since those lock all their accounts at once.
PAYMENTS_MAX, PAYMENTS_MAX_TOGETHER = 10_000, 1_000


@dataclass(frozen=True, slots=True)
class Line:
    """One payment of the call: the request, or the error if it could not be parsed; its key, and its fingerprint (see
    Claim).
    """

    asked: PayRequest | GatewayError
    key: str
    fingerprint: bytes


class Lines(NamedTuple):
    """The lines of a call as columns, one element per line, in order. A line in `refused` could not be parsed, so its
    values in the columns are empty. `notes` and `refused` are keyed by the line's index; `amounts` are in units.
    """

    keys: list[str]
    fingerprints: list[bytes]
    to: list[str]
    assets: list[str]
    amounts: list[int]
    memos: list[str | None]
    captures: list[bool]
    notes: dict[int, Note]
    refused: dict[int, GatewayError]

    def line(self, place: int, assets: Assets) -> Line:
        """A single line."""
        asked: PayRequest | GatewayError | None = self.refused.get(place)
        if asked is None:
            money = Money(self.amounts[place], assets[self.assets[place]])
            note = self.notes.get(place)
            asked = PayRequest(self.to[place], money, self.memos[place], self.captures[place], note=note)
        return Line(asked, self.keys[place], self.fingerprints[place])


@dataclass(frozen=True, slots=True)
class Payer:
    """The payer of all lines, the SHA-256 of its API key (None: another credential), and the credential itself."""

    wallet: Wallet
    api_key_hash: bytes | None
    by: Credential | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """The payment made earlier with the line's key, by another call or by an earlier line of this one."""

    payment: Payment


#: The outcome of a line: settled in the ledger (its payment's id), accepted, paid earlier under its key, or refused.
Result = PaymentId | Payment | Replayed | GatewayError


async def pay_each(
    database: Database, settings: PaymentSettings, payer: Payer, lines: Lines, now: datetime
) -> list[Result]:
    """Pay the lines independently, at most AT_ONCE at a time: a refused one leaves no trace and does not affect the
    others. They are paid in order, except that lines for the ledger's fast path go first.
    """
    decided = await _pay_plain(database, settings, payer, lines, now)
    rest = [place for place in range(len(lines.keys)) if place not in decided]
    for start in range(0, len(rest), SHARED):
        shared = {place: lines.line(place, settings.assets) for place in rest[start : start + SHARED]}
        decided |= await _pay_shared(database, settings, payer, shared, now)
    for place in rest:
        if place not in decided:
            decided[place] = await _pay_alone(database, settings, payer, lines.line(place, settings.assets), now)
    return [decided[place] for place in range(len(lines.keys))]


async def pay_all_or_none(
    connection: Connection, settings: PaymentSettings, payer: Payer, lines: Lines, now: datetime
) -> list[Payment]:
    """Pay the lines in order in the caller's transaction, which has claimed the call's key, so the lines need no keys
    of their own. Raises LineRefused for the first line that cannot be paid: the caller rolls back, and none is paid.

    Payees are looked up first, so the accounts are locked only for one ledger call and a few inserts.
    """
    accepted: list[Proposed] = []
    for place in range(len(lines.keys)):
        try:
            asked = lines.line(place, settings.assets).asked
            if isinstance(asked, GatewayError):
                raise asked
            payee = await find_payee(connection, settings, payer.wallet, asked.to)
            ready = pay.accepted(settings, payer.wallet, payee, asked, now)
            accepted.append(Proposed(ready, payer.wallet, payee, payer.by))
        except GatewayError as refusal:
            raise LineRefused(place, refusal) from refusal
    payments: list[Payment] = []
    for place, result in enumerate(await pay.start_all(connection, settings, accepted, now)):
        if isinstance(result, GatewayError):
            raise LineRefused(place, result)
        payments.append(result)
    return payments


async def _pay_plain(
    database: Database, settings: PaymentSettings, payer: Payer, lines: Lines, now: datetime
) -> dict[int, Result]:
    """Pay lines on the ledger's fast path, which finds payers by their API keys; return results by index. Of two lines
    with the same idempotency key it takes the first. Lines that it does not decide are absent.
    """
    if payer.api_key_hash is None:
        return {}
    handles = {
        place: handle
        for place, to in enumerate(lines.to)
        if lines.captures[place] and (handle := handle_of(to)) is not None
    }
    fees = ledger_rail.fees_of(settings, [lines.assets[at] for at in handles], [lines.amounts[at] for at in handles])
    plain: dict[str, tuple[int, int]] = {}
    for place, cost in zip(handles, fees, strict=True):
        if cost is not None:
            plain.setdefault(lines.keys[place], (place, cost))
    if not plain:
        return {}
    places = [place for place, _ in plain.values()]
    asked = ledger_rail.Columns(
        [cost for _, cost in plain.values()],
        [payer.api_key_hash] * len(places),
        list(plain),
        [lines.fingerprints[place] for place in places],
        [handles[place] for place in places],
        [lines.assets[place] for place in places],
        [lines.amounts[place] for place in places],
        [lines.memos[place] for place in places],
    )
    notes = {place: lines.notes[place] for place in places if place in lines.notes} if lines.notes else {}
    if not notes:
        async with database.one_statement() as connection:
            outcomes, *_ = await ledger_rail.pay_columns(connection, settings, asked, now)
    else:
        async with database.transaction() as connection:
            outcomes, *_ = await ledger_rail.pay_columns(connection, settings, asked, now)
            settled = {place: one for place, one in zip(places, outcomes, strict=True) if isinstance(one, UUID)}
            await records.insert_notes(connection, {settled[at]: note for at, note in notes.items() if at in settled})
    return {place: one for place, one in zip(places, outcomes, strict=True) if not isinstance(one, Undecided)}


class _NothingPaid(Exception):
    """No line of a group was paid. Rolls the group back, so that no empty accounts stay behind."""


async def _pay_shared(
    database: Database, settings: PaymentSettings, payer: Payer, lines: Mapping[int, Line], now: datetime
) -> dict[int, Result]:
    """Pay these lines independently in one transaction; return results by index. Lines that it does not decide are
    absent: those with a key that was used before, or all of them if one makes the transaction fail.
    """
    paid: dict[PaymentId, Payment] = {}
    refused: dict[int, Result] = {}

    async def operation(connection: Connection, asked: Sequence[PayRequest], at: datetime) -> list[idempotency.Outcome]:
        results = await pay.pay_together(connection, settings, [(payer.wallet, one) for one in asked], at)
        paid.update({one.id: one for one in results if isinstance(one, Payment)})
        return [
            Answer(202, None, payment=one.id, in_row=one.has_its_key) if isinstance(one, Payment) else one
            for one in results
        ]

    asked = {
        place: (claim, replace(line.asked, by=payer.by, claim=claim))
        for place, line in lines.items()
        if isinstance(line.asked, PayRequest) and (claim := Claim(payer.wallet.id, line.key, line.fingerprint))
    }
    try:
        async with database.transaction() as connection:
            outcomes = dict(
                zip(
                    asked,
                    await idempotency.run_idempotently(connection, list(asked.values()), operation, now),
                    strict=True,
                )
            )
            refused = {place: one for place, one in outcomes.items() if isinstance(one, GatewayError)}
            if not paid:
                raise _NothingPaid
    except _NothingPaid:
        return refused
    except GatewayError:
        return {}
    fresh = {
        place: paid[one.payment]
        for place, one in outcomes.items()
        if isinstance(one, Answer) and not one.replayed and one.payment is not None
    }
    return refused | fresh


async def _pay_alone(database: Database, settings: PaymentSettings, payer: Payer, line: Line, now: datetime) -> Result:
    """Pay one line in a transaction of its own."""
    try:
        async with database.transaction() as connection:
            return await _pay_one(connection, settings, payer, line, now)
    except PaymentRestored as refusal:
        await restored.keep_met(database, Claim(payer.wallet.id, line.key, line.fingerprint), refusal, now)
        return refusal
    except GatewayError as refusal:
        return refusal


async def _pay_one(
    connection: Connection, settings: PaymentSettings, payer: Payer, line: Line, now: datetime
) -> Payment | Replayed:
    """Pay one line, or find the payment that was made earlier with its key. Raises what `pay` and `claim` raise."""
    if isinstance(line.asked, GatewayError):
        raise line.asked
    answer = await idempotency.claim(connection, payer.wallet.id, line.key, line.fingerprint, now)
    if answer is not None:
        if answer.payment is None:
            refusal = await restored.met(connection, payer.wallet.id, line.key)
            assert refusal is not None, "a line's key names its payment"
            raise refusal
        return Replayed(await records.payment(connection, settings.assets, answer.payment, payer.wallet.id))
    payment = await pay.pay(connection, settings, payer.wallet, replace(line.asked, by=payer.by), now)
    await idempotency.keep(connection, payer.wallet.id, line.key, Answer(202, None, payment=payment.id))
    return payment
