"""When a call is repeated, and after how long. Pure.

A call is repeated when nobody answered, when its answer was lost, and when the answer says that the same call may
succeed in a moment: 429, 503, a 5xx of a proxy, or `idempotency_key_in_progress`. What else is retryable
(`insufficient_funds`, a freeze) waits for somebody to do something and is for the caller to decide.
"""

from dataclasses import dataclass
from typing import Final

#: Answers that do not tell the outcome of an earlier try: they are given before the idempotency key is looked at.
_BEFORE_THE_KEY: Final = frozenset({401, 403, 408, 429})

#: By these the gateway says that it did not carry out the call.
_NOTHING_WAS_DONE: Final = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Retry:
    """`seconds`: for how long a call is repeated; 0: never. Waits begin at `first_seconds` and double up to
    `longest_seconds`; each is shortened at random by up to half, so that many clients do not come back at once.
    """

    seconds: float = 60.0
    first_seconds: float = 0.2
    longest_seconds: float = 10.0

    def pause(self, attempt: int, asked: float | None, random: float) -> float:
        """Seconds until the next try after `attempt` (from 0), which are never fewer than were `asked` for."""
        grown = min(self.longest_seconds, self.first_seconds * 2.0 ** min(attempt, 30))
        return max(grown * (1 - random / 2), asked or 0.0)


def is_worth_repeating(status: int, code: str, repeatable: bool) -> bool:
    """Whether the same call may be answered otherwise in a moment. `repeatable`: it may be carried out twice."""
    if status in _NOTHING_WAS_DONE:
        return True
    return repeatable and (status >= 500 or code == "idempotency_key_in_progress")


def leaves_open(status: int, code: str) -> bool:
    """Whether the outcome is unknown after this answer: the call is in progress, or a proxy has answered. A 503 with a
    code is the gateway's own, and means that nothing was done.
    """
    return code == "idempotency_key_in_progress" or (status >= 500 and not (status == 503 and code))


def decides(status: int, code: str) -> bool:
    """Whether a refusal also says that an earlier try of the same call, whose answer was lost, was not carried out."""
    return status < 500 and status not in _BEFORE_THE_KEY and code != "idempotency_key_in_progress"
