"""Sizes of tables and indexes, and whether the part that every payment touches fits into memory."""

from dataclasses import asdict, dataclass
from typing import Any

from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "sizes.sql")

#: The accounts, and the indexes whose keys begin with an account or a wallet: payments read and write them at random
#: places.
WORKING_SET = (
    "account",
    "account_pkey",
    "account_code_unique",
    "account_owner_asset",
    "api_key_pkey",
    "ledger_payment_debit_number_unique",
    "ledger_payment_credit_number_unique",
    "ledger_payment_idempotency_hash_unique",
    "transfer_debit_number_unique",
    "transfer_credit_number_unique",
    "idempotency_key_pkey",
    "payment_of_payer",
    "payment_of_payee",
    "event_of_wallet",
    "event_of_other",
)


@dataclass(frozen=True, slots=True)
class TableSize:
    """A table: approximate rows, and bytes on the disk."""

    name: str
    rows: int
    table_bytes: int
    index_bytes: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """Every table, the largest first; the bytes that payments touch at random places, and PostgreSQL's cache."""

    tables: list[TableSize]
    working_set_bytes: int
    cache_bytes: int

    def plain(self) -> dict[str, Any]:
        """The same as plain values, for printing."""
        return asdict(self)


async def sizes(connection: Connection) -> Sizes:
    """Return the current sizes: call it in a snapshot."""
    rows = await connection.fetch(sql.sizes)
    return Sizes(
        [TableSize(row["name"], row["rows"], row["table_bytes"], row["index_bytes"]) for row in rows],
        await connection.fetchval(sql.working_set_bytes, list(WORKING_SET)),
        await connection.fetchval(sql.cache_bytes),
    )
