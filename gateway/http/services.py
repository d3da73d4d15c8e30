"""The services of handlers. Every command builds them, so this module does not import the web framework, which takes a
third of a second of processor time.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.chain.node import Node
from gateway.clock import Clock
from gateway.http.proxies import Proxies
from gateway.identity.rate_limits import Limits
from gateway.keys.vault import Vault
from gateway.notifications.channels.channel import Channel
from gateway.outbound.allowed import Allowed
from gateway.payments.model.settings import PaymentSettings
from gateway.postgres.pool import Database
from gateway.statements.pdf.maker import PdfMaker
from gateway.statements.slots import StatementSlots
from gateway.tracing.tracer import Tracer


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a request may need; built once, in `assembly.py`."""

    database: Database
    settings: PaymentSettings
    vault: Vault
    clock: Clock
    node: Node | None = None  # For calls that need the chain; all others do without.
    public_url: str = "http://127.0.0.1:8000"  # The URL at which people open this gateway; signed messages name it.
    proxies: Proxies = field(default_factory=Proxies)
    limits: Limits = field(default_factory=Limits)
    webhooks_allowed: Allowed = field(default_factory=Allowed)  #: Where webhooks may be sent.
    channels: Sequence[Channel] = ()  # The channels of notifications.
    finality: int | None = None  #: As in the configuration: how many blocks make one final.
    gas_batches_min: int = 10  # A relayer with a gas balance below so many full batches' cost is low.
    logs_requests: bool = False  # Whether requests are logged in the access log.
    tracer: Tracer | None = None  # Set if traces are on.
    pdfs: PdfMaker = field(default_factory=PdfMaker)  #: Makes statements to print.
    statement_slots: StatementSlots = field(default_factory=StatementSlots)  # How many are summed at once.
    stopping: asyncio.Event = field(default_factory=asyncio.Event)  # Set once this process was told to stop.

    def address_of(self, scope: Mapping[str, Any]) -> str | None:
        """Return the client's address of a request."""
        return self.proxies.client_of(scope)
