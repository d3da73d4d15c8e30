"""Records spans. One per process, and None if traces are off, which callers check first."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from time import monotonic
from typing import Final
from uuid import UUID

from gateway.clock import Clock
from gateway.ids import read, show
from gateway.tracing.ids import Context, Ratio, fresh, root_of, within
from gateway.tracing.span import Kind, Part, Span

#: The beginning of an answer that is a payment, and the place of its id: `pay_` and 26 letters.
_PAYMENT: Final = b'{"id":"pay_'
_ID: Final = slice(7, 37)
_LETTERS: Final = slice(29, 37)

PAYMENT_ID: Final = "gateway.payment.id"


class Tracer:
    """Records spans; `record` never waits. Times are the database's, so that those of several machines agree."""

    def __init__(self, ratio: float, clock: Clock, record: Callable[[Span], None]) -> None:
        self.ratio = Ratio(ratio)
        self.record = record
        self._clock = clock

    def at(self, moment: float) -> float:
        """Return a moment of the monotonic clock as Unix seconds."""
        return self._clock().timestamp() - (monotonic() - moment)

    def takes_answer(self, body: bytes) -> bool:
        """Return whether the trace of the payment in this answer is recorded. It must be cheap: most are not."""
        return self.ratio.takes_letters(body[_LETTERS])

    def sampled_answers(self, bodies: Iterable[bytes | None]) -> list[UUID]:
        """Return the payments among these answers whose traces are recorded."""
        takes = self.ratio.takes_letters
        return [
            read("pay", body[_ID].decode())
            for body in bodies
            if body is not None and takes(body[_LETTERS]) and body.startswith(_PAYMENT)
        ]

    def sampled(self, payments: Iterable[UUID]) -> list[UUID]:
        """Return the payments whose traces are recorded."""
        return [payment for payment in payments if self.ratio.takes(payment)]

    def shared(self, whole: str, size: int, payments: Sequence[UUID], part: Part, below: Sequence[Part] = ()) -> None:
        """Record work that was done for `size` things at once, these payments among them: a span in the trace of each
        and, if there are several, one in a trace of its own that is linked with all of them. The calls `below` are in
        each payment's trace, too.
        """
        start, end = self.at(part.start), self.at(part.end)
        spans = [within(payment.int) for payment in payments]
        own = [fresh()] if len(payments) > 1 else []
        of_all = {**part.attributes, "gateway.group.size": size}
        for context in own:
            self.record(Span(whole, context, start, end, None, part.kind, of_all, spans))
        for payment, span in zip(payments, spans, strict=True):
            attributes = {**of_all, PAYMENT_ID: show("pay", payment)}
            self.record(Span(part.name, span, start, end, root_of(payment), part.kind, attributes, own))
            self.below(span, below)

    def made(self, name: str, payments: Sequence[UUID], size: int, part: Part) -> None:
        """Record the payments of a request that created `size` at once: each has its own root span."""
        start, end = self.at(part.start), self.at(part.end)
        for payment in payments:
            self.record(Span(name, root_of(payment), start, end, attributes={PAYMENT_ID: show("pay", payment)}))
        self.shared("batch", size, payments, part)

    def below(self, parent: Context, parts: Iterable[Part]) -> None:
        """Record spans below a parent."""
        for part in parts:
            start, end = self.at(part.start), self.at(part.end)
            self.record(Span(part.name, within(parent.trace), start, end, parent, part.kind, part.attributes))

    def of_payment(
        self,
        payment: UUID,
        name: str,
        start: float,
        end: float,
        error: str | None = None,
        kind: Kind = "internal",
        attributes: Mapping[str, str | int] = {},
    ) -> Context:
        """Record a span below the root of a payment's trace, from and to these Unix seconds."""
        span = within(payment.int)
        said = {PAYMENT_ID: show("pay", payment), **attributes}
        self.record(Span(name, span, start, end, root_of(payment), kind, said, (), error))
        return span
