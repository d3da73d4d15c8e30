"""Which requests repeat a payment that a restore lost: one rule (`repeated_payments`) for all that ask."""

import pytest

from gateway.address import ZERO
from gateway.identity.wallet import Wallet
from gateway.ids import new_id
from gateway.money import Assets
from gateway.postgres.pool import Database
from tests.factory import NOW
from tests.payments.test_ledger_rail import LedgerTown

pytestmark = pytest.mark.anyio

#: Where alice was before, and a stranger.
BEFORE, STRANGER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"


async def repeated(database: Database, kind: str, giver: str, taker: str, value: int = 5, asset: str = "USDX") -> int:
    """How many restored payments a request for this repeats."""
    statement = "SELECT count(*) FROM repeated_payments($1, $2, $3, $4, $5)"
    async with database.reading() as connection:
        return int(await connection.fetchval(statement, kind, asset, value, giver, taker))


async def restore(database: Database, kind: str, giver: str, taker: str, *wallets: Wallet | None) -> None:
    """A restore has found this: of these wallets, or of ones that were lost."""
    payer, payee = (wallet.id if wallet else None for wallet in wallets)
    async with database.transaction() as connection:
        id = new_id(NOW)
        await connection.execute(
            "INSERT INTO recovery (id, chain_id, reason, entered_at, read_at, ended_at, ended_by)"
            " VALUES ($1, 31337, 'one', $2, $2, $2, 'ann')",
            *(id, NOW),
        )
        await connection.execute(
            "INSERT INTO restored_payment (id, recovery_id, kind, asset, from_address, to_address, value, nonce, payer,"
            " payee, block_number, transaction_hash) VALUES ($1, $1, $2, 'USDX', $3, $4, 5, 7, $5, $6, 12, '\\x01')",
            *(id, kind, giver, taker, payer, payee),
        )


@pytest.fixture
def town(database: Database, assets: Assets) -> LedgerTown:
    return LedgerTown(database, assets)


@pytest.fixture
async def people(town: LedgerTown) -> tuple[Wallet, Wallet]:
    """Alice, who was at another address before, and bob."""
    alice, bob = await town.person("alice"), await town.person("bob")
    async with town.database.transaction() as connection:
        await connection.execute(
            "INSERT INTO wallet_address (address, wallet_id, custody, since) VALUES ($1, $2, 'owner', $3)",
            *(BEFORE, alice.id, NOW),
        )
    return alice, bob


@pytest.mark.parametrize("lost", [False, True])
async def test_a_transfer_is_repeated_by_the_same_wallets_and_by_the_same_addresses(
    town: LedgerTown, people: tuple[Wallet, Wallet], lost: bool
) -> None:
    alice, bob = people
    await restore(town.database, "transfer", alice.address, bob.address, *((None, None) if lost else people))

    assert await repeated(town.database, "transfer", alice.address, bob.address) == 1
    assert await repeated(town.database, "transfer", BEFORE, bob.address) == (0 if lost else 1)
    assert await repeated(town.database, "transfer", STRANGER, bob.address) == 0
    assert await repeated(town.database, "transfer", alice.address, STRANGER) == 0
    assert await repeated(town.database, "transfer", bob.address, alice.address) == 0
    assert await repeated(town.database, "transfer", alice.address, bob.address, value=6) == 0
    assert await repeated(town.database, "transfer", alice.address, bob.address, asset="EURX") == 0
    assert await repeated(town.database, "redemption", alice.address, bob.address) == 0


@pytest.mark.parametrize("lost", [False, True])
async def test_a_mint_is_repeated_by_its_payee(town: LedgerTown, people: tuple[Wallet, Wallet], lost: bool) -> None:
    alice, bob = people
    await restore(town.database, "mint", ZERO, alice.address, *((None, None) if lost else (alice, alice)))

    assert await repeated(town.database, "mint", ZERO, alice.address) == 1
    assert await repeated(town.database, "mint", ZERO, BEFORE) == (0 if lost else 1)
    assert await repeated(town.database, "mint", ZERO, bob.address) == 0
    assert await repeated(town.database, "transfer", ZERO, alice.address) == 0


@pytest.mark.parametrize("lost", [False, True])
async def test_a_redemption_is_repeated_by_its_payer(
    town: LedgerTown, people: tuple[Wallet, Wallet], lost: bool
) -> None:
    alice, bob = people
    await restore(town.database, "redemption", alice.address, ZERO, *((None, None) if lost else (alice, None)))

    assert await repeated(town.database, "redemption", alice.address, STRANGER) == 1
    assert await repeated(town.database, "redemption", bob.address, STRANGER) == 0
    assert await repeated(town.database, "transfer", alice.address, ZERO) == 0


async def test_what_a_request_has_met_is_not_repeated(town: LedgerTown, people: tuple[Wallet, Wallet]) -> None:
    alice, bob = people
    await restore(town.database, "transfer", alice.address, bob.address, *people)
    async with town.database.transaction() as connection:
        await connection.execute("UPDATE restored_payment SET met_at = $1, met_by = $2, met_key = 'k'", NOW, alice.id)

    assert await repeated(town.database, "transfer", alice.address, bob.address) == 0
