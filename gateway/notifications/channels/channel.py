"""A channel: a way to reach people. One file each; the configuration decides which are used (assembly.py).

A channel knows an address and a message in its reader's language, and nothing of wallets or of the database. It sends
one message at a time, within its own deadline, and returns the outcome as a word that is stored and shown: never the
other side's answer, which may contain the address.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from gateway.notifications.vocabulary import Kind


@dataclass(frozen=True, slots=True)
class Link:
    """A link that the reader may open: `label` says what it does."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Message:
    """A message in the reader's language. All texts are plain, without control characters.

    `id` is the same every time the message is sent: programs show a message with this id once for a wallet. `wallet` is
    the handle of its wallet, without the @. `kind` is None for the code that confirms an address.
    """

    id: str
    kind: Kind | None
    locale: str
    at: datetime
    title: str
    lines: Sequence[str]  #: One paragraph each.
    details: Sequence[tuple[str, str]] = ()  #: Names and values, such as when it happened.
    links: Sequence[Link] = ()
    footer: Sequence[str] = ()
    code: str | None = None
    wallet: str = ""
    unsubscribe_url: str | None = None  #: A POST there sends no more of this kind (RFC 8058).
    unsubscribe: Link | None = None  #: The same for people: a page that asks first.


@dataclass(frozen=True, slots=True)
class Sent:
    """The other side has accepted it."""


@dataclass(frozen=True, slots=True)
class TryLater:
    """Not accepted; retry later. `reason` is one of this package's slugs; `after` is the delay that the other side
    asked for.
    """

    reason: str
    after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """The address no longer exists: nothing is sent to it until it is confirmed again. `reason` is one of this
    package's slugs.
    """

    reason: str


Outcome = Sent | TryLater | Gone


class Channel(Protocol):
    """A way to reach people."""

    name: str

    at_once: int
    """How many messages a worker sends concurrently by this channel; one that hangs delays no other channel."""

    needs_code: bool
    """Whether an address has to be confirmed by a code that is sent to it; otherwise it is confirmed when it is
    added.
    """

    def check(self, address: str) -> str:
        """The address as it is stored. Raises InvalidRequest for a malformed one."""

    def shown(self, address: str) -> str:
        """Return the part of an address that lists show: enough for its owner to recognize it, and no more."""

    async def send(self, address: str, message: Message) -> Outcome:
        """Send the message, within the channel's own deadline. Raises nothing."""

    async def close(self) -> None:
        """Close connections that are kept open."""
