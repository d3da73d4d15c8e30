"""The installation that is checked, and the type of a diagnostic."""

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final, Protocol

from gateway import assembly
from gateway.assembly import Places
from gateway.chain.node import HttpNode
from gateway.cli.operate.configuration import Configuration
from gateway.config.config import Config
from gateway.keys.vault import Vault
from gateway.payments.model.settings import PaymentSettings
from gateway.postgres.pool import Database, Statements
from gateway.reconciliation.diagnosis import Result

sql: Final = Statements(__package__, "doctor.sql")


class Skipped(Exception):
    """A diagnostic needs something that an earlier one did not find."""


@dataclass
class Installation:
    """One installation, as its settings describe it. Diagnostics share what earlier ones have opened."""

    configuration: Configuration
    stack: AsyncExitStack
    _database: Database | None = field(default=None, init=False)
    _node: HttpNode | None = field(default=None, init=False)
    _settings: PaymentSettings | None = field(default=None, init=False)
    _vault: Vault | None = field(default=None, init=False)

    @property
    def config(self) -> Config:
        """The configuration. Raises Skipped if the settings cannot be read."""
        if self.configuration.config is None:
            raise Skipped("settings that can be read")
        return self.configuration.config

    @property
    def places(self) -> Places:
        """The URLs of the database and the node. Raises Misconfigured if there is no database."""
        return assembly.places(self.config, node=False)

    async def connect(self) -> Database:
        """Open the database, whatever its schema. Raises DatabaseUnavailable, Misconfigured."""
        config = self.config
        opened = assembly.unmigrated(config, "doctor", 2, config.database_statement_seconds)
        self._database = await self.stack.enter_async_context(opened)
        return self._database

    @property
    def connected(self) -> Database:
        """The database, whatever its schema. Raises Skipped."""
        if self._database is None:
            raise Skipped("a database that answers")
        return self._database

    def has_schema(self, settings: PaymentSettings) -> None:
        """Record that the database has the schema that this code expects, and these payment settings."""
        self._settings = settings

    @property
    def database(self) -> Database:
        """The database, with the schema that this code expects. Raises Skipped."""
        if self._settings is None:
            raise Skipped("a database with its schema")
        return self.connected

    @property
    def settings(self) -> PaymentSettings:
        """The payment settings. Raises Skipped if the database has no schema."""
        if self._settings is None:
            raise Skipped("a database with its schema")
        return self._settings

    def has_keys(self, vault: Vault) -> None:
        """Record that the master key and the root key exist, and are those of the database."""
        self._vault = vault

    @property
    def vault(self) -> Vault:
        """Raises Skipped."""
        if self._vault is None:
            raise Skipped("the keys of this database")
        return self._vault

    def warnings(self, *names: str) -> str:
        """The warnings of `gateway config check` about these settings; "" if there are none."""
        return "; ".join(one.message for one in self.configuration.warnings if one.name in names)

    def answers(self, node: HttpNode) -> None:
        """Record that the node answers."""
        self._node = node

    @property
    def node(self) -> HttpNode:
        """Raises Skipped."""
        if self._node is None:
            raise Skipped("a node that answers")
        return self._node


class Diagnostic(Protocol):
    """Checks one thing. A GatewayError that it raises is a failure; it raises Skipped if its needs are not met."""

    async def __call__(self, one: Installation, /) -> Result: ...
