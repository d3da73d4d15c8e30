"""The parameters of `settle_payments` and `hold_payments` for the limits that payments count against.

For payments that have passed the checks, the checks have found the limits (`counters`). For payments by API keys with
caps and by sessions, `payments_with_room` (schema/11_check_payments.sql) finds them, given the time and the default
limits (`rules`).
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from gateway.identity.sign_in import session
from gateway.ids import first_id
from gateway.payments.checks import caps, policy
from gateway.payments.checks.spending import bucket_of
from gateway.payments.model.policy import usual_limit
from gateway.payments.model.proposed import Proposed
from gateway.payments.model.settings import PaymentSettings


class Sessions(NamedTuple):
    """For payments as columns: the SHA-256 of each session's token, or None for an API key; and the ids of wallets
    whose sessions are left to the checks.
    """

    hashes: Sequence[bytes | None]
    left_out: Collection[str]


#: Instead of counters and rules, if no payment has any.
_NO_COUNTERS: Final = (None,) * 4
_NO_SESSIONS: Final = (None,) * 7


def counters(asked: Sequence[Proposed]) -> tuple[object, ...]:
    """The limits that payments which have passed the checks count against, and no rules."""
    each = [(place, counter) for place, one in enumerate(asked, 1) for counter in one.counters]
    return (
        [place for place, _ in each],
        [counter.scope for _, counter in each],
        [counter.id for _, counter in each],
        [counter.number for _, counter in each],
        *(None, None),
        *_NO_SESSIONS,
    )


def rules(
    settings: PaymentSettings, assets: Iterable[str], now: datetime, sessions: Sessions | None
) -> tuple[object, ...]:
    """The time and the default limits by which payments by API keys and sessions are decided, for the assets with these
    codes.
    """
    since = now - caps.DAY
    days = (*_NO_COUNTERS, since, bucket_of(since))
    if sessions is None:
        return (*days, *_NO_SESSIONS)
    usual = {code: usual_limit(settings.assets[code]) for code in set(assets)}
    return (
        *days,
        now - session.FRESH,
        first_id(now - policy.DAY),
        now - policy.FIRST_DAY,
        list(usual),
        [limit.payment.units for limit in usual.values()],
        [limit.day.units for limit in usual.values()],
        list(sessions.left_out) or None,
    )
