"""All errors, in one tree.

    GatewayError
    ├── Refused        final: the same request will be refused again
    ├── Conflict       the state has changed, or is not there yet: read it again, then decide
    └── Unavailable    nothing was decided: retry later

An error is a noun of the field with its values; `message` is the sentence that it prints with them. Errors that concern
several packages are here; each package has its own in its errors.py. Errors know nothing of HTTP: the table from error
to status and problem type is http/answer/problems.py. This module is at the bottom, below money, so that parsing an
amount raises errors of the same tree.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(eq=False)
class GatewayError(Exception):
    """The root. `message` is a format string over the fields of the error."""

    message: ClassVar[str] = "the gateway refused"
    sqlstate: ClassVar[str] = ""  # The SQLSTATE with which a function of the schema raises it, if one does.

    @classmethod
    def of_detail(cls, *detail: str) -> "GatewayError":
        """Return the error that a function of the schema raises, from the words of its DETAIL."""
        return cls(*detail)

    def __str__(self) -> str:
        return self.message.format(**{name: _plain(value) for name, value in vars(self).items()})


def kinds(root: type[GatewayError] = GatewayError) -> list[type[GatewayError]]:
    """Return every error below `root`, of the imported packages, by package and name."""
    found = root.__subclasses__()
    for kind in found:
        found += kind.__subclasses__()
    ours = {kind for kind in found if kind.__module__.rpartition(".")[2] == "errors"}
    return sorted(ours, key=lambda kind: (kind.__module__, kind.__name__))


def of_sqlstate(code: str) -> type[GatewayError] | None:
    """Return the error that a function of the schema raises with this SQLSTATE; None if it is another."""
    return next((kind for kind in kinds() if code and kind.sqlstate == code), None)


def _plain(value: object) -> object:
    """Return a list of names as people write it."""
    return (", ".join(map(str, value)) or "none") if isinstance(value, tuple) else value


class Refused(GatewayError):
    """Final: the same request will be refused again."""


class Conflict(GatewayError):
    """The state has changed, or is not there yet."""


class Unavailable(GatewayError):
    """Nothing was decided; the same request may be sent again."""


# ---- the request itself ---------------------------------------------------------------------------------------------


@dataclass(eq=False)
class InvalidRequest(Refused):
    """`kind` is a slug that identifies the fault: `json`, `unknown_field`, `missing_field`, …"""

    kind: str
    reason: str
    message = "{reason}"


@dataclass(eq=False)
class PreconditionFailed(Refused):
    """A condition on the state of a resource that is false, so that nothing was done (RFC 9110, 13)."""

    header: str
    message = "the condition in {header} does not hold, so nothing was done; send the request without it"


class Unauthenticated(Refused):
    message = "send a valid API key as 'Authorization: Bearer <api key>', or sign in"


@dataclass(eq=False)
class Forbidden(Refused):
    reason: str
    message = "{reason}"


@dataclass(eq=False)
class NotFound(Refused):
    what: str
    message = "there is no {what}"


@dataclass(eq=False)
class IdempotencyKeyReused(Refused):
    key: str
    message = "the Idempotency-Key {key!r} was used for another request; make a new key for a new request"


@dataclass(eq=False)
class IdempotencyKeyInProgress(Conflict):
    key: str
    message = "the first request with the Idempotency-Key {key!r} is still in progress; send it again in a moment"


# ---- money ----------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class InvalidAmount(Refused):
    """`kind` is `not_a_string`, `malformed`, `negative`, `zero` or `too_large`."""

    kind: str
    amount: str
    message = "{amount!r} is not an amount ({kind}): write a positive decimal as a string, such as '12.50'"


class AmountNotString(InvalidAmount):
    """`amount` is what was sent instead, in JSON's words, such as "a number"."""

    message = 'amount is {amount} in JSON: write it as a string, in quotes, such as "12.50"'


@dataclass(eq=False)
class AmountTooPrecise(Refused):
    amount: str
    asset: str
    decimals: int
    message = "{amount} has more decimals than {asset} has, which is {decimals}; nothing is rounded for you"


@dataclass(eq=False)
class UnknownAsset(Refused):
    asset: str
    known: tuple[str, ...] = ()
    message = "{asset!r} is not an asset of this gateway; it has {known}"


@dataclass(eq=False)
class AssetClosed(Refused):
    """An asset that was configured before. `open` are those that take new money."""

    asset: str
    open: tuple[str, ...]
    message = (
        "this gateway takes no new {asset}: what there is of it can be paid, withdrawn or redeemed; new money comes in "
        "as {open}"
    )


# ---- payments -------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class StateConflict(Conflict):
    id: str
    state: str
    event: str
    message = "{id} is {state}: {event} does not follow from there"


# ---- running the gateway --------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Misconfigured(Refused):
    """A fault of the machine or the settings. The sentence says what to do about it."""

    reason: str
    message = "{reason}"
