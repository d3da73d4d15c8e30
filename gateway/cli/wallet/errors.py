"""Errors of the commands for a wallet."""

from typing import Any

from gateway.client import ProblemError
from gateway.errors import GatewayError, Unavailable
from gateway.escape import for_shell


class Answered(GatewayError):
    """The gateway's refusal, in its own words: the `code` and `detail` of its problem document."""

    def __init__(self, problem: ProblemError) -> None:
        self.problem = problem
        super().__init__()

    @property
    def is_final(self) -> bool:
        """Whether the same request will be refused again."""
        return not self.problem.retryable

    def __str__(self) -> str:
        return str(self.problem)


class NoGateway(Unavailable):
    """There is no answer at the URL, or not one of a gateway. `lost`: the request was sent, and may have been carried
    out.
    """

    def __init__(self, url: str, reason: str, lost: bool = False) -> None:
        self.url, self.reason, self.lost = url, reason, lost
        super().__init__()

    def __str__(self) -> str:
        if self.lost:
            return (
                f"the gateway at {self.url} was asked and its answer was lost ({self.reason}): see whether it did what "
                "it was asked for before you repeat the command"
            )
        return (
            f"no gateway answers at {self.url} ({self.reason}): start one with scripts/up, or name another with --url"
        )


class OutcomeUnknown(Unavailable):
    """A request that moves money was sent and its answer was lost: it may have been carried out or not."""

    def __init__(self, url: str, key: str) -> None:
        self.url, self.key = url, key
        super().__init__()

    def __str__(self) -> str:
        return (
            f"the gateway at {self.url} was asked and its answer was lost, so it is not known whether money moved: "
            f"say the same command again with --key {for_shell(self.key)}, which cannot move it twice"
        )


class NotSettled(GatewayError):
    """A payment or conversion that ended in another state."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.found = found
        super().__init__()

    def __str__(self) -> str:
        why = f" ({self.found['failure']})" if self.found.get("failure") else ""
        return f"{self.found['id']} is {self.found['state']}{why}: the money is where it came from"
