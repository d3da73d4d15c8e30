"""Errors of the database's availability."""

from dataclasses import dataclass

from gateway.errors import Unavailable


@dataclass(eq=False)
class DatabaseUnavailable(Unavailable):
    reason: str
    message = "the database does not answer: {reason}"


class DatabaseNotWritable(DatabaseUnavailable):
    message = "nothing can be written to the database: {reason}"


class Contended(Unavailable):
    """Nothing was done: another transaction held a lock that this one needed, or PostgreSQL ended this one to break a
    deadlock.
    """

    message = "the same accounts are in use at the moment; send the request again"


class LockTimeout(Contended):
    """Another transaction held a lock that this one needed for longer than `lock_timeout`."""
