"""recovery: the losses of a restore, and repairs by one person at the machine, without operators."""

from typing import Any

from gateway import assembly
from gateway.clock import rfc3339
from gateway.config.config import Config
from gateway.identity.handle import fold
from gateway.ids import show
from gateway.ledger import ledger
from gateway.money import Money
from gateway.operators import proposals, repairs
from gateway.operators.repairs import PREFIX, Correction
from gateway.payments import restored as restored_payments
from gateway.reconciliation import recovery as recoveries


async def recovery(config: Config) -> dict[str, Any]:
    """The current recovery, or the last one, with everything that it has found."""
    async with assembly.database(config, "recovery") as database, database.reading() as connection:
        assets = await ledger.with_former(connection, config.assets)
        current = await recoveries.current(connection)
        newest = await connection.fetchrow(recoveries.sql.newest)
        if newest is None:
            return {"state": "none", "message": "not in recovery, and never was", "payments": [], "addresses": []}
        restored = await connection.fetch(recoveries.sql.restored, newest["id"])
        lost = await connection.fetch(recoveries.sql.lost_addresses, newest["id"])
    ended = newest["ended_at"]
    return {
        "state": "ended" if ended else "read" if newest["read_at"] else "reading",
        "message": str(current)
        if current
        else f"the last recovery was ended at {rfc3339(ended)} by {newest['ended_by']}",
        "payments": [
            {
                "id": show(restored_payments.PREFIX, row["id"]),
                "kind": row["kind"],
                "amount": str(Money(int(row["value"]), assets[row["asset"]])),
                "from": f"@{row['payer']}" if row["payer"] else row["from_address"],
                "to": f"@{row['payee']}" if row["payee"] else row["to_address"],
                "block": row["block_number"],
                "tx_hash": "0x" + row["transaction_hash"].hex(),
                "met_at": rfc3339(row["met_at"]) if row["met_at"] else None,
            }
            for row in restored
        ],
        "addresses": [
            {
                "address": row["address"],
                "state": "claimed" if row["handle"] else "returned" if row["returned_at"] else "nobody's",
                "handle": row["handle"],
            }
            for row in lost
        ],
    }


async def confirm(config: Config, reason: str) -> dict[str, Any]:
    """Confirm that the findings were reviewed. Raises InvalidRequest, Forbidden (there are two operators),
    StateConflict.
    """
    said, by = proposals.read_reason(reason), assembly.at_machine()
    async with assembly.database(config, "recovery") as database, database.transaction() as connection:
        now = database.clock()
        id, terms = await repairs.to_confirm(connection)
        await repairs.begin_alone(connection, "recovery.confirm", terms, said, by, now)
        await repairs.confirm(connection, id, by, now)
    return {"terms": terms, "by": by.id}


async def give_back(config: Config, handle: str, reason: str) -> dict[str, Any]:
    """Let the lost handle be claimed again. Raises as `confirm`, and InvalidHandle."""
    said, folded, by = proposals.read_reason(reason), fold(handle), assembly.at_machine()
    async with assembly.database(config, "recovery") as database:
        vault = await assembly.vault_of(config, database)
        async with database.transaction() as connection:
            now = database.clock()
            address = await repairs.lost(connection, vault.address_of(folded), folded)
            await repairs.begin_alone(connection, "handle.return", f"@{folded} at {address}", said, by, now)
            await repairs.give_back(connection, address, by, now)
    return {"handle": folded, "address": address, "by": by.id}


async def correct(config: Config, debit: str, credit: str, amount: str, code: str, reason: str) -> dict[str, Any]:
    """Post a correcting transfer. Raises as `confirm`, UnknownAsset, InvalidAmount, UnknownHandle,
    InsufficientFunds.
    """
    said, by = proposals.read_reason(reason), assembly.at_machine()
    async with assembly.database(config, "recovery") as database, database.transaction() as connection:
        now = database.clock()
        asset = (await ledger.with_former(connection, config.assets))[code]
        correction = Correction(debit, credit, asset.parse_positive(amount))
        await repairs.begin_alone(connection, "ledger.correct", correction.terms, said, by, now)
        id = await repairs.correct(connection, correction, said, by, [by.id], now)
    return {"id": show(PREFIX, id), "terms": correction.terms, "by": by.id}
