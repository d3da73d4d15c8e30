"""Many payments of one payer in one call: payroll, payouts. Each on its own, or all or none.

Each has an idempotency key, its own or one made of the whole's and its place, so a call that was cut off anywhere is
sent again as it was: what was settled is found, what was not is done. Ledger payments of a plain key go a thousand to a
commit (rails/ledger.py), all others a hundred (`pay_together`); what neither can decide is paid one by one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from gateway.access.credential import Credential
from gateway.errors import GatewayError, LineRefused, PaymentRestored
from gateway.ids import PaymentId, new_id
from gateway.payments import once, pay, records, recovery
from gateway.payments.check import Proposed
from gateway.payments.note import Note
from gateway.payments.once import Answer, Claim
from gateway.payments.pay import PayRequest
from gateway.payments.payees.lookup import find_payee
from gateway.payments.payment import Payment
from gateway.payments.plain import Undecided
from gateway.payments.rails import ledger as ledger_rail
from gateway.payments.rails.ledger import LedgerPayment, Outcome, Settled
from gateway.payments.terms import Terms
from gateway.postgres import Connection, Database
from gateway.wallets.wallet import Wallet

#: How many ledger payments share a commit.
AT_ONCE = 1_000

#: How many of the other payments share a commit: their accounts are locked for longer.
SHARED = 100

#: The most payments in one array; of those that stand or fall together, which lock their accounts together, fewer.
MOST, MOST_TOGETHER = 10_000, 1_000


@dataclass(frozen=True, slots=True)
class Line:
    """One payment of the call: what is asked, or why it cannot even be read; its key, and what the key stands for (see
    Claim).
    """

    asked: PayRequest | GatewayError
    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Payer:
    """Who pays them all, the SHA-256 of the API key that said so (None: no key did), and what was shown."""

    wallet: Wallet
    api_key_hash: bytes | None
    by: Credential | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """The payment that the line's key had paid already, in an earlier call or by an earlier line of this one."""

    payment: Payment


#: What became of a line: settled in the ledger, accepted, paid before with its key, or refused.
Result = Settled | Payment | Replayed | GatewayError


async def pay_each(
    database: Database, terms: Terms, payer: Payer, lines: Sequence[Line], now: datetime
) -> list[Result]:
    """Pay them, each on its own: one that is refused leaves no trace and does not disturb the others.

    In order, but for this: of each thousand, those that the ledger's own path can take go first.
    """
    results: list[Result] = []
    for start in range(0, len(lines), AT_ONCE):
        results += await _pay_part(database, terms, payer, lines[start : start + AT_ONCE], now)
    return results


async def pay_all_or_none(
    connection: Connection, terms: Terms, payer: Payer, lines: Sequence[Line], now: datetime
) -> list[Payment]:
    """Pay them in order, all in the caller's transaction, which has claimed the whole's key: they need none of their
    own. Raises LineRefused for the first that cannot be paid: the caller rolls back, and none is.

    Whom they pay is looked up first; the accounts are locked for one write of the book and a few of rows.
    """
    accepted: list[Proposed] = []
    for place, line in enumerate(lines):
        try:
            if isinstance(line.asked, GatewayError):
                raise line.asked
            payee = await find_payee(connection, terms, payer.wallet, line.asked.to)
            ready = pay.accepted(terms, payer.wallet, payee, line.asked, now)
            accepted.append(Proposed(ready, payer.wallet, payee, payer.by))
        except GatewayError as refusal:
            raise LineRefused(place, refusal) from refusal
    payments: list[Payment] = []
    for place, result in enumerate(await pay.start_all(connection, terms, accepted, now)):
        if isinstance(result, GatewayError):
            raise LineRefused(place, result)
        payments.append(result)
    return payments


async def _pay_part(
    database: Database, terms: Terms, payer: Payer, lines: Sequence[Line], now: datetime
) -> list[Result]:
    plain = _plain(terms, payer, lines, now)
    notes = {one.payment_id: note for place, one in plain.items() if (note := _note(lines[place])) is not None}
    paid = await ledger_rail.pay_all(database, terms, list(plain.values()), now, notes) if plain else []
    decided = _decided(plain, paid)
    rest = [place for place in range(len(lines)) if place not in decided]
    for start in range(0, len(rest), SHARED):
        places = rest[start : start + SHARED]
        decided |= await _pay_shared(database, terms, payer, {place: lines[place] for place in places}, now)
    results: list[Result] = []
    for place, line in enumerate(lines):
        result = decided.get(place)
        if result is None:
            try:
                async with database.transaction() as connection:
                    result = await _pay_one(connection, terms, payer, line, now)
            except PaymentRestored as refusal:
                result = refusal
                claim = Claim(payer.wallet.id, line.key, line.fingerprint)
                await recovery.keep_met(database, claim, refusal, now)
            except GatewayError as refusal:
                result = refusal
        results.append(result)
    return results


def _decided(plain: dict[int, LedgerPayment], outcomes: Sequence[Outcome]) -> dict[int, Result]:
    """What the ledger's own path has decided, by place; the rest is for `_pay_one`."""
    return {
        place: outcome for place, outcome in zip(plain, outcomes, strict=True) if not isinstance(outcome, Undecided)
    }


def _note(line: Line) -> Note | None:
    return None if isinstance(line.asked, GatewayError) else line.asked.note


class _NothingPaid(Exception):
    """No line of a group was paid: it is rolled back, so that not even an empty account is left of it."""


async def _pay_shared(
    database: Database, terms: Terms, payer: Payer, lines: Mapping[int, Line], now: datetime
) -> dict[int, Result]:
    """Pay these lines in one transaction, each on its own, by their places. Absent are those that one transaction does
    not decide: a key that was used before, or by an earlier line; or all, where one of them makes it fail.
    """
    paid: dict[PaymentId, Payment] = {}
    refused: dict[int, Result] = {}

    async def act(connection: Connection, asked: Sequence[PayRequest], at: datetime) -> list[once.Outcome]:
        results = await pay.pay_together(connection, terms, [(payer.wallet, one) for one in asked], at)
        paid.update({one.id: one for one in results if isinstance(one, Payment)})
        return [Answer(202, None, payment=one.id) if isinstance(one, Payment) else one for one in results]

    asked = {
        place: (
            Claim(payer.wallet.id, line.key, line.fingerprint),
            replace(line.asked, by=payer.by),
        )
        for place, line in lines.items()
        if isinstance(line.asked, PayRequest)
    }
    try:
        async with database.transaction() as connection:
            outcomes = dict(zip(asked, await once.act_once(connection, list(asked.values()), act, now), strict=True))
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


def _plain(terms: Terms, payer: Payer, lines: Sequence[Line], now: datetime) -> dict[int, LedgerPayment]:
    """The lines that the ledger's own path can take, by their place: it knows payers by their API keys. Of two with one
    idempotency key, the first.
    """
    plain: dict[int, LedgerPayment] = {}
    if payer.api_key_hash is None:
        return plain
    keys: set[str] = set()
    for place, line in enumerate(lines):
        asked = line.asked
        if line.key in keys or isinstance(asked, GatewayError):
            continue
        handle = ledger_rail.payee_of(terms, asked.to, asked.money, asked.capture)
        if handle is None:
            continue
        keys.add(line.key)
        plain[place] = LedgerPayment(
            payer.api_key_hash,
            line.key,
            line.fingerprint,
            handle,
            asked.money,
            asked.memo,
            PaymentId(new_id(now)),
        )
    return plain


async def _pay_one(connection: Connection, terms: Terms, payer: Payer, line: Line, now: datetime) -> Payment | Replayed:
    """Pay one line with its key, or find what its key has paid. Raises what `pay` and `once.claim` raise."""
    if isinstance(line.asked, GatewayError):
        raise line.asked
    answer = await once.claim(connection, payer.wallet.id, line.key, line.fingerprint, now)
    if answer is not None:
        if answer.payment is None:
            refusal = await recovery.met(connection, payer.wallet.id, line.key)
            assert refusal is not None, "a line's key names its payment"
            raise refusal
        return Replayed(await records.payment(connection, terms.assets, answer.payment, payer.wallet.id))
    payment = await pay.pay(connection, terms, payer.wallet, replace(line.asked, by=payer.by), now)
    await once.keep(connection, payer.wallet.id, line.key, Answer(202, None, payment=payment.id))
    return payment
