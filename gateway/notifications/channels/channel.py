"""A channel: a way to reach people. One file each; which there are is for the configuration to say (assembly.py).

A channel knows an address and a message in its reader's words, and nothing of wallets or of the database. It sends one
message at a time, within its own deadline, and says what came of it in a word that is kept and shown: never what the
other side has answered, which may name the address.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from gateway.notifications.vocabulary import Kind


@dataclass(frozen=True, slots=True)
class Link:
    """Something that the reader may open: `label` says what it does."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody is told, in their language. All texts are plain, without control characters.

    `id` is the same whenever the message is sent: programs show a message with this id once for a wallet.
    `wallet` is the handle of the wallet that it tells of, without the @. `kind` is None for the code that proves an
    address.
    """

    id: str
    kind: Kind | None
    locale: str
    at: datetime
    title: str
    lines: Sequence[str]  #: One paragraph each.
    facts: Sequence[tuple[str, str]] = ()  #: Names and values, such as when it happened.
    links: Sequence[Link] = ()
    footer: Sequence[str] = ()
    code: str | None = None
    wallet: str = ""
    unsubscribe_url: str | None = None  #: A POST there sends no more of this kind (RFC 8058).
    unsubscribe: Link | None = None  #: The same for people: a page that asks first.


@dataclass(frozen=True, slots=True)
class Sent:
    """The other side has taken it."""


@dataclass(frozen=True, slots=True)
class TryLater:
    """It was not taken, and may be later. `reason` is a slug of ours; `after` what the other side asked for."""

    reason: str
    after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """The address no longer exists: nothing is sent to it until it is proved again. `reason` is a slug of ours."""

    reason: str


Outcome = Sent | TryLater | Gone


class Channel(Protocol):
    """A way to reach people."""

    name: str

    at_once: int
    """How many messages a worker sends by it side by side: one that hangs delays no other channel."""

    needs_code: bool
    """Whether an address is proved by a code that is sent to it; else it is with being given."""

    def check(self, address: str) -> str:
        """The address as it is stored. Raises InvalidRequest for a malformed one."""

    def shown(self, address: str) -> str:
        """What lists show of it: enough for its owner to tell it from another, and no more."""

    async def send(self, address: str, message: Message) -> Outcome:
        """Send it, within the channel's own deadline; raises nothing."""

    async def close(self) -> None:
        """End what is kept open."""
