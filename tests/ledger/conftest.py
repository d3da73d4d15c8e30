"""A small ledger: the verbs of gateway.ledger over a fresh database, by account code and amount."""

from collections.abc import Sequence
from datetime import datetime

import pytest

from gateway.errors import GatewayError
from gateway.ids import TransferId, new_id
from gateway.ledger import ledger as verbs
from gateway.ledger.account import Balance
from gateway.ledger.transfer import End, Event, Leg, State, Transfer
from gateway.money import Asset, Assets
from gateway.postgres.pool import Database
from tests.factory import NOW


class Ledger:
    """Each call is a transaction of its own, as for a caller who does one thing."""

    def __init__(self, database: Database, assets: Assets) -> None:
        self.database = database
        self.assets = assets
        self.eur = assets["EUR"]

    async def transfer(self, *legs: tuple[str, str, int], asset: Asset | None = None, **fields: object) -> Transfer:
        """A transfer whose legs are (debit, credit, units), by code."""
        asset = asset or self.eur
        codes = [code for debit, credit, _ in legs for code in (debit, credit)]
        async with self.database.transaction() as connection:
            ids = await verbs.accounts(connection, [(code, asset) for code in codes])
        id = TransferId(new_id(NOW))
        made = tuple(Leg(ids[debit], ids[credit], units) for debit, credit, units in legs)
        return Transfer(id, "payment", id, made, **fields)  # type: ignore[arg-type] # hold and unconditional

    async def write(self, *steps: Transfer | End, at: datetime = NOW) -> list[State | GatewayError]:
        async with self.database.transaction() as connection:
            return await verbs.write(connection, steps, at)

    async def post(self, debit: str, credit: str, units: int, asset: Asset | None = None) -> State:
        return verbs.only(await self.write(await self.transfer((debit, credit, units), asset=asset)))

    async def unconditional(self, debit: str, credit: str, units: int) -> State:
        return verbs.only(await self.write(await self.transfer((debit, credit, units), unconditional=True)))

    async def deposit(self, code: str, units: int) -> State:
        return await self.post("bank:EUR", code, units)

    async def hold(self, debit: str, credit: str, units: int) -> TransferId:
        transfer = await self.transfer((debit, credit, units), hold=True)
        assert verbs.only(await self.write(transfer)) is State.PENDING
        return transfer.id

    async def end(self, id: TransferId, event: Event, units: Sequence[int] | None = None) -> State:
        return verbs.only(await self.write(End(id, event, tuple(units) if units is not None else None)))

    async def balance(self, code: str) -> Balance:
        async with self.database.reading() as connection:
            return (await verbs.balances(connection, self.assets, [code]))[code]

    async def statement(self, code: str, before: int | None = None, limit: int = 1000) -> list[verbs.Entry]:
        async with self.database.reading() as connection:
            return await verbs.statement(connection, self.eur, code, before, limit)


@pytest.fixture
async def ledger(database: Database, assets: Assets) -> Ledger:
    return Ledger(database, assets)
