"""A handler of the fast path: which requests it takes, one commit for many of them, and the answer to each.

Each is one module of this package, listed in routes.py in the order in which they are tried. What a handler cannot
do comes back as `Undecided`, for the ordinary handler, or as `NeedsChecks`, for the route's checked handler.
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

#: What one commit takes of a request, and what it makes of it.
Asked = TypeVar("Asked")
Done = TypeVar("Done")

#: A status, the headers that are this answer's own, and the body.
Answer = tuple[int, list[Field], bytes]

JSON: Field = (b"content-type", b"application/json")


class FastHandler(ABC, Generic[AnyRequest, Asked, Done]):
    """One a process. Its requests share commits (group_commit.py)."""

    name: ClassVar[str]  #: What metrics call its commits.
    statement: ClassVar[str]  #: What traces call them.
    at_once: ClassVar[int | None] = None  #: How many commits run side by side; None: as many as the server is told.

    def __init__(self, services: Services, counts: Counts) -> None:
        self.services, self.counts = services, counts

    @abstractmethod
    def read(self, request: AnyRequest) -> Asked | None:
        """What `commit` needs of the request; None if it is for another handler."""

    @abstractmethod
    async def commit(self, asked: Sequence[Asked]) -> Sequence[Done | GatewayError | Undecided]:
        """Do what is asked, each on its own, in one transaction that is committed when this returns: what became of
        each, in order. No two have the same key. Raises DatabaseUnavailable: the outcome is unknown then.
        """

    @abstractmethod
    def answer(self, request: AnyRequest, done: Done) -> Answer:
        """The answer to a request that was done."""

    def refuse(self, request: AnyRequest, error: GatewayError) -> Answer | None:
        """The answer to a request that was refused; None if the ordinary handler has to answer."""
        self.counts.request(request.head)
        self.counts.paid(request, problems.problem_of(error).code)
        return problems.as_bytes(error)

    @abstractmethod
    def sampled(self, tracer: Tracer, outcomes: Sequence[object]) -> list[UUID]:
        """The payments that a commit made whose traces are recorded."""
