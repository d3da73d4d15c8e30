"""What a token payment costs PostgreSQL from acceptance to settlement, part by part, without HTTP and without a chain.

Groups of payments are accepted, put into a batch, settled by a block range and covered by a checkpoint, by the
gateway's own functions. The block ranges are made from the batches; nothing is signed. Processor time is that of the
connections' own processes, read after each statement. Run as a module, it prints every statement and how many rows of
each table a payment writes: `PYTHONPATH=scripts python -m benchmarks.token_parts HOME [GROUPS]`. The first path of
PYTHONPATH may be that of another checkout, which is measured then.
"""

import asyncio
import random
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import direct, machine, town
from benchmarks.bench import Bench, Measured
from benchmarks.compare import Row
from benchmarks.rig import Connection, Ledger, Rig, rig
from gateway import assembly
from gateway.audit import checkpoint
from gateway.audit.checkpoint import CheckpointKey
from gateway.chain.block import Block, Fees, Receipt
from gateway.chain.relayer import batches, relayers
from gateway.chain.relayer.batches import Batch
from gateway.chain.token.contract import Movement
from gateway.chain.token.eip3009 import Authorization
from gateway.chain.watcher import cursors
from gateway.chain.watcher.block_range import BlockRange
from gateway.cli.operate import operations
from gateway.custody import wallet_keys
from gateway.http.services import Services
from gateway.ids import AccountId, PaymentId, TransferId, new_id
from gateway.keys import signer
from gateway.keys.signer import RelayerSigner
from gateway.ledger import account, ledger
from gateway.ledger.transfer import Leg, Transfer
from gateway.money import Asset, Money
from gateway.payments.rails import chain as chain_rail
from gateway.payments.rails.chain import Queued, TokenPayment
from gateway.postgres.connection import DatabaseConnection
from gateway.postgres.pool import Database
from gateway.secret import hash_of
from gateway.settlement import block_settlement, gas, relay

HANDLES = 1_000
BATCH = 240  #: Payments in a group, which always fit into one chain transaction.
PARTS = ("accept", "batch", "settle", "checkpoint")
_WARM_GROUPS = 7  #: By then PostgreSQL has settled on a plan.
_EACH = 10**12  #: The units that every handle has at first.
_CHAIN = 31337
_CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
_FEES = Fees(2_000_000_000, 1_000_000_000)

_RECORD_CONTRACT = """
INSERT INTO contract (asset, chain_id, address, deployed_block, genesis_hash)
SELECT code, $1, $2, 1, $3 FROM asset WHERE kind = 'token' RETURNING asset
"""
_BEGIN_CURSOR = "INSERT INTO chain_cursor (chain_id, number, hash, timestamp) VALUES ($1, 1, $2, 1)"
_ROWS = """
SELECT relname AS name, n_tup_ins AS inserted, n_tup_upd AS updated, n_tup_hot_upd AS hot
FROM pg_stat_user_tables ORDER BY relname
"""


@dataclass
class Spent:
    """Processor seconds of the database's connections, by part and statement."""

    database: Database
    part: str = ""
    by_statement: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    last: float = 0.0

    def reset(self) -> None:
        self.by_statement.clear()
        self.last = self._cpu()

    def look(self, statement: str) -> None:
        """Count what was used since the last look as the statement's."""
        now = self._cpu()
        self.by_statement[self.part, statement] += now - self.last
        self.last = now

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        self.look("")
        self.part = part
        yield
        self.look("COMMIT")
        self.part = ""

    def us_of(self, part: str, payments: int) -> float:
        """Microseconds of a part per payment."""
        return sum(seconds for (of, _), seconds in self.by_statement.items() if of == part) * 1e6 / payments

    def _cpu(self) -> float:
        return sum(machine.cpu_seconds(one.get_server_pid()) for one in self.database._open)


@contextmanager
def watched(spent: Spent) -> Iterator[None]:
    """Look at the processor time before and after each statement."""
    kept = {name: getattr(DatabaseConnection, name) for name in ("execute", "fetch", "fetchrow", "fetchval")}

    def wrapped(original: Any) -> Any:
        async def run(self: Any, query: str, *arguments: Any, **options: Any) -> Any:
            spent.look("BEGIN")
            try:
                return await original(self, query, *arguments, **options)
            finally:
                await asyncio.sleep(0.0003)  # the process goes to sleep after it has answered
                spent.look(query.strip().partition("\n")[0].removeprefix("--").strip())

        return run

    for name, original in kept.items():
        setattr(DatabaseConnection, name, wrapped(original))
    try:
        yield
    finally:
        for name, original in kept.items():
            setattr(DatabaseConnection, name, original)


@dataclass(frozen=True)
class Parts:
    """What `payments` cost: processor time by part and statement, bytes of WAL, and rows by table, each a payment."""

    payments: int
    spent: Spent
    wal_each: float
    rows: dict[str, tuple[float, ...]]

    def us_of(self, part: str) -> float:
        return self.spent.us_of(part, self.payments)


@dataclass
class Life:
    """Groups of payments from acceptance to settlement."""

    services: Services
    ledger: Ledger
    spent: Spent
    relayer: RelayerSigner
    key: CheckpointKey
    draw: random.Random

    async def one_group(self) -> None:
        database, settings, clock = self.services.database, self.services.settings, self.services.clock
        (token,), (contract,) = settings.assets.tokens(), settings.contracts.values()
        asked = [self._payment(token) for _ in range(BATCH)]
        with self.spent.of("accept"):
            outcomes = await chain_rail.pay_all(database, settings, asked, clock())
        assert all(isinstance(one, Queued) for one in outcomes)
        with self.spent.of("batch"):
            async with database.transaction() as connection:
                batch = await batches.form(connection, contract, "settle", self.relayer, _FEES, self._sign, clock())
                assert batch is not None
                await relay.record(connection, settings.assets, settings.settles, batch, clock())
        assert len(batch.submitted) == BATCH
        with self.spent.of("settle"):
            async with database.transaction() as connection:
                cursor = await cursors.read(connection, _CHAIN)
                assert cursor is not None
                block_range = _final(batch, cursor.number + 1)
                written = await block_settlement.settle(
                    connection, settings.assets, settings.settles, cursor, block_range, {}, clock()
                )
        assert written is not None
        assert len(written.settled) == BATCH
        with self.spent.of("checkpoint"):
            async with database.transaction() as connection:
                await checkpoint.write(connection, self.key, clock())

    async def _sign(self, _: object, unsigned: list[Authorization]) -> Sequence[bytes]:
        return [self.draw.randbytes(65) for _ in unsigned]

    def _payment(self, token: Asset) -> TokenPayment:
        payer, payee = self.draw.sample(range(self.ledger.handles), 2)
        self.ledger.loaded += 1
        return TokenPayment(
            token_hash=hash_of(f"gw_{payer:043}"),
            idempotency_key=f"token-{self.ledger.loaded}",
            fingerprint=bytes(32),
            payee_handle=f"h{payee:07}",
            money=Money(self.draw.randint(1, 20), token),
            memo=None,
            payment_id=PaymentId(new_id(self.services.clock())),
        )


def _final(batch: Batch, number: int) -> BlockRange:
    """A final block that has the batch's logs."""
    assert batch.transaction is not None
    hash_, block = batch.transaction.hash, number.to_bytes(32, "big")
    movements = [
        Movement(one.asset, one.from_address, one.to_address, one.value, one.nonce, None, number, block, n, hash_)
        for n, one in enumerate(batch.submitted)
    ]
    receipt = Receipt(hash_, True, number, block, 26_000 * len(movements), 10**9, None)
    last = Block(number, block, (number - 1).to_bytes(32, "big"), number, 0)
    return BlockRange(frozenset({batch.submitted[0].asset}), number, last, number, movements, [], [receipt])


async def settle(made: Rig, name: str, handles: int) -> Ledger:
    """A database of handles with tokens, a contract that no chain has, and how far it was read."""
    await made.create_database(name)
    await operations.migrate(made.config(name))
    async with made.connected(name) as connection, connection.transaction():
        await connection.execute(town._WALLETS, handles)
        await connection.execute(town._KEYS)
        await connection.execute(_BEGIN_CURSOR, _CHAIN, (1).to_bytes(32, "big"))
        code = await connection.fetchval(_RECORD_CONTRACT, _CHAIN, _CONTRACT, bytes(32))
    async with assembly.services(made.config(name), connections=1) as services:
        token, assets, now = services.settings.assets[code], services.settings.assets, services.clock()
        async with services.database.transaction() as connection:
            supply = account.system_account("supply", token)
            codes = [account.wallet(f"h{number:07}", token) for number in range(handles)]
            wanted = [(code, token) for code in (supply, *codes)]
            await ledger.accounts(connection, gas.accounts(assets))  # opened by `gateway deploy`, before all others
            ids = await ledger.accounts(connection, wanted)
            await ledger.post(connection, [_minted(ids[supply], ids[one], new_id(now)) for one in codes], now)
    return Ledger(name, handles)


def _minted(supply: AccountId, owner: AccountId, id: Any) -> Transfer:
    return Transfer(TransferId(id), "deposit", id, (Leg(supply, owner, _EACH),), unconditional=True)


async def lives(made: Rig, name: str, handles: int, groups: int) -> Parts:
    """So many groups of payments over a fresh ledger."""
    living = await settle(made, name, handles)
    async with assembly.services(made.config(name), connections=1) as services, made.connected(name) as beside:
        relayer = RelayerSigner(signer.LOCAL_RELAYER_KEYS[0])
        async with services.database.transaction() as connection:
            await relayers.register(connection, _CHAIN, relayer.address, 0)
            key = await wallet_keys.checkpoint_key(connection, services.vault, services.clock())
        draw = random.Random(1)  # nosec B311 # noqa: S311 - the same payments in every run
        life = Life(services, living, Spent(services.database), relayer, key, draw)
        for _ in range(_WARM_GROUPS):
            await life.one_group()
        await beside.execute("VACUUM ANALYZE")
        await life.one_group()
        before, since = await _rows(services.database, beside), await direct._lsn(beside)
        with watched(life.spent):
            life.spent.reset()
            for _ in range(groups):
                await life.one_group()
        payments, until = groups * BATCH, await direct._lsn(beside)
        after = await _rows(services.database, beside)
        wal, _ = await direct._wal(beside, since, until)
    await made.drop_database(name)
    each = {
        table: tuple((now - then) / payments for now, then in zip(after[table], before[table], strict=True))
        for table in after
    }
    return Parts(payments, life.spent, wal / payments, each)


async def _rows(database: Database, beside: Connection) -> dict[str, tuple[int, int, int]]:
    """The rows of each table that were inserted, updated, and updated without a change of an index."""
    for one in database._open:
        await one.execute("SELECT pg_stat_force_next_flush()")
    await asyncio.sleep(0.1)
    return {row["name"]: (row["inserted"], row["updated"], row["hot"]) for row in await beside.fetch(_ROWS)}


async def token_parts(bench: Bench) -> Measured:
    """What a token payment costs PostgreSQL, part by part, called directly, in groups of 240."""
    measured, runs = Measured(), list[Parts]()
    for _ in range(bench.rounds):
        runs.append(await lives(bench.rig, "token_parts", min(bench.handles, HANDLES), max(1, int(bench.seconds * 3))))
        print("  " + ", ".join(f"{part} {runs[-1].us_of(part):.1f}" for part in PARTS) + " µs", flush=True)
    figure = "tokens"
    for part in PARTS:
        measured.rows.append(Row(figure, f"CPU each, {part}", "µs", tuple(one.us_of(part) for one in runs)))
    whole = tuple(sum(one.us_of(part) for part in PARTS) for one in runs)
    measured.rows.append(Row(figure, "CPU each, all", "µs", whole))
    measured.rows.append(Row(figure, "WAL each, no page images", "B", tuple(one.wal_each for one in runs)))
    return measured


async def _show(home: Path, groups: int) -> None:
    async with rig(home) as made:
        one = await lives(made, "token_parts", HANDLES, groups)
    for part in PARTS:
        print(f"{part:10} {one.us_of(part):7.1f} µs")
        statements = {name: s for (of, name), s in one.spent.by_statement.items() if of == part}
        for name, seconds in sorted(statements.items(), key=lambda item: -item[1]):
            print(f"    {seconds * 1e6 / one.payments:7.1f}  {name[:90]}")
    print(f"{'all':10} {sum(one.us_of(part) for part in PARTS):7.1f} µs, {one.wal_each:.0f} B of WAL")
    for table, (inserted, updated, hot) in one.rows.items():
        if inserted + updated >= 0.01:
            print(f"{table:22} inserted {inserted:5.2f}, updated {updated:5.2f}, of them HOT {hot:5.2f}")


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    asyncio.run(_show(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20))
