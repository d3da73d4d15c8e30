"""The fast path of `POST /v1/payments`: it decodes the request, pays in a commit that payments share, and encodes the
answer. An ordinary Litestar handler spends more processor time on itself than a payment costs.

Requests come from payment_protocol.py. They are decoded and answered by the same types as in the ordinary handler, but
nothing is routed or injected. There are two ways to pay:

  - Plain: one statement per rail authenticates the callers and pays for all of them (payments/rails/). It takes
    payments of plain API keys, and ledger payments of keys with caps and of sessions; another takes holds of plain
    keys on the ledger rail, and two take captures and voids, and refunds (fast_ends.py). An API key counts as plain
    until the statement finds that it is not. What a cap or a policy seems to have no room for goes the second way.
  - Checked: one transaction authenticates all callers, then pays as the ordinary handler does. It takes everything
    else: payments to addresses or with a note, other holds, tokens in a session. Other captures, voids and refunds go
    this way, in groups of their own.

The ordinary handler answers what is not handled here: payers who sign with their own key, API keys limited to networks,
sessions whose token is due for renewal, used idempotency keys, unknown payees, unknown or rate-limited callers, and
malformed requests.
"""

import asyncio
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from gateway import idempotency
from gateway.api.payments import fast_ends
from gateway.api.payments.fast_ends import CheckedEnd, ended, refunded
from gateway.api.payments.fast_request import head_of
from gateway.api.payments.idempotency import Batcher, fingerprint_of, trace_answers
from gateway.api.payments.payments import ends_of, pay_request, payments_of, refunds_of, shares_commits
from gateway.api.payments.shapes import PaymentRequest, PaymentView
from gateway.api.payments.views import payment_view
from gateway.clock import rfc3339
from gateway.errors import GatewayError, Unauthenticated, Unavailable
from gateway.group_commit import GroupCommit, Told
from gateway.http.answer import problems
from gateway.http.answer.headers import security_headers
from gateway.http.request import body
from gateway.http.request.framing import Field
from gateway.http.services import Services
from gateway.idempotency import Claim
from gateway.identity import api_key as api_keys
from gateway.identity.api_key import LastUsed
from gateway.identity.credential import Credential
from gateway.identity.rate_limits import Kind
from gateway.identity.sign_in import session
from gateway.identity.sign_in.ceremony import Party, party_of
from gateway.identity.wallet import Wallet
from gateway.ids import PaymentId, new_id, show
from gateway.metrics.histogram import Histogram
from gateway.metrics.traffic import Traffic, outcome_of
from gateway.money import Money
from gateway.payments.ends import plain_ends
from gateway.payments.ends.plain_ends import PlainEnd
from gateway.payments.errors import PaymentRestored, UnknownPayee
from gateway.payments.model.payment import Payment as Changed
from gateway.payments.model.plain import NeedsChecks, NotDone, Undecided
from gateway.payments.model.route import Route, ledger_route, rail_of
from gateway.payments.pay import PayRequest, check_memo
from gateway.payments.rails import chain as chain_rail
from gateway.payments.rails import ledger as ledger_rail
from gateway.payments.rails.chain import Queued, TokenPayment
from gateway.payments.rails.ledger import Held, HeldPayment, LedgerPayment, Settled
from gateway.postgres.pool import DB_SYSTEM, Connection
from gateway.tracing.span import Part
from gateway.tracing.tracer import Tracer

_encode = msgspec.json.Encoder().encode
_JSON = (b"content-type", b"application/json")

_CALL = "POST /v1/payments"

#: In the place of the id of a token payment or of a hold until its commit.
_NO_ID = PaymentId(UUID(int=0))

#: What a caller can have done too much of.
_COUNTED: Final[tuple[Kind, ...]] = ("requests", "guesses")

#: How many API keys are remembered as not plain; one that is not is asked about in two transactions.
_KEYS_REMEMBERED = 100_000


class CheckedPayment(Struct, frozen=True):
    """A request whose payment has to pass the checks. `token_hash` is the SHA-256 of the API key or the session's
    token, `money` the amount that it asks for.
    """

    token_hash: bytes
    of_session: bool
    idempotency_key: str
    fingerprint: bytes
    asked: PaymentRequest
    money: Money

    @property
    def key(self) -> tuple[bytes, str]:
        return self.token_hash, self.idempotency_key


Payment = LedgerPayment | HeldPayment | TokenPayment | CheckedPayment | PlainEnd | CheckedEnd

#: What became of a payment.
_Outcome = Settled | Held | Queued | Changed | idempotency.Answer | Undecided | GatewayError

#: What became of a call that had to pass the checks.
_Checked = idempotency.Answer | Undecided | GatewayError

Call = TypeVar("Call", CheckedPayment, CheckedEnd)
Asked = TypeVar("Asked")

#: A status, the headers that are this answer's own, and the body.
Answer = tuple[int, list[Field], bytes]


class FastPayments:
    """Pays. Up to `most` payments of a rail share a commit, and `at_once` commits run concurrently."""

    def __init__(self, services: Services, most: int, at_once: int, traffic: Traffic) -> None:
        self._services = services
        self._traffic = traffic
        self.logs_requests, self.tracer = services.logs_requests, services.tracer
        self.is_told = self.logs_requests or self.tracer is not None  #: Whether each payment is logged or traced.
        #: What is answered of each route, by how its path ends.
        self.routes = {"/v1/payments": traffic.route("POST", "/v1/payments")} | {
            end: traffic.route("POST", f"/v1/payments/{{id}}{end}") for end in ("/capture", "/void", "/refund")
        }
        self._party = party_of(services.public_url)
        self.security = security_headers(services.public_url)
        tracer = self.tracer
        self._ledger = GroupCommit(self._settle, most, at_once, _traced(tracer, "pay_by_ledger", _trace))
        self._holds = GroupCommit(self._hold, most, at_once, _traced(tracer, "hold_on_ledger", _trace))
        self._chain = GroupCommit(self._queue, most, at_once, _traced(tracer, "pay_on_chain", _trace))
        self._plain_ends = GroupCommit(self._end_plain, most, at_once, _traced(tracer, "end_on_ledger", _trace))
        self._plain_refunds = GroupCommit(
            self._refund_plain, most, at_once, _traced(tracer, "refund_on_ledger", _trace)
        )
        self._checked = GroupCommit(self._check, most, 1, _traced(tracer, "payments"))
        self._ending = GroupCommit(self._end, most, 1, _traced(tracer, "captures and voids"))
        self._refunding = GroupCommit(self._refund, most, 1, _traced(tracer, "refunds"))
        self._payments, self._ends, self._refunds = payments_of(services), ends_of(services), refunds_of(services)
        self._need_checks: dict[bytes, None] = {}  # API keys that were found not to be plain, the latest last
        self._in_flight: dict[tuple[bytes, str], asyncio.Future[Any]] = {}
        self._last_used = LastUsed()
        self._writing: asyncio.Task[None] | None = None  # the loop itself keeps only weak references to tasks

    def sizes(self) -> dict[str, Histogram]:
        """The sizes of the commits, by the kind of payment."""
        return {
            "ledger_payments": self._ledger.sizes,
            "holds": self._holds.sizes,
            "chain_payments": self._chain.sizes,
            "captures_and_voids": self._plain_ends.sizes,
            "refunds": self._plain_refunds.sizes,
            "checked_payments": self._checked.sizes,
            "checked_captures_and_voids": self._ending.sizes,
            "checked_refunds": self._refunding.sizes,
        }

    def read(self, headers: Iterable[Field], whole: bytes) -> Payment | None:
        """The payment that the request asks for; None if the ordinary handler has to answer."""
        payment = _payment(self._services, self._party, headers, whole, self._need_checks)
        if payment is None:
            return None
        # A session counts as its wallet, which is not known yet.
        over = not _of_session(payment) and self._is_over(payment.token_hash.hex(), self._services.clock())
        return None if over else payment

    def read_end(self, path: str, headers: Iterable[Field], whole: bytes) -> Payment | None:
        """The capture, void or refund that the request asks for; None if the ordinary handler has to answer."""
        asked = fast_ends.read(self._services, self._party, path, headers, whole, self._need_checks)
        if asked is None:
            return None
        over = not _of_session(asked) and self._is_over(asked.token_hash.hex(), self._services.clock())
        return None if over else asked

    def submit(self, payment: Payment) -> "asyncio.Future[Any]":
        """A future that is done once the payment is committed or refused; `answer` takes it.

        Until then the idempotency key is in flight. A second payment with the key waits for the first, and is then left
        to the ordinary handler, which finds the first one's answer. Handled at once it could deadlock: it would hold
        the key and wait for the accounts, while the commit holds the accounts and waits for the key.
        """
        first = self._in_flight.get(payment.key)
        if first is not None:
            waiting: asyncio.Future[Any] = first.get_loop().create_future()
            first.add_done_callback(lambda _: None if waiting.done() else waiting.set_result(Undecided()))
            return waiting
        future: asyncio.Future[Any]
        if isinstance(payment, CheckedPayment):
            future = self._checked.submit(payment)
        elif isinstance(payment, CheckedEnd):
            future = (self._refunding if payment.asked.end == "refund" else self._ending).submit(payment)
        elif isinstance(payment, PlainEnd):
            future = (self._plain_refunds if payment.end == "refund" else self._plain_ends).submit(payment)
        elif isinstance(payment, TokenPayment):
            future = self._chain.submit(payment)
        elif isinstance(payment, HeldPayment):
            future = self._holds.submit(payment)
        else:
            future = self._ledger.submit(payment)
        self._in_flight[payment.key] = future
        future.add_done_callback(partial(self._in_flight.pop, payment.key))
        return future

    def to_check(self, payment: Payment, done: "asyncio.Future[Any]") -> CheckedPayment | CheckedEnd | None:
        """The payment to submit again, checked, if its API key was found not to be plain, or a rule may have something
        to say. None if the future has its outcome.
        """
        outcome = _outcome(done)
        if isinstance(payment, CheckedPayment | CheckedEnd) or not isinstance(outcome, NeedsChecks):
            return None
        if isinstance(payment, PlainEnd):
            return CheckedEnd(payment, of_session=False)
        if outcome.always:
            self._need_checks[payment.token_hash] = None
        if len(self._need_checks) > _KEYS_REMEMBERED:
            del self._need_checks[next(iter(self._need_checks))]
        money = payment.money
        capture = not isinstance(payment, HeldPayment)
        asked = PaymentRequest(payment.payee_handle, money.amount, money.asset.code, payment.memo, capture)
        key, fingerprint = payment.idempotency_key, payment.fingerprint
        return CheckedPayment(payment.token_hash, _of_session(payment), key, fingerprint, asked, money)

    def answer(self, payment: Payment, done: "asyncio.Future[Any]") -> Answer | None:
        """The answer to a payment whose future is done; None if the ordinary handler has to answer."""
        outcome = _outcome(done)
        if isinstance(outcome, Undecided | Unauthenticated | UnknownPayee):  # which the ordinary handler counts
            return None
        if isinstance(payment, CheckedEnd) and not isinstance(outcome, idempotency.Answer | Unavailable):
            return None
        if isinstance(outcome, Settled) and outcome.payer is not None:
            self._note(str(outcome.payer), None, self._services.clock())
        elif not isinstance(payment, CheckedPayment | CheckedEnd) and not _of_session(payment):
            self._note(payment.token_hash.hex(), payment.token_hash, self._services.clock())
        if not isinstance(payment, PlainEnd | CheckedEnd) and not isinstance(outcome, Changed):
            self._traffic.paid(rail_of(payment.money.asset), _named(payment, outcome))
        if isinstance(outcome, Settled):
            return 201, [_JSON], _encode(_settled(outcome))
        if isinstance(outcome, Held):
            return 201, [_JSON], _encode(_held(outcome))
        if isinstance(outcome, Changed):
            viewer = outcome.note.author if outcome.note else None  # a note was read for its author alone
            return 200 if outcome.refund_of is None else 201, [_JSON], _encode(payment_view(outcome, viewer))
        if isinstance(outcome, Queued):
            return 202, [_JSON], _encode(_queued(outcome))
        if isinstance(outcome, idempotency.Answer):
            assert outcome.body is not None
            return outcome.status, [_JSON], outcome.body
        return problems.as_bytes(outcome)

    def _is_over(self, who: str, now: datetime) -> bool:
        """Whether the caller is over a rate limit, so that the ordinary handler has to refuse."""
        return any(self._services.limits.is_over(kind, who, now) for kind in _COUNTED)

    def _note(self, who: str, api_key_hash: bytes | None, now: datetime) -> None:
        """Count the request against the rate limits, and note when the API key was last used."""
        self._services.limits.note(self._services.database, "requests", who, now)
        if api_key_hash is not None and self._last_used.note(api_key_hash, now):
            self._writing = asyncio.create_task(self._last_used.write(self._services.database))

    async def _settle(self, asked: Sequence[LedgerPayment]) -> list[ledger_rail.Outcome]:
        now = self._services.clock()
        over = self._services.limits.over(_COUNTED, now)
        return await ledger_rail.pay_all(self._services.database, self._services.settings, asked, now, over)

    async def _hold(self, asked: Sequence[HeldPayment]) -> list[Held | NotDone]:
        now = self._services.clock()
        fresh = [structs.replace(one, payment_id=PaymentId(new_id(now))) for one in asked]
        return await ledger_rail.hold_all(self._services.database, self._services.settings, fresh, now)

    async def _end_plain(self, asked: Sequence[PlainEnd]) -> list[plain_ends.Outcome]:
        return await plain_ends.end_all(self._services.database, self._services.settings, asked, self._services.clock())

    async def _refund_plain(self, asked: Sequence[PlainEnd]) -> list[plain_ends.Outcome]:
        return await plain_ends.refund_all(
            self._services.database, self._services.settings, asked, self._services.clock()
        )

    async def _queue(self, asked: Sequence[TokenPayment]) -> list[chain_rail.Outcome]:
        now = self._services.clock()
        fresh = [structs.replace(one, payment_id=PaymentId(new_id(now))) for one in asked]  # of the time of the commit
        return await chain_rail.pay_all(self._services.database, self._services.settings, fresh, now)

    async def _check(self, asked: Sequence[CheckedPayment]) -> list[_Checked]:
        return await self._together(self._payments, asked, self._call)

    async def _end(self, asked: Sequence[CheckedEnd]) -> list[_Checked]:
        return await self._together(self._ends, asked, ended)

    async def _refund(self, asked: Sequence[CheckedEnd]) -> list[_Checked]:
        return await self._together(self._refunds, asked, refunded)

    async def _together(
        self,
        batcher: Batcher[Asked, Any],
        asked: Sequence[Call],
        call_of: Callable[[Call, Credential], tuple[Claim, Asked] | None],
    ) -> list[_Checked]:
        """Authenticate the callers, and run the operation for those who are authorized, in one transaction."""
        now = self._services.clock()
        shown: dict[bytes, Credential] = {}
        calls: dict[int, tuple[Claim, Asked]] = {}

        async def find(connection: Connection) -> list[tuple[Claim, Asked]]:
            shown.update(await _shown(connection, asked, now))
            for place, one in enumerate(asked):
                by = shown.get(one.token_hash)
                if by is None or (one.of_session and self._is_over(str(by.wallet.id), now)):
                    continue
                if (call := call_of(one, by)) is not None:
                    calls[place] = call
            return list(calls.values())

        outcomes = dict(zip(calls, await batcher.commit(find), strict=True))
        return [self._handed_on(one, shown, outcomes.get(place), now) for place, one in enumerate(asked)]

    def _call(self, one: CheckedPayment, by: Credential) -> "_Call | None":
        """The payment, and its idempotency key; None if the ordinary handler has to answer."""
        if "pay" not in by.scopes:
            return None
        try:
            asked = pay_request(one.asked, one.money, by)
        except GatewayError:
            return None
        if not shares_commits(by.wallet, asked):
            return None
        claim = Claim(by.wallet.id, one.idempotency_key, one.fingerprint)
        return claim, (by.wallet, structs.replace(asked, claim=claim))

    def _handed_on(
        self,
        one: CheckedPayment | CheckedEnd,
        shown: Mapping[bytes, Credential],
        outcome: idempotency.Outcome | None,
        now: datetime,
    ) -> _Checked:
        """The outcome if this path may answer with it: a first answer, or a refusal that no rate limit counts."""
        if outcome is None or isinstance(outcome, idempotency.Unbatched | UnknownPayee):
            return Undecided()
        if isinstance(one, CheckedEnd) and isinstance(outcome, GatewayError):
            return Undecided()
        if isinstance(outcome, idempotency.Answer) and outcome.replayed:
            return Undecided()
        if one.of_session:  # which count as in http/callers.py: an API key by its hash, or a session's wallet
            self._note(str(shown[one.token_hash].wallet.id), None, now)
        else:
            self._note(one.token_hash.hex(), one.token_hash, now)
        return outcome


#: A payment's idempotency key, its payer, and what is asked.
_Call = tuple[Claim, tuple[Wallet, PayRequest]]


async def _shown(
    connection: Connection, asked: Sequence[CheckedPayment | CheckedEnd], now: datetime
) -> dict[bytes, Credential]:
    """The callers' credentials, by the SHA-256 of their API key or token."""
    keys = [one.token_hash for one in asked if not one.of_session]
    tokens = [one.token_hash for one in asked if one.of_session]
    return (await api_keys.authenticate_all(connection, keys, now) if keys else {}) | (
        await session.open_all(connection, tokens, now) if tokens else {}
    )


def _trace(
    tracer: Tracer,
    name: str,
    asked: Sequence[object],
    outcomes: Sequence[ledger_rail.Outcome | Held | chain_rail.Outcome | plain_ends.Outcome],
    began: float,
    ended: float,
) -> None:
    """Record a call of a function of the database, in the traces of the payments that it made."""
    takes = tracer.ratio.takes
    payments: list[UUID] = []
    for one in outcomes:
        if isinstance(one, Settled):
            if takes(one.payment_id):
                payments.append(one.payment_id)
        elif isinstance(one, Held | Queued) and takes(one.asked.payment_id):
            payments.append(one.asked.payment_id)
        elif isinstance(one, Changed) and takes(one.id):
            payments.append(one.id)
    if payments:
        tracer.shared("group commit", len(asked), payments, Part(name, began, ended, attributes=DB_SYSTEM))


def _traced(tracer: Tracer | None, name: str, record: Callable[..., None] = trace_answers) -> Told[Any, Any] | None:
    return None if tracer is None else partial(record, tracer, f"PostgreSQL {name}")


def _payment(
    services: Services, party: Party, headers: Iterable[Field], whole: bytes, need_checks: Container[bytes]
) -> Payment | None:
    """The payment that the request asks for; None if it is malformed or asks for something else."""
    head = head_of(party, headers)
    if head is None:
        return None
    try:
        asked = body.read(whole, PaymentRequest)
        money = services.settings.assets.of_wallet(asked.asset).parse_positive(asked.amount)
        check_memo(asked.memo)
    except GatewayError:
        return None
    who, of_session, own_key = head.token_hash, head.of_session, head.idempotency_key
    fingerprint = fingerprint_of(_CALL, asked, services.settings.payees)
    if who not in need_checks and asked.reference is None and asked.metadata is None:
        handle = ledger_rail.payee_of(services.settings, asked.to, money, asked.capture)
        if handle is not None:
            return LedgerPayment(who, own_key, fingerprint, handle, money, asked.memo, of_session)
        handle = chain_rail.payee_of(services.settings, asked.to, money, asked.capture)
        if handle is not None and not of_session:
            return TokenPayment(who, own_key, fingerprint, handle, money, asked.memo, _NO_ID)
        handle = None if asked.capture or of_session else ledger_rail.payee_of_hold(services.settings, asked.to, money)
        if handle is not None:
            return HeldPayment(who, own_key, fingerprint, handle, money, asked.memo, _NO_ID)
    return CheckedPayment(who, of_session, own_key, fingerprint, asked, money)


def _of_session(payment: Payment) -> bool:
    return not isinstance(payment, HeldPayment | TokenPayment | PlainEnd) and payment.of_session


def _named(payment: Payment, outcome: Settled | Held | Queued | idempotency.Answer | GatewayError) -> str:
    """The outcome of a payment as metrics name it."""
    if isinstance(outcome, GatewayError):
        return problems.problem_of(outcome).code
    if isinstance(outcome, idempotency.Answer):
        return outcome_of(outcome.status, isinstance(payment, CheckedPayment) and not payment.asked.capture)
    return "settled" if isinstance(outcome, Settled) else "held" if isinstance(outcome, Held) else "accepted"


def _outcome(done: "asyncio.Future[Any]") -> _Outcome:
    """The outcome of a payment. After an error that is no refusal, the ordinary handler tries again, and reports it."""
    error = done.exception()
    if error is None:
        outcome: _Outcome = done.result()
        return outcome
    if isinstance(error, GatewayError) and not isinstance(error, PaymentRestored):  # which is to be kept under the key
        return error
    return Undecided()


def _settled(settled: Settled) -> PaymentView:
    amount, at = settled.asked.money.amount, rfc3339(settled.at)
    return _view(
        settled, settled.payment_id, "settled", settled.fee, ledger_route(settled.fee), captured=amount, settled_at=at
    )


def _held(held: Held) -> PaymentView:
    nothing, expires_at = Money(0, held.asked.money.asset), rfc3339(held.expires_at)
    return _view(
        held,
        held.asked.payment_id,
        "held",
        nothing,
        ledger_route(nothing),
        captured=nothing.amount,
        settled_at=None,
        expires_at=expires_at,
    )


def _queued(queued: Queued) -> PaymentView:
    nothing = Money(0, queued.asked.money.asset)
    return _view(
        queued, queued.asked.payment_id, "queued", nothing, queued.route, captured=nothing.amount, settled_at=None
    )


def _view(
    done: Settled | Held | Queued,
    id: PaymentId,
    state: str,
    fee: Money,
    route: Route,
    captured: str,
    settled_at: str | None,
    expires_at: str | None = None,
) -> PaymentView:
    """As `payment_view` would show the payment's row."""
    asked, decimals = done.asked, done.asked.money.asset.decimals
    return PaymentView(
        id=show("pay", id),
        state=state,
        from_="@" + done.payer_handle,
        to="@" + asked.payee_handle,
        amount=asked.money.amount,
        asset=asked.money.asset.code,
        fee=fee.amount,
        memo=asked.memo,
        route=route,
        captured=captured,
        refunded="0." + "0" * decimals if decimals else "0",
        refund_of=None,
        tx_hash=None,
        failure=None,
        created_at=rfc3339(done.at),
        expires_at=expires_at,
        settled_at=settled_at,
        to_sign=None,
        approval=None,
        undo_until=None,
        reference=None,
        metadata=None,
    )
