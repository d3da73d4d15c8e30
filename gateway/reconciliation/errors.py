"""Errors of reconciliation."""

from dataclasses import dataclass

from gateway.errors import Conflict, Unavailable


@dataclass(eq=False)
class FreezeStays(Conflict):
    asset: str
    reasons: tuple[str, ...]
    message = "withdrawals of {asset} stay frozen, since the books do not add up: {reasons}"


@dataclass(eq=False)
class ClockOff(Unavailable):
    seconds: float
    message = "the clock of the gateway's machine differs from the database's by {seconds} seconds"
