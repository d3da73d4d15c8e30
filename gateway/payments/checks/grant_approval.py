"""Grants (API keys with caps, mandates) of a guarded wallet pay only once a passkey has approved them.

Payments by a grant need no approval under the policy. So a grant from before the wallet's first passkey pays nothing
until the owner has approved it. An approval is never withdrawn, so it may be read before the transaction.
"""

from collections.abc import Sequence

from gateway.errors import GatewayError
from gateway.payments.checks.check import PASSED, Check, CheckContext, Decisions, Passed
from gateway.payments.errors import GrantNotApproved
from gateway.payments.model.proposed import Proposed


class GrantApproval(Check):
    """Refuses payments by a grant that no passkey has approved, out of a guarded wallet."""

    async def load(self, context: CheckContext, asked: Sequence[Proposed]) -> Decisions | None:
        return _Approved(context) if any(one.by and one.by.is_grant and not one.by.approved for one in asked) else None


class _Approved(Decisions):
    def __init__(self, context: CheckContext) -> None:
        self._payers = context.payers

    def decide(self, one: Proposed) -> Passed | GatewayError:
        if one.by is None or not one.by.is_grant or one.by.approved or not self._payers[one.payment.payer].guarded:
            return PASSED
        return GrantNotApproved(one.by.shown_id)
