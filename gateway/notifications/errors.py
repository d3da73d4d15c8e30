"""Errors of notifications."""

from dataclasses import dataclass

from gateway.errors import Refused


@dataclass(eq=False)
class InvalidCode(Refused):
    """A code that does not confirm an address. `kind` is `wrong`, `expired` or `too_many_tries`."""

    kind: str
    reason: str
    message = "{reason}"
