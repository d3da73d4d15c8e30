"""Errors of payments."""

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from gateway.errors import Conflict, GatewayError, Refused, StateConflict, Unavailable, UnknownAsset
from gateway.ids import show

if TYPE_CHECKING:
    from gateway.money import Money


@dataclass(eq=False)
class NotConvertible(UnknownAsset):
    """An asset of the gateway, but not one that `given` can be converted into; `known` are the assets that it can be
    converted into.
    """

    given: str = ""
    message = "{given} cannot be converted into {asset}: convert it into {known}"


@dataclass(eq=False)
class NothingConverts(NotConvertible):
    """`pairs` are the conversions that there are, each in both directions."""

    pairs: tuple[str, ...] = ()
    message = (
        "{given} cannot be converted into {asset}, for no token of this gateway is backed by {given}; it converts, in "
        "both directions: {pairs}"
    )


@dataclass(eq=False)
class InvalidAddress(Refused):
    address: str
    reason: str
    message = "{address!r} cannot be bound: {reason}"


@dataclass(eq=False)
class NonceTaken(Conflict):
    nonce: str
    message = "the nonce {nonce} is used by another authorization of this address: sign with another nonce"


@dataclass(eq=False)
class OwnKey(Refused):
    """An operation that needs a key which the gateway does not have; the owner has another way."""

    handle: str
    reason: str
    message = "the owner of @{handle} keeps its key: {reason}"


@dataclass(eq=False)
class UnknownPayee(Refused):
    to: str
    reason: str
    message = "{to!r} cannot be paid: {reason}"


@dataclass(eq=False)
class SelfPayment(Refused):
    handle: str
    message = "payer and payee are both @{handle}: name another handle"


@dataclass(eq=False)
class WalletFrozen(Conflict):
    handle: str
    since: str
    message = "the wallet of @{handle} is frozen since {since}: nothing leaves until its owner or operators unfreeze it"


@dataclass(eq=False)
class ApprovalRequired(Refused):
    """An operation that needs a passkey's approval with its request. (Payments wait for theirs instead.)"""

    reasons: tuple[str, ...]
    message = "this needs an approval by a passkey ({reasons}): ask for a challenge, and send what was signed along"


@dataclass(eq=False)
class PolicyChanged(Conflict):
    """`version` is the current one."""

    version: str
    message = "the policy has changed since it was read: read it again, and send the change with its version, {version}"


@dataclass(eq=False)
class GrantNotApproved(Refused):
    """A key with caps, or a mandate, from before the wallet's first passkey. `id` is the key's or the mandate's."""

    id: str
    message = (
        "{id} is from before this wallet had a passkey and pays nothing until the wallet's owner approves it: sign in "
        "with a passkey, and approve or revoke it"
    )


@dataclass(eq=False)
class RefundExceedsPayment(Conflict):
    asked: "Money"
    left: "Money"
    message = "{asked} is more than the {left} that can still be refunded"


class NothingLeftToRefund(RefundExceedsPayment):
    message = "this payment is fully refunded already"


class HeldPaymentRefund(StateConflict):
    message = "{id} is {state}, so there is nothing to refund yet: void it, or capture it first"


class MandateEnded(StateConflict):
    message = "{id} is {state}, so nothing is drawn by it any more: ask its payer to grant a new mandate"


@dataclass(eq=False)
class WithdrawalsFrozen(Conflict):
    """`since` is when, as RFC 3339 has it. Payments inside the gateway continue."""

    asset: str
    since: str
    message = (
        "withdrawals of {asset} are stopped since {since}, while a difference in the books is looked into; what stays "
        "in the gateway goes on, and the same request may be sent again later"
    )


class InRecovery(Unavailable):
    sqlstate = "GWR01"
    message = (
        "this gateway's database was restored from a copy that is older than the chain: token payments, conversions, "
        "withdrawals and new handles wait until its operators have confirmed; send the same request again later"
    )


@dataclass(eq=False)
class PaymentRestored(Conflict):
    """`restored_id` is that of a payment which is on the chain, but whose record was lost by a restore."""

    restored_id: str
    tx_hash: str
    message = (
        "the same was paid in transaction {tx_hash}, before this gateway's database was restored: if this request "
        "repeats that one, it is done; if it is another, send it with a new Idempotency-Key"
    )
    sqlstate = "GWR02"

    @classmethod
    def of_detail(cls, *detail: str) -> "PaymentRestored":
        id, tx_hash = detail
        return cls(show("rst", UUID(id)), tx_hash)


@dataclass(eq=False)
class MandateExceeded(Conflict):
    """`left` can be drawn by the mandate now. This refusal is permanent, as are its subclasses except the last."""

    asked: "Money"
    left: "Money"
    message = "this mandate is for another rail than {asked} would take"


@dataclass(eq=False)
class MandateDrawExceeded(MandateExceeded):
    """`cap` is the most in one draw."""

    cap: "Money"
    kind: str = "draw"
    message = "this mandate allows {cap} at most in one draw, and {asked} was asked"


@dataclass(eq=False)
class MandateTotalExceeded(MandateExceeded):
    """`left_in_all` is the rest of the total; at most `left` of it may be drawn now."""

    left_in_all: "Money"
    kind: str = "total"
    message = "{left_in_all} is left of all that may ever be drawn by this mandate, and {asked} was asked"


@dataclass(eq=False)
class MandatePeriodTooSmall(MandateExceeded):
    """`cap` is the most in `days` days."""

    cap: "Money"
    days: int
    kind: str = "period"
    message = "this mandate allows {cap} at most in any {days} days, and {asked} was asked"


class MandatePeriodExceeded(MandatePeriodTooSmall):
    message = (
        "{left} is left of the {cap} that this mandate allows in any {days} days, and {asked} was asked; there is more "
        "room when earlier draws are {days} days old"
    )


@dataclass(eq=False)
class CapExceeded(Conflict):
    """`left` is what the key's caps leave for such a payment now. This refusal is permanent, as are its subclasses
    except the last: a key's caps never change.
    """

    asked: "Money"
    left: "Money"
    message = (
        "no cap of this API key covers such a payment of {asked}: pay with another key, or have the wallet's owner "
        "make one whose caps name its asset, rail and payee"
    )


@dataclass(eq=False)
class PaymentCapExceeded(CapExceeded):
    kind: str = "payment"
    message = (
        "a cap of this API key allows {left} at most in one payment, and {asked} was asked: pay less at once, or with "
        "another key"
    )


@dataclass(eq=False)
class DayCapTooSmall(CapExceeded):
    """`cap` is the most in twenty-four hours."""

    cap: "Money"
    kind: str = "day"
    message = "a cap of this API key allows {cap} at most in any 24 hours, and {asked} was asked: pay with another key"


@dataclass(eq=False)
class DayCapExceeded(CapExceeded):
    """`again_at` is when there is room for the payment, as RFC 3339 has it, unless others are made before. There may be
    room up to ten minutes earlier (payments/checks/spending.py).
    """

    cap: "Money"
    again_at: str
    kind: str = "day"
    message = (
        "{left} is left of the {cap} that a cap of this API key allows in any 24 hours, and {asked} was asked: there "
        "is room for it at {again_at}"
    )


@dataclass(eq=False)
class LineRefused(GatewayError):
    """The payment of an all-or-none batch that was refused. Its index counts from 0; `cause` is its refusal."""

    index: int
    cause: GatewayError
    message = "nothing was paid, since payment {index} was refused: {cause}"


@dataclass(eq=False)
class TokenNotDeployed(Unavailable):
    asset: str
    message = (
        "{asset} has no contract on the chain yet: send the same request again once the gateway's operator has run "
        "'gateway deploy'"
    )


@dataclass(eq=False)
class RequestMismatch(Refused):
    """A payment that does not match its request. `field` is the payment's field that differs."""

    id: str
    field: str
    wanted: str
    given: str
    message = "{id} asks for the {field} {wanted}, and the payment has {given}: pay what it asks for, or pay without it"


@dataclass(eq=False)
class RequestNotOpen(Conflict):
    """`state` is the state of the request: `pending`, `paid`, `declined`, `cancelled` or `expired`."""

    id: str
    state: str
    message = "{id} is {state}: only an open request can be paid"


@dataclass(eq=False)
class RequestLimit(Conflict):
    """Too many requests: `maximum` may be open to one wallet."""

    maximum: int
    kind: str = "pair"
    message = (
        "{maximum} of your requests to this wallet are open: wait until it has paid or declined, or cancel one of them"
    )


@dataclass(eq=False)
class RequestDayLimit(RequestLimit):
    """`maximum` may be made in twenty-four hours."""

    kind: str = "day"
    message = "a wallet can make {maximum} requests in 24 hours at most; try again later"
