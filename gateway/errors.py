"""Everything that can be refused, in one tree.

    GatewayError
    ├── Refused        final: the same request will be refused again
    ├── Conflict       the state moved on, or is not there yet: look again, then decide
    └── Unavailable    nothing was decided: try again later

An error is a noun of the field and carries its values; `says` is the one sentence it prints with them. Errors know
nothing of HTTP: the table from error to status and problem type is `http/problems.py`. They stand at the bottom of
the gateway, below money, so that parsing an amount can refuse in the same words as everything else.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from gateway.money import Money


@dataclass(eq=False)
class GatewayError(Exception):
    """The root. `says` is a format string over the fields of the error."""

    says: ClassVar[str] = "the gateway refused"

    def __str__(self) -> str:
        return self.says.format(**{name: _plain(value) for name, value in vars(self).items()})


def _plain(value: object) -> object:
    """A list of names as people write it."""
    return (", ".join(map(str, value)) or "none") if isinstance(value, tuple) else value


class Refused(GatewayError):
    """Final: the same request will be refused again."""


class Conflict(GatewayError):
    """The state moved on, or is not there yet."""


class Unavailable(GatewayError):
    """Nothing was decided; the same request may be sent again."""


# ---- the request itself ---------------------------------------------------------------------------------------------


@dataclass(eq=False)
class InvalidRequest(Refused):
    """`kind` is a slug that tells one fault from another: `json`, `unknown_field`, `missing_field`, …"""

    kind: str
    reason: str
    says = "{reason}"


@dataclass(eq=False)
class BodyTooLarge(Refused):
    bytes_max: int
    says = "the body is larger than {bytes_max} bytes; send a smaller one"


@dataclass(eq=False)
class UnsupportedMediaType(Refused):
    """A body of a kind that is not read. `kind` is a slug: `media_type`, `charset`, `content_encoding`, `encoding`.
    `accepted` are the media types that the call takes; empty where the type is not the fault.
    """

    kind: str
    reason: str
    accepted: tuple[str, ...]
    says = "{reason}"


@dataclass(eq=False)
class PreconditionFailed(Refused):
    """A condition on the state of a resource that is false, so that nothing was done (RFC 9110, 13)."""

    header: str
    says = "the condition in {header} does not hold, so nothing was done; send the request without it"


class Unauthenticated(Refused):
    says = "send a valid API key as 'Authorization: Bearer <api key>', or sign in"


@dataclass(eq=False)
class Forbidden(Refused):
    reason: str
    says = "{reason}"


@dataclass(eq=False)
class SignInAgain(Forbidden):
    """A session that is too old for this, or was not begun with what an owner has."""

    kind: str = "sign_in_again"


@dataclass(eq=False)
class NotFound(Refused):
    what: str
    says = "there is no {what}"


class NoSuchRoute(NotFound):
    """`what` is the path that was asked for."""

    says = "there is no route {what}; /openapi.json lists the routes"


@dataclass(eq=False)
class MethodNotAllowed(Refused):
    """`allowed` are the methods that the path takes (RFC 9110, 15.5.6)."""

    method: str
    path: str
    allowed: tuple[str, ...]
    says = "{path} does not take {method}; it takes {allowed}"


class IdempotencyKeyMissing(Refused):
    says = "this call moves money: send an Idempotency-Key header of your own making, 1 to 255 visible characters"


@dataclass(eq=False)
class IdempotencyKeyReused(Refused):
    key: str
    says = "the Idempotency-Key {key!r} was used for another request; make a new key for a new request"


@dataclass(eq=False)
class IdempotencyKeyInProgress(Conflict):
    key: str
    says = "the first request with the Idempotency-Key {key!r} is still in progress; send it again in a moment"


# ---- money ----------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class InvalidAmount(Refused):
    """`kind` is `not_a_string`, `malformed`, `negative`, `zero` or `too_large`."""

    kind: str
    amount: str
    says = "{amount!r} is not an amount ({kind}): write a positive decimal as a string, such as '12.50'"


class AmountNotString(InvalidAmount):
    """`amount` is what was sent in its place, as JSON calls it, such as "a number"."""

    says = 'amount is {amount} in JSON: write it as a string, in quotes, such as "12.50"'


@dataclass(eq=False)
class AmountTooPrecise(Refused):
    amount: str
    asset: str
    decimals: int
    says = "{amount} has more decimals than {asset} has, which is {decimals}; nothing is rounded for you"


@dataclass(eq=False)
class UnknownAsset(Refused):
    asset: str
    known: tuple[str, ...] = ()
    says = "{asset!r} is not an asset of this gateway; it has {known}"


@dataclass(eq=False)
class AssetClosed(Refused):
    """An asset that was configured once. `open` are those that take new money."""

    asset: str
    open: tuple[str, ...]
    says = (
        "this gateway takes no new {asset}: what there is of it can be paid, withdrawn or redeemed; new money comes in "
        "as {open}"
    )


@dataclass(eq=False)
class NotConvertible(UnknownAsset):
    """An asset of the gateway, but not one that `given` can be converted into; `known` are those."""

    given: str = ""
    says = "{given} cannot be converted into {asset}: convert it into {known}"


@dataclass(eq=False)
class NothingConverts(NotConvertible):
    """`pairs` are the conversions that there are, each in both directions."""

    pairs: tuple[str, ...] = ()
    says = (
        "{given} cannot be converted into {asset}, for no token of this gateway is backed by {given}; it converts, in "
        "both directions: {pairs}"
    )


class NotAtTheBank(UnknownAsset):
    """An asset of the gateway that no bank keeps."""

    says = "a bank does not keep {asset}; it keeps: {known}"


# ---- the book -------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class InsufficientFunds(Conflict):
    account: str
    asked: "Money"
    available: "Money"
    says = "{account} has {available} available and {asked} was asked"


@dataclass(eq=False)
class TransferEnded(Conflict):
    """A hold has one end; this one has had it."""

    state: str
    event: str
    says = "a transfer that is {state} cannot be ended by {event}"


@dataclass(eq=False)
class TransferNotFound(Refused):
    id: str
    says = "there is no transfer {id}"


@dataclass(eq=False)
class CaptureExceedsHold(Conflict):
    asked: "Money"
    held: "Money"
    says = "{asked} cannot be captured: {held} is held"


# ---- handles and wallets --------------------------------------------------------------------------------------------


@dataclass(eq=False)
class InvalidHandle(Refused):
    handle: str
    reason: str
    says = "{handle!r} is not a handle: {reason}"


@dataclass(eq=False)
class HandleTaken(Conflict):
    handle: str
    says = "@{handle} is taken; choose another handle"


@dataclass(eq=False)
class LooksAlike(HandleTaken):
    """`like` is a handle that somebody has, and that people would take this one for."""

    like: str
    kind: str = "look_alike"
    says = "@{handle} could be taken for @{like}, which somebody has; choose another handle"


@dataclass(eq=False)
class HandleReserved(HandleTaken):
    """`word` is reserved, and people would take the handle for it."""

    word: str
    kind: str = "reserved"
    says = "@{handle} could be taken for the reserved word {word}; choose another handle"


@dataclass(eq=False)
class HandleLost(HandleTaken):
    kind: str = "lost"
    says = (
        "@{handle} was somebody's before this gateway's database was restored, and tokens may lie at its address; its "
        "operators give it back: see 'gateway recovery'"
    )


@dataclass(eq=False)
class UnknownHandle(Refused):
    handle: str
    says = "nobody has the handle @{handle}"


@dataclass(eq=False)
class InvalidChallenge(Refused):
    """`kind` is `malformed`, `unknown`, `altered` or `expired`."""

    kind: str
    reason: str
    says = "this message binds no address: {reason}"


@dataclass(eq=False)
class InvalidAddress(Refused):
    address: str
    reason: str
    says = "{address!r} cannot be bound: {reason}"


@dataclass(eq=False)
class AddressTaken(Conflict):
    address: str
    says = "{address} is a wallet's already, and an address is one wallet's for ever: bind another"


@dataclass(eq=False)
class NonceTaken(Conflict):
    nonce: str
    says = "another authorization of this address has the nonce {nonce}: sign with another one"


@dataclass(eq=False)
class AddressNotEmpty(Conflict):
    address: str
    left: "Money"
    says = "{left} is at {address} still: send it to your new address or elsewhere first, and wait until that is final"


@dataclass(eq=False)
class PaymentsUnderWay(Conflict):
    address: str
    count: int
    says = "{count} token payments or conversions from {address} are not settled yet: ask again when they are"


@dataclass(eq=False)
class OwnKey(Refused):
    """Something that needs a key the gateway does not have, and that its owner does otherwise."""

    handle: str
    reason: str
    says = "the key of @{handle} is its owner's own: {reason}"


# ---- who may act ----------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class InvalidPasskey(Refused):
    """`kind` is `malformed`, `type`, `challenge`, `details`, `origin`, `relying_party`, `user_verification`,
    `algorithm`, `signature`, `unknown_passkey`, `taken` or `cloned`.
    """

    kind: str
    reason: str
    says = "this passkey is not accepted: {reason}"


@dataclass(eq=False)
class ClonedPasskey(InvalidPasskey):
    """`passkey` is its id. It has signed, but its count of signatures went back: it is to be stopped."""

    passkey: str
    says = "the passkey {passkey} is stopped: {reason}. Revoke it and make another"


@dataclass(eq=False)
class LastPasskey(Conflict):
    passkey: str
    says = (
        "{passkey} is the last passkey of this wallet, and no recovery code is left: add another passkey or make "
        "recovery codes first, or nobody could sign in any more"
    )


@dataclass(eq=False)
class LastOwnerKey(Conflict):
    key: str
    says = (
        "{key} is the only key that acts as this wallet's owner, and the wallet has no passkey: replace the key or add "
        "a passkey first, or nobody could act as the owner any more"
    )


class InvalidSignIn(InvalidChallenge):
    """`kind` as of InvalidChallenge, or `no_own_address`."""

    says = "this message signs nobody in: {reason}"


class InvalidRecoveryCode(Refused):
    says = "this is no recovery code of this wallet that is still good"


@dataclass(eq=False)
class TooManyTries(Conflict):
    """So many came that none is looked at for a while: `seconds` at the most. `kind`: of what, such as `sign-ins`."""

    kind: str
    seconds: int
    says = "there were too many {kind}: try again in {seconds} seconds"


# ---- payments -------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class UnknownPayee(Refused):
    to: str
    reason: str
    says = "{to!r} cannot be paid: {reason}"


@dataclass(eq=False)
class SelfPayment(Refused):
    handle: str
    says = "@{handle} cannot pay @{handle}: payer and payee are the same wallet"


@dataclass(eq=False)
class StateConflict(Conflict):
    id: str
    state: str
    event: str
    says = "{id} is {state}: {event} does not follow from there"


@dataclass(eq=False)
class WalletFrozen(Conflict):
    handle: str
    since: str
    says = "nothing leaves the wallet of @{handle}: it is frozen since {since}; what comes in goes on"


@dataclass(eq=False)
class ApprovalRequired(Refused):
    """Something that is done at once, and only with an approval by a passkey; payments wait for theirs."""

    reasons: tuple[str, ...]
    says = "this needs an approval by a passkey ({reasons}): ask for a challenge, and send what was signed along"


@dataclass(eq=False)
class GrantNotApproved(Refused):
    """A key with caps, or a mandate, from before the wallet's first passkey. `id` is its own."""

    id: str
    says = (
        "{id} is from before this wallet had a passkey and pays nothing until the wallet's owner approves it: sign in "
        "with a passkey, and approve or revoke it"
    )


@dataclass(eq=False)
class RefundExceedsPayment(Conflict):
    asked: "Money"
    left: "Money"
    says = "{asked} is more than is left to refund, which is {left}"


@dataclass(eq=False)
class WithdrawalsFrozen(Conflict):
    """`since` is when, as RFC 3339 has it. What stays in the gateway goes on."""

    asset: str
    since: str
    says = (
        "withdrawals of {asset} are stopped since {since}, while a difference in the books is looked into; what stays "
        "in the gateway goes on, and the same request may be sent again later"
    )


class InRecovery(Unavailable):
    says = (
        "this gateway's database was restored from a copy that is older than the chain: token payments, conversions, "
        "withdrawals and new handles wait until its operators have confirmed; send the same request again later"
    )


@dataclass(eq=False)
class PaymentRestored(Conflict):
    """`restored_id` is of a payment whose record a restore has lost, and that the chain has."""

    restored_id: str
    tx_hash: str
    says = (
        "the same was paid in transaction {tx_hash}, before this gateway's database was restored: if this request "
        "repeats that one, it is done; if it is another, send it with a new Idempotency-Key"
    )


@dataclass(eq=False)
class MandateExceeded(Conflict):
    """`left` is what may be drawn by the mandate now. This one, and its kinds but the last, never change by waiting."""

    asked: "Money"
    left: "Money"
    says = "this mandate is for payments by another rail than {asked} would take"


@dataclass(eq=False)
class MandateDrawExceeded(MandateExceeded):
    """`cap` is the most in one draw."""

    cap: "Money"
    kind: str = "draw"
    says = "this mandate allows {cap} at most in one draw, and {asked} was asked"


@dataclass(eq=False)
class MandateTotalExceeded(MandateExceeded):
    """`left_in_all` is what may ever be drawn still; no more than `left` of it now."""

    left_in_all: "Money"
    kind: str = "total"
    says = "{left_in_all} is left of all that may ever be drawn by this mandate, and {asked} was asked"


@dataclass(eq=False)
class MandatePeriodTooSmall(MandateExceeded):
    """`cap` is the most in `days` days."""

    cap: "Money"
    days: int
    kind: str = "period"
    says = "this mandate allows {cap} at most in any {days} days, and {asked} was asked"


class MandatePeriodExceeded(MandatePeriodTooSmall):
    says = (
        "{left} is left of the {cap} that this mandate allows in any {days} days, and {asked} was asked; there is more "
        "room when earlier draws are {days} days old"
    )


@dataclass(eq=False)
class CapExceeded(Conflict):
    """`left` is what the key's caps leave for such a payment now. This one, and its kinds but the last, never change by
    waiting: a key's caps are for good.
    """

    asked: "Money"
    left: "Money"
    says = (
        "no cap of this API key covers such a payment of {asked}: pay with another key, or have the wallet's owner "
        "make one whose caps name its asset, rail and payee"
    )


@dataclass(eq=False)
class PaymentCapExceeded(CapExceeded):
    kind: str = "payment"
    says = (
        "a cap of this API key allows {left} at most in one payment, and {asked} was asked: pay less at once, or with "
        "another key"
    )


@dataclass(eq=False)
class DayCapTooSmall(CapExceeded):
    """`cap` is the most in twenty-four hours."""

    cap: "Money"
    kind: str = "day"
    says = "a cap of this API key allows {cap} at most in any 24 hours, and {asked} was asked: pay with another key"


@dataclass(eq=False)
class DayCapExceeded(CapExceeded):
    """`again_at` is when there is room for the payment, as RFC 3339 has it, unless others are made before. There may be
    room up to ten minutes earlier (payments/checks/spending.py).
    """

    cap: "Money"
    again_at: str
    kind: str = "day"
    says = (
        "{left} is left of the {cap} that a cap of this API key allows in any 24 hours, and {asked} was asked: there "
        "is room for it at {again_at}"
    )


@dataclass(eq=False)
class LineRefused(GatewayError):
    """Of payments that stand or fall together, the one that fell, counted from 0; `cause` says why."""

    index: int
    cause: GatewayError
    says = "nothing was paid, since payment {index} was refused: {cause}"


@dataclass(eq=False)
class FreezeStays(Conflict):
    asset: str
    reasons: tuple[str, ...]
    says = "withdrawals of {asset} stay frozen, for it does not add up: {reasons}"


# ---- the chain ------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class NodeUnavailable(Unavailable):
    """There is no answer, or none that can be used."""

    reason: str
    says = "the Ethereum node does not answer: {reason}"


@dataclass(eq=False)
class TokenNotDeployed(Unavailable):
    asset: str
    says = (
        "{asset} has no contract on the chain yet: send the same request again once the gateway's operator has run "
        "'gateway deploy'"
    )


class NodeRefused(NodeUnavailable):
    """The node answered with an error of its own; `reason` is in its words."""

    says = "the Ethereum node answers with an error: {reason}"


class NodeBehind(NodeUnavailable):
    """The node has not reached what it is asked about."""

    says = "the Ethereum node is behind: {reason}"


class NodeContradiction(NodeUnavailable):
    """Two answers of the node cannot both be true: its chain moved between them, or two backends gave them."""

    says = "the Ethereum node's answers do not agree: {reason}"


@dataclass(eq=False)
class ChainReplaced(Refused):
    """What we saw as final is not on this chain: never go on over the old book by ourselves."""

    reason: str
    says = (
        "this is not the chain the book was kept with: {reason}. Nothing was changed. Point GATEWAY_RPC_URL at the "
        "right node, restore the chain's state, or start over with another GATEWAY_HOME and database"
    )


@dataclass(eq=False)
class RelayerStopped(Refused):
    relayer: str
    reason: str
    says = "the relayer {relayer} is stopped: {reason}"


@dataclass(eq=False)
class NoRelayer(Unavailable):
    """Of all relayers that we have keys for, none can carry anything before somebody has done something."""

    reasons: tuple[str, ...]
    says = "payments stay queued, since no relayer can carry them: {reasons}"


@dataclass(eq=False)
class RelayerNotResumable(Conflict):
    relayer: str
    reason: str
    says = "the relayer {relayer} is left as it is: {reason}"


@dataclass(eq=False)
class InvalidSignature(Refused):
    signer: str
    reason: str
    says = "this is not a signature of {signer}: {reason}"


@dataclass(eq=False)
class MasterKeyMissing(Unavailable):
    """A key is encrypted, or to be encrypted, under a master key that this process does not have, and may get."""

    fingerprint: str
    says = (
        "the file that GATEWAY_MASTER_KEY_FILE names lacks the master key {fingerprint}, which is in use: copy it from "
        "the machine where the key was rotated"
    )


@dataclass(eq=False)
class EncryptedKeyUnreadable(Refused):
    """The vault's answer to a key that was encrypted under another master key or for another wallet."""

    wallet: str
    says = (
        "the encrypted key of wallet {wallet} cannot be decrypted: GATEWAY_MASTER_KEY_FILE is not the one it was "
        "encrypted with, or the ciphertext was changed"
    )


# ---- running the gateway --------------------------------------------------------------------------------------------


@dataclass(eq=False)
class DatabaseUnavailable(Unavailable):
    reason: str
    says = "the database does not answer: {reason}"


class DatabaseNotWritable(DatabaseUnavailable):
    says = "nothing can be written to the database: {reason}"


@dataclass(eq=False)
class ClockOff(Unavailable):
    seconds: float
    says = "the clock of the gateway's machine differs from the database's by {seconds} seconds"


class Contended(Unavailable):
    """Nothing was done: somebody else held what this needed, or PostgreSQL chose this to break a ring of waiting."""

    says = "somebody else is using the same accounts at this moment; send it again"


@dataclass(eq=False)
class Misconfigured(Refused):
    """Something about the machine or the settings, with what to do about it in the sentence itself."""

    reason: str
    says = "{reason}"
