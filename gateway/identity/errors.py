"""Errors of authentication, and of handles and addresses."""

from dataclasses import dataclass

from gateway.errors import Conflict, Forbidden, Refused


@dataclass(eq=False)
class SignInAgain(Forbidden):
    """A session that is too old for this, or was started in a way that does not allow it."""

    kind: str = "sign_in_again"


@dataclass(eq=False)
class InvalidHandle(Refused):
    handle: str
    reason: str
    message = "{handle!r} is not a handle: {reason}"


@dataclass(eq=False)
class HandleTaken(Conflict):
    handle: str
    message = "@{handle} is taken; choose another handle"


@dataclass(eq=False)
class LooksAlike(HandleTaken):
    """`like` is an existing handle that looks like this one."""

    like: str
    kind: str = "look_alike"
    message = "@{handle} could be taken for @{like}, which somebody has; choose another handle"


@dataclass(eq=False)
class HandleReserved(HandleTaken):
    """`word` is reserved, and the handle is or looks like it."""

    word: str
    kind: str = "reserved"
    message = "@{handle} is the reserved word {word}, or looks like it; choose another handle"


@dataclass(eq=False)
class HandleLost(HandleTaken):
    sqlstate = "GWR03"
    kind: str = "lost"
    message = (
        "@{handle} was somebody's before this gateway's database was restored, and tokens may lie at its address; its "
        "operators give it back: see 'gateway recovery'"
    )


@dataclass(eq=False)
class UnknownHandle(Refused):
    handle: str
    message = "there is no handle @{handle}"


@dataclass(eq=False)
class InvalidChallenge(Refused):
    """`kind` is `malformed`, `unknown`, `altered` or `expired`."""

    kind: str
    reason: str
    message = "this message does not bind an address: {reason}"


@dataclass(eq=False)
class AddressTaken(Conflict):
    address: str
    message = "{address} already belongs to a wallet and cannot move to another one: bind another address"


@dataclass(eq=False)
class InvalidPasskey(Refused):
    """`kind` is `malformed`, `type`, `challenge`, `details`, `origin`, `relying_party`, `user_verification`,
    `algorithm`, `signature`, `unknown_passkey`, `taken` or `cloned`.
    """

    kind: str
    reason: str
    message = "this passkey is not accepted: {reason}"


@dataclass(eq=False)
class ClonedPasskey(InvalidPasskey):
    """`passkey` is its id. The signature is valid, but the signature count went back: the caller has to stop the
    passkey.
    """

    passkey: str
    message = "the passkey {passkey} is disabled: {reason}. Revoke it and make another"


@dataclass(eq=False)
class LastPasskey(Conflict):
    passkey: str
    message = (
        "{passkey} is the last passkey of this wallet, and no recovery code is left: add another passkey or make "
        "recovery codes first, or nobody could sign in any more"
    )


@dataclass(eq=False)
class LastOwnerKey(Conflict):
    key: str
    message = (
        "{key} is the only key that acts as this wallet's owner, and the wallet has no passkey: replace the key or add "
        "a passkey first, or nobody could act as the owner any more"
    )


class InvalidSignIn(InvalidChallenge):
    """`kind` is one of InvalidChallenge's, or `no_own_address`."""

    message = "this message does not sign you in: {reason}"


class InvalidLink(Refused):
    message = "this sign-in link is not valid: a link works once, within a day; run `gateway up` again for a new one"


class InvalidRecoveryCode(Refused):
    message = "this is not a valid recovery code of this wallet"


@dataclass(eq=False)
class TooManyTries(Conflict):
    """A rate limit is exceeded: retry after at most `seconds`. `kind` is what is limited, such as `sign-ins`."""

    kind: str
    seconds: int
    message = "too many {kind}: try again in {seconds} seconds"
