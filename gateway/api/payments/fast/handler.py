"""The protocol of a handler of the fast path: the requests that it takes, one commit for many of them, and the answer
to each.

Each handler is one module of this package, listed in routes.py in the order in which they are tried. A request that it
cannot decide comes back as `Undecided`, for the ordinary handler, or as `NeedsChecks`, for the route's checked handler.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar
from uuid import UUID

from gateway.api.payments.fast.counts import Counts
from gateway.api.payments.fast.request import AnyRequest
from gateway.errors import GatewayError
from gateway.http.answer import problems
from gateway.http.request.framing import Field
from gateway.http.services import Services
from gateway.payments.model.plain import Undecided
from gateway.tracing.tracer import Tracer

#: The input of a commit for one request, and its outcome.
Asked = TypeVar("Asked")
Done = TypeVar("Done")

#: A status, the answer's own headers, and the body.
Answer = tuple[int, list[Field], bytes]

JSON: Field = (b"content-type", b"application/json")


class FastHandler(ABC, Generic[AnyRequest, Asked, Done]):
    """One per process. Its requests share commits (group_commit.py)."""

    name: ClassVar[str]  #: The name of its commits in metrics.
    statement: ClassVar[str]  #: The name of its commits in traces.
    at_once: ClassVar[int | None] = None  #: How many commits run concurrently; None: the server's setting.

    def __init__(self, services: Services, counts: Counts) -> None:
        self.services, self.counts = services, counts

    @abstractmethod
    def read(self, request: AnyRequest) -> Asked | None:
        """The input of `commit` for this request; None if it is for another handler."""

    @abstractmethod
    async def commit(self, asked: Sequence[Asked]) -> Sequence[Done | GatewayError | Undecided]:
        """Execute the requests, independently, in one transaction that is committed when this returns. Returns the
        outcome of each, in order. No two have the same key. Raises DatabaseUnavailable: the outcome is unknown then.
        """

    @abstractmethod
    def answer(self, request: AnyRequest, done: Done) -> Answer:
        """The answer to a request that was executed."""

    def refuse(self, request: AnyRequest, error: GatewayError) -> Answer | None:
        """The answer to a request that was refused; None if the ordinary handler has to answer."""
        self.counts.request(request.head)
        self.counts.paid(request, problems.problem_of(error).code)
        return problems.as_bytes(error)

    @abstractmethod
    def sampled(self, tracer: Tracer, outcomes: Sequence[object]) -> list[UUID]:
        """The payments that a commit made whose traces are recorded."""
