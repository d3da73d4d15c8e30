"""When a call is repeated, and after how long."""

import pytest

from gateway.client.retry import Retry, is_worth_repeating, leaves_outcome_unknown, settles_earlier_attempts


def test_waits_grow_up_to_the_longest_and_are_spread() -> None:
    retry = Retry(first_seconds=0.5, longest_seconds=4.0)
    assert [retry.pause(attempt, None, 0.0) for attempt in range(6)] == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]
    assert [retry.pause(attempt, None, 1.0) for attempt in range(3)] == [0.25, 0.5, 1.0]
    assert retry.pause(10_000, None, 0.0) == 4.0


def test_what_is_asked_for_is_the_least() -> None:
    assert Retry().pause(0, 7.0, 0.5) == 7.0
    assert Retry(first_seconds=3.0).pause(0, 1.0, 0.0) == 3.0


@pytest.mark.parametrize(
    ("status", "code", "repeated", "with_a_key", "open", "decided"),
    [
        (503, "unavailable", True, True, False, False),
        (503, "", True, True, True, False),
        (429, "too_many_tries", True, True, False, False),
        (500, "internal_error", False, True, True, False),
        (502, "", False, True, True, False),
        (409, "idempotency_key_in_progress", False, True, True, False),
        (409, "insufficient_funds", False, False, False, True),
        (422, "idempotency_key_reused", False, False, False, True),
        (401, "unauthenticated", False, False, False, False),
        (403, "forbidden", False, False, False, False),
    ],
)
def test_what_an_answer_says_of_repeating(
    status: int, code: str, repeated: bool, with_a_key: bool, open: bool, decided: bool
) -> None:
    assert is_worth_repeating(status, code, False) == repeated
    assert is_worth_repeating(status, code, True) == with_a_key
    assert leaves_outcome_unknown(status, code) == open
    assert settles_earlier_attempts(status, code) == decided
