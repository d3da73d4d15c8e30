"""Handles requests on the fast path: finds the handler, submits the request to its group commit, and answers.

Until a request is committed its idempotency key is in flight. A second request with the key waits for the first, and is
then left to the ordinary handler, which finds the first one's answer. If it were handled at once it could deadlock: it
would hold the key and wait for the accounts, while the commit holds the accounts and waits for the key.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final

from gateway.api.payments.fast.counts import Counts
from gateway.api.payments.fast.handler import Answer
from gateway.api.payments.fast.head import head_of
from gateway.api.payments.fast.request import Request
from gateway.api.payments.fast.routes import PAY, AnyHandler, Route, routes_of
from gateway.errors import GatewayError, Unauthenticated
from gateway.group_commit import GroupCommit
from gateway.http import access_log, request_span
from gateway.http.answer.headers import security_headers
from gateway.http.request.framing import Field
from gateway.http.services import Services
from gateway.identity.sign_in.passkey_verification import party_of
from gateway.metrics.histogram import Histogram
from gateway.metrics.traffic import Traffic
from gateway.payments.errors import PaymentRestored, UnknownPayee
from gateway.payments.model.plain import NeedsChecks, Undecided
from gateway.postgres.errors import Contended, LockTimeout
from gateway.postgres.pool import DB_SYSTEM
from gateway.tracing.span import Part

log = logging.getLogger(__name__)

#: How many API keys are remembered as not plain. A request with a key that is not remembered takes two transactions.
_KEYS_REMEMBERED: Final = 100_000

#: Called with the answer to a call, or None where the ordinary handler has to answer.
OnAnswer = Callable[["Call", Answer | None], None]


class Call:
    """A request and its handler, which becomes the route's checked one if another handler finds that it needs checks.

    Until it is answered it is among uvicorn's tasks, for which a shutdown waits.
    """

    __slots__ = ("asked", "behind", "handler", "is_cancelled", "on_answer", "request", "route")

    def __init__(self, route: Route, request: Request, handler: AnyHandler, asked: Any) -> None:
        self.route, self.request, self.handler, self.asked = route, request, handler, asked
        self.behind: list[Call] | None = None  #: Calls with the same key that wait for this one.
        self.is_cancelled = False
        self.on_answer: (
            OnAnswer  #: It does not refer to the call: a reference cycle would wait for the garbage collector.
        )

    def cancel(self, msg: str | None = None) -> None:
        """Called when a shutdown stops waiting, as for a task: the submitted request is committed all the same, without
        an answer.
        """
        self.is_cancelled = True
        asyncio.get_running_loop().call_soon(self.on_answer, self, None)


class FastPayments:
    """The fast path of one process. Up to `maximum` requests of one handler share a commit, and `at_once` commits run
    concurrently.
    """

    def __init__(self, services: Services, maximum: int, at_once: int, traffic: Traffic) -> None:
        self.security = security_headers(services.public_url)
        self._settings, self._party = services.settings, party_of(services.public_url)
        self._logs_requests, self._tracer = services.logs_requests, services.tracer
        self._is_told = self._logs_requests or self._tracer is not None
        self._counts = Counts(services, traffic)
        self._routes = routes_of(services, self._counts, traffic)
        handlers = dict.fromkeys(
            handler for route in self._routes.values() for handler in (*route.handlers, route.checked)
        )
        self._groups: dict[AnyHandler, GroupCommit[Any, Any]] = {
            handler: GroupCommit(
                handler.commit,
                maximum,
                handler.at_once or at_once,
                partial(self._trace, handler) if self._tracer else None,
            )
            for handler in handlers
        }
        self._need_checks: dict[bytes, None] = {}  # API keys that were found not to be plain, the newest last
        self._in_flight: dict[tuple[bytes, str], Call] = {}

    def sizes(self) -> dict[str, Histogram]:
        """The sizes of the commits, by the kind of payment."""
        return {handler.name: group.sizes for handler, group in self._groups.items()}

    def route_of(self, path: str, raw_path: bytes) -> Route | None:
        """The route of a POST to this path, without escapes; None if it is not on the fast path."""
        if path == PAY:
            return self._routes[PAY]
        end = path[path.rfind("/") + 1 :]
        return self._routes.get(end) if end != path and raw_path == path.encode() else None

    def read(self, route: Route, path: str, headers: Iterable[Field], whole: bytes) -> Call | None:
        """The parsed request; None if the ordinary handler has to answer."""
        head = head_of(self._party, headers)
        request = None if head is None else route.read(self._settings, head, path, whole)
        if head is None or request is None:
            return None
        # A session counts as its wallet, which is not known yet.
        if not head.of_session and self._counts.is_over(head.token_hash.hex()):
            return None
        if request.is_plain and head.token_hash not in self._need_checks:
            for handler in route.handlers:
                asked = handler.read(request)
                if asked is not None:
                    return Call(route, request, handler, asked)
        return Call(route, request, route.checked, request)

    def submit(self, call: Call, on_answer: OnAnswer) -> None:
        """Execute the request. `on_answer` is called once, when it is committed or refused, or the call was
        cancelled.
        """
        call.on_answer = on_answer
        first = self._in_flight.setdefault(call.request.head.key, call)
        if first is not call:
            first.behind = [*(first.behind or ()), call]
        else:
            self._groups[call.handler].add(call.asked, partial(self._decided, call))

    def _decided(self, call: Call, outcome: Any, fault: Exception | None) -> None:
        """Called with the outcome from the handler, or the error that was raised instead."""
        if fault is not None:
            outcome = _refusal(fault)
        if isinstance(outcome, NeedsChecks) and call.handler is not call.route.checked:
            if outcome.always:
                self._remember(call.request.head.token_hash)
            call.handler, call.asked = call.route.checked, call.request
            self._groups[call.handler].add(call.asked, partial(self._decided, call))
            return
        del self._in_flight[call.request.head.key]
        try:
            answer = self.answer(call, outcome)
        except Exception:
            log.exception("a payment could not be answered")
            answer = None
        _call_back(call, answer)
        for one in call.behind or ():
            _call_back(one, None)

    def answer(self, call: Call, outcome: Any) -> Answer | None:
        """The answer to a call with this outcome; None if the ordinary handler has to answer."""
        if isinstance(outcome, GatewayError):
            if isinstance(outcome, Unauthenticated | UnknownPayee):  # which the ordinary handler counts
                return None
            return call.handler.refuse(call.request, outcome)
        if isinstance(outcome, Undecided):
            return None
        return call.handler.answer(call.request, outcome)

    def _remember(self, api_key_hash: bytes) -> None:
        self._need_checks[api_key_hash] = None
        if len(self._need_checks) > _KEYS_REMEMBERED:
            del self._need_checks[next(iter(self._need_checks))]

    def answered(self, call: Call, scope: Any, status: int, started: float, body: bytes) -> None:
        """Count, log and trace a call that began at this time, by the monotonic clock, and is being answered."""
        call.route.answered.answered(status, started)
        if not self._is_told:
            return
        told = (scope, "POST", call.route.template, status, started, body)
        if self._logs_requests:
            access_log.write(*told)
        if (tracer := self._tracer) is not None and (status >= 300 or tracer.takes_answer(body)):
            request_span.record(tracer, *told)

    def _trace(
        self, handler: AnyHandler, asked: Sequence[Any], outcomes: Sequence[Any], began: float, ended: float
    ) -> None:
        """Record a commit, in the traces of the payments that it made."""
        assert self._tracer is not None
        if payments := handler.sampled(self._tracer, outcomes):
            part = Part(f"PostgreSQL {handler.statement}", began, ended, attributes=DB_SYSTEM)
            self._tracer.shared("group commit", len(asked), payments, part)


def _refusal(fault: Exception) -> GatewayError | Undecided:
    """The refusal, if it can be answered here. After any other error the ordinary handler tries again, and reports it,
    as it does after Unbatched and Contended. It also stores PaymentRestored under the key.
    """
    had_to_give_way = isinstance(fault, Contended) and not isinstance(fault, LockTimeout)
    if isinstance(fault, GatewayError) and not (had_to_give_way or isinstance(fault, PaymentRestored)):
        return fault
    return Undecided()


def _call_back(call: Call, answer: Answer | None) -> None:
    if not call.is_cancelled:  # or it has got that answer already
        call.on_answer(call, answer)
