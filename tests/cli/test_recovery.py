"""One person at the machine does what two operators do, where there are not two: and both logs say so."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import assembly
from gateway.audit import log as audit
from gateway.cli.operate import operations, printout
from gateway.cli.operate import recovery as commands
from gateway.config.config import Config
from gateway.config.environment import from_environment
from gateway.errors import Forbidden, InvalidRequest, StateConflict
from gateway.identity import wallet as wallets
from gateway.identity.errors import HandleLost, UnknownHandle
from gateway.ids import new_id
from gateway.ledger.errors import InsufficientFunds
from gateway.operators import repairs
from gateway.postgres.pool import Database
from tests.api.conftest import Api, opened
from tests.api.test_operators import operator
from tests.conftest import ASSETS
from tests.factory import NOW

pytestmark = pytest.mark.anyio


@pytest.fixture
def bare(database_url: str, tmp_path: Path) -> Config:
    """Of a gateway that has no keys yet."""
    return from_environment({"GATEWAY_HOME": str(tmp_path), "GATEWAY_DATABASE_URL": database_url})


@pytest.fixture
async def config(bare: Config) -> Config:
    """Of a gateway whose keys are in a folder of its own."""
    await operations.migrate(bare)
    return bare


@pytest.fixture
async def api(database: Database) -> AsyncIterator[Api]:
    async with opened(database, ASSETS) as api:
        yield api


@pytest.fixture
async def in_recovery(database: Database, config: Config) -> str:
    """A gateway in recovery that has read all, with one payment restored, and the address of @carol, which is lost."""
    address = (await assembly.vault_of(config, database)).address_of("carol")
    assert address is not None
    async with database.transaction() as connection:
        id = new_id(NOW)
        await connection.execute(
            "INSERT INTO recovery (id, chain_id, reason, entered_at, read_at) VALUES ($1, 31337, 'one is', $2, $2)",
            *(id, NOW),
        )
        await connection.execute("INSERT INTO lost_address (address, recovery_id) VALUES ($1, $2)", address, id)
        await connection.execute(
            "INSERT INTO restored_payment (id, recovery_id, kind, asset, from_address, to_address, value, nonce, "
            "block_number, transaction_hash) VALUES ($1, $2, 'transfer', 'USDX', '0xA', $3, 5000000, 7, 12, '\\x01')",
            *(new_id(NOW), id, address),
        )
    return address


async def kinds(database: Database) -> list[str]:
    async with database.reading() as connection:
        return [event.kind for event in reversed(await audit.read(connection))]


async def test_recovery_is_shown_confirmed_and_a_lost_handle_given_back(
    database: Database, config: Config, in_recovery: str
) -> None:
    shown = await commands.recovery(config)
    lines = "\n".join(printout.recovery_lines(shown))
    confirmed = await commands.confirm(config, "looked at")
    vault = await assembly.vault_of(config, database)
    with pytest.raises(HandleLost, match="@carol was somebody's before"):
        async with database.transaction() as connection:
            await wallets.claim(connection, vault, "carol", NOW)
    returned = await commands.give_back(config, "@Carol", "she called")
    async with database.transaction() as connection:
        carol, _ = await wallets.claim(connection, vault, "carol", NOW)
        taken = await connection.fetchval("SELECT count(*) FROM lost_address WHERE wallet_id = $1", carol.id)

    assert shown["state"] == "read"
    assert "in recovery since 2030-01-31" in lines
    assert "5.000000 USDX" in lines
    assert in_recovery in lines
    assert confirmed["terms"] == "1 payments restored from the chain, 1 addresses of no wallet"
    assert carol.address == returned["address"] == in_recovery
    assert taken == 1
    assert (await commands.recovery(config))["state"] == "ended"
    assert [kind for kind in await kinds(database) if kind.startswith(("operator", "recovery", "handle"))] == [
        *("operator.break_glass", "recovery.ended", "operator.break_glass", "handle.returned")
    ]
    with pytest.raises(StateConflict, match="not in recovery"):
        await commands.confirm(config, "again")
    with pytest.raises(StateConflict, match="not known to be lost"):
        await commands.give_back(config, "dave", "no reason")


async def test_a_gateway_that_was_never_restored_says_so(config: Config) -> None:
    found = await commands.recovery(config)

    assert found["state"] == "none"
    assert printout.recovery_lines(found) == ["not in recovery, and never was"]


async def test_nobody_repairs_alone_where_there_are_two_operators(api: Api, config: Config, in_recovery: str) -> None:
    await operator(api, "ann")
    await commands.confirm(config, "one operator is not two")
    await operator(api, "ben")

    with pytest.raises(Forbidden, match="two operators do this"):
        await commands.give_back(config, "carol", "alone")
    with pytest.raises(Forbidden, match="two operators do this"):
        await commands.correct(config, "liquidity:USD", "reserve:USD", "1.00", "USD", "alone")


async def test_a_correction_moves_what_it_says_and_is_listed_with_its_reason(api: Api, bare: Config) -> None:
    alice = await api.person("alice", "10.00 USD")
    bob = await api.person("bob")

    done = await commands.correct(bare, "wallet:alice:USD", "wallet:bob:USD", "4.00", "USD", "a doubled deposit")
    async with api.services.database.reading() as connection:
        (listed,) = await repairs.corrections(connection, ASSETS)
    plain = operations.correction_plain(listed)
    entry = (await alice.get("/v1/entries?asset=USD")).json()["items"][0]
    (event,) = [e for e in (await bob.get("/v1/events")).json()["items"] if e["type"] == "ledger.corrected"]

    assert (await alice.balance("USD"))[0] == "6.00"
    assert (await bob.balance("USD"))[0] == "4.00"
    assert (plain["id"], plain["reason"], plain["amount"]) == (done["id"], "a doubled deposit", "4.00 USD")
    assert (entry["purpose"], entry["reference"], entry["amount"]) == ("correction", done["id"], "4.00")
    assert event["data"]["reason"] == "a doubled deposit"
    assert await api.wrong() == []
    assert (await kinds(api.services.database))[-2:] == ["operator.break_glass", "ledger.corrected"]


#: Two accounts, an amount of USD, and why that is refused.
WRONG = [
    ("wallet:alice:USD", "reserve:USD", "1.00", InvalidRequest),  # nothing was ever in reserve
    ("wallet:alice:USD", "bank:USD", "10.01", InsufficientFunds),
    ("wallet:alice:USD", "wallet:nobody_here:USD", "1.00", UnknownHandle),
    ("wallet:alice:USD", "wallet:alice:USD", "1.00", InvalidRequest),
    ("wallet:alice:USD", "bank:EUR", "1.00", InvalidRequest),
    ("wallet:alice:USD", "vault:USD", "1.00", InvalidRequest),
    ("wallet::USD", "bank:USD", "1.00", InvalidRequest),
    ("wallet:alice:USD", "wallet:gone:USD", "1.00", InvalidRequest),  # its owner has closed it
    ("wallet:alice:EUR:USD", "bank:USD", "1.00", UnknownHandle),
]


async def test_a_correction_between_accounts_that_are_not_or_of_too_much_moves_nothing(api: Api, bare: Config) -> None:
    await api.person("alice", "10.00 USD")
    gone = await api.person("gone")
    closed = await gone.post("/v1/wallet/close", {"confirm": "@gone closes this wallet for ever"})
    assert closed.status_code == 200, closed.text
    before = await api.counts()

    for debit, credit, amount, refusal in WRONG:
        with pytest.raises(refusal):
            await commands.correct(bare, debit, credit, amount, "USD", "wrong")

    assert await api.counts() == before
    assert "operator.break_glass" not in await kinds(api.services.database)
