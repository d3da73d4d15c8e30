"""The worker's spans of a payment's trace: `sign`, `submit`, `mined` and `final`, with the calls of the database and
the node below them.

One piece of work is for many payments. Each sampled payment has its own spans of it, and the run of the job, with all
its calls, may have a trace of its own as well.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Final
from uuid import UUID

from gateway.chain.watcher.block_range import BlockRange
from gateway.events.log import Event
from gateway.settlement.settles import Submitted
from gateway.tracing import steps
from gateway.tracing.ids import fresh
from gateway.tracing.span import Part, Span
from gateway.tracing.steps import Steps
from gateway.tracing.tracer import Tracer

_PAYMENT: Final = "payment."


class Submission:
    """One batch of authorizations, from signing to sending."""

    def __init__(self, tracer: Tracer | None) -> None:
        self._tracer = tracer
        self._began = monotonic()
        self._signed: tuple[float, float] | None = None
        kept = steps.under_way()
        self._before = len(kept.parts) if kept is not None else 0

    @contextmanager
    def signing(self) -> Iterator[None]:
        """Measure the time that the vault takes to sign."""
        began = monotonic()
        yield
        self._signed = began, monotonic()

    def sent(self, submitted: Sequence[Submitted]) -> None:
        """Record that the chain transaction was sent. These events name the payments in it."""
        if self._tracer is None:
            return
        payments = self._tracer.sampled(_payments(submitted))
        kept = steps.under_way()
        below = list(kept.parts[self._before :]) if kept is not None else []
        if self._signed is not None:
            below.append(Part("sign", *self._signed, "internal"))
        part = Part("submit", self._began, monotonic(), "internal", {"gateway.payment.state": "submitted"})
        self._tracer.shared("relay batch", len(submitted), payments, part, below)


def final(tracer: Tracer, events: Sequence[Event], block_range: BlockRange, read: float) -> None:
    """Record that a range of final blocks was read and is in the ledger. `read`: when it was read, by the monotonic
    clock.
    """
    payments = set(tracer.sampled(_payments(events)))
    if not payments:
        return
    blocks = {"0x" + one.transaction_hash.hex(): one.block_number for one in block_range.movements}
    kept, now = steps.under_way(), tracer.at(monotonic())
    for event in events:
        if event.subject not in payments or not event.kind.startswith(_PAYMENT):
            continue
        made = block_range.timestamps.get(blocks.get(str(event.payload.get("tx_hash")), 0))
        since = tracer.at(read) if made is None else min(float(made), now)
        if made is not None:
            tracer.of_payment(event.subject, "mined", since, since)
        failure = event.payload.get("failure")
        state = {"gateway.payment.state": event.kind.removeprefix(_PAYMENT)}
        error = None if failure is None else str(failure)
        span = tracer.of_payment(event.subject, "final", since, now, error, attributes=state)
        if kept is not None:
            tracer.below(span, kept.parts)


def job_run(tracer: Tracer, job: str, began: float, kept: Steps) -> None:
    """Record a run of a job that found work, in a trace of its own, if it is sampled."""
    if tracer.ratio.takes_any():
        context = fresh()
        tracer.record(Span(f"job {job}", context, tracer.at(began), tracer.at(monotonic())))
        tracer.below(context, kept.parts)


def _payments(events: Iterable[Event | Submitted]) -> list[UUID]:
    found = (event.subject for event in events if event.kind.startswith(_PAYMENT))
    return [subject for subject in found if subject is not None]
