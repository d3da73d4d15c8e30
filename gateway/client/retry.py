"""When a call is retried, and after how long. Pure.

A call is retried if nobody answered, if the answer was lost, or if the answer says that the same call may succeed in a
moment: 429, 503, a 5xx of a proxy, or `idempotency_key_in_progress`. Other retryable problems (`insufficient_funds`, a
freeze) last until somebody acts, so the caller decides.
"""

from dataclasses import dataclass
from typing import Final

#: Statuses given before the idempotency key is looked up: they do not tell the outcome of an earlier attempt.
_BEFORE_THE_KEY: Final = frozenset({401, 403, 408, 429})

#: Statuses by which the gateway says that it did not carry out the call.
_NOTHING_WAS_DONE: Final = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Retry:
    """How long a call is retried: for `seconds` (0: never), after pauses that begin at `first_seconds` and double up to
    `longest_seconds`. Each pause is shortened at random by up to half, so that many clients do not return at once.
    """

    seconds: float = 60.0
    first_seconds: float = 0.2
    longest_seconds: float = 10.0

    def pause(self, attempt: int, asked: float | None, random: float) -> float:
        """Seconds to wait after `attempt` (from 0): at least the seconds `asked` for by `Retry-After`."""
        grown = min(self.longest_seconds, self.first_seconds * 2.0 ** min(attempt, 30))
        return max(grown * (1 - random / 2), asked or 0.0)


def is_worth_repeating(status: int, code: str, repeatable: bool) -> bool:
    """Whether the same call may succeed in a moment. `repeatable`: sending it twice does no harm."""
    if status in _NOTHING_WAS_DONE:
        return True
    return repeatable and (status >= 500 or code == "idempotency_key_in_progress")


def leaves_outcome_unknown(status: int, code: str) -> bool:
    """Whether the outcome is unknown after this answer: the call is in progress, or a proxy answered. A 503 with a code
    comes from the gateway, and means that nothing was done.
    """
    return code == "idempotency_key_in_progress" or (status >= 500 and not (status == 503 and code))


def settles_earlier_attempts(status: int, code: str) -> bool:
    """Whether a refusal also proves that an earlier attempt, whose answer was lost, was not carried out."""
    return status < 500 and status not in _BEFORE_THE_KEY and code != "idempotency_key_in_progress"
