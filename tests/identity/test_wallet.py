"""Claiming a handle, and finding who is behind a handle, an address or a key."""

import asyncio
from uuid import uuid4

import pytest
from asyncpg import IntegrityConstraintViolationError

from gateway.custody import wallet_keys
from gateway.errors import Unauthenticated
from gateway.identity import api_key, wallet
from gateway.identity.errors import HandleReserved, HandleTaken, LooksAlike, UnknownHandle
from gateway.identity.handle import fold
from gateway.identity.wallet import Wallet
from gateway.keys.vault import Vault
from gateway.postgres.pool import Database
from tests.factory import NOW

pytestmark = pytest.mark.anyio

VAULT = Vault(bytes(range(32)))


async def claim(database: Database, handle: str) -> tuple[Wallet, str]:
    async with database.transaction() as connection:
        return await wallet.claim(connection, VAULT, handle, NOW)


async def test_a_wallet_is_found_by_handle_by_key_and_by_address(database: Database) -> None:
    alice, key = await claim(database, "@Alice")
    async with database.reading() as connection:
        assert await wallet.by_handle(connection, "ALICE") == alice
        assert (await api_key.authenticate(connection, key, None, NOW)).wallet == alice
        nobodys = "0x" + "1" * 40
        assert await wallet.by_addresses(connection, [alice.address, nobodys]) == {alice.address: alice}
        with pytest.raises(UnknownHandle):
            await wallet.by_handle(connection, "bob")
        with pytest.raises(Unauthenticated):
            await api_key.authenticate(connection, key + "x", None, NOW)


async def test_of_fifty_who_claim_one_handle_at_once_one_gets_it(database: Database) -> None:
    outcomes = await asyncio.gather(*(claim(database, "alice") for _ in range(50)), return_exceptions=True)
    assert sum(isinstance(outcome, tuple) for outcome in outcomes) == 1
    assert all(isinstance(outcome, tuple | HandleTaken) for outcome in outcomes)
    async with database.reading() as connection:
        for table in ("wallet", "encrypted_key", "api_key", "event"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 1


@pytest.mark.parametrize(
    ("there", "like"),
    [
        *(
            ("alice", like)
            for like in ("a1ice", "@A1ICE", "@AIice", "aiice", "alice_", "_alice", "al__ice", "a_l_i_c_e")
        ),
        *(("bob_l", like) for like in ("b0b_1", "b0b_l", "bob_1", "bob__1")),
        *(("tom", "torn"), ("modern", "rnodern"), ("wallet", "vvallet"), ("vw_bank", "vvv_bank"), ("wvw", "vvvw")),
    ],
)
async def test_a_handle_that_looks_like_anothers_is_refused(database: Database, there: str, like: str) -> None:
    await claim(database, there)
    with pytest.raises(LooksAlike, match=f"could be taken for @{there}") as refused:
        await claim(database, like)
    assert refused.value.like == there
    with pytest.raises(HandleTaken, match="is taken"):
        await claim(database, there)


async def test_handles_that_do_not_look_alike_are_everybodys(database: Database) -> None:
    for handle in ("alice", "alicia", "alice2", "bob", "bobo", "bop", "user_1", "user_10", "user_11", "user_100", "nn"):
        await claim(database, handle)


@pytest.mark.parametrize("handle", ["admin", "@Admin", "adm1n", "admln", "_admin_", "operator", "0perator", "he1p"])
async def test_a_reserved_word_and_what_looks_like_one_is_claimed_by_nobody(database: Database, handle: str) -> None:
    with pytest.raises(HandleReserved, match="reserved word"):
        await claim(database, handle)
    with pytest.raises(IntegrityConstraintViolationError, match="is reserved"):
        async with database.transaction() as connection:
            await connection.execute(
                "INSERT INTO wallet (id, handle, address, custody, created_at) VALUES ($1, $2, $3, 'gateway', $4)",
                *(uuid4(), fold(handle), "0x" + "1" * 40, NOW),
            )


async def test_of_fifty_who_claim_handles_that_look_alike_at_once_one_gets_one(database: Database) -> None:
    handles = ["loll", "l0ll", "1o11", "10l1", "lo1l"] * 10
    outcomes = await asyncio.gather(*(claim(database, handle) for handle in handles), return_exceptions=True)
    assert sum(isinstance(outcome, tuple) for outcome in outcomes) == 1
    assert all(isinstance(outcome, tuple | HandleTaken) for outcome in outcomes)


async def test_a_handle_stays_its_wallets_and_is_never_free_again(database: Database) -> None:
    await claim(database, "alice")
    async with database.reading() as connection:
        for statement in ("UPDATE wallet SET handle = 'eve'", "DELETE FROM wallet", "TRUNCATE wallet CASCADE"):
            with pytest.raises(IntegrityConstraintViolationError):
                await connection.execute(statement)
    with pytest.raises(HandleTaken):
        await claim(database, "alice")


async def test_keys_and_addresses_are_everybodys_own(database: Database) -> None:
    claimed = [await claim(database, f"user_{n}") for n in range(20)]
    assert len({key for _, key in claimed}) == len({one.address for one, _ in claimed}) == 20
    assert all(key.startswith("gw_") and len(key) >= 43 for _, key in claimed)


async def test_custody_signs_for_each_address_with_its_own_key(database: Database) -> None:
    (alice, _), (bob, _) = await claim(database, "alice"), await claim(database, "bob")
    digest = bytes(range(32))
    async with database.reading() as connection:
        first, second, again = await wallet_keys.sign(
            connection, VAULT, [(alice.address, digest), (bob.address, digest), (alice.address, digest)]
        )
    assert first == again != second


# ---- addresses ------------------------------------------------------------------------------------------------------

OWN, NEXT = "0x" + "2" * 40, "0x" + "3" * 40


async def move(database: Database, of: Wallet, address: str, custody: str = "owner") -> Wallet:
    """The wallet, now at another address, as plain SQL has it."""
    async with database.transaction() as connection:
        await connection.execute(
            "INSERT INTO wallet_address VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING", address, of.id, custody, NOW
        )
        await connection.execute("UPDATE wallet SET address = $2, custody = $3 WHERE id = $1", of.id, address, custody)
        return await wallet.by_handle(connection, of.handle)


async def test_tokens_are_a_wallets_at_its_current_address_and_at_the_one_whose_key_we_keep(database: Database) -> None:
    alice, _ = await claim(database, "alice")

    await move(database, alice, OWN)
    moved = await move(database, alice, NEXT)

    assert (moved.address, moved.custody, moved.signs_itself) == (NEXT, "owner", True)
    async with database.reading() as connection:
        found = await wallet.by_addresses(connection, [alice.address, OWN, NEXT])
        assert found == {alice.address: moved, NEXT: moved}
        (signature,) = await wallet_keys.sign(connection, VAULT, [(alice.address, bytes(32))])
        assert len(signature) == 65


async def test_an_address_is_one_wallets_for_ever(database: Database) -> None:
    (alice, _), (bob, _) = await claim(database, "alice"), await claim(database, "bob")
    await move(database, alice, OWN)
    await move(database, alice, NEXT)

    for taken in (alice.address, OWN, NEXT):
        with pytest.raises(IntegrityConstraintViolationError):
            await move(database, bob, taken)
    async with database.transaction() as connection:
        with pytest.raises(IntegrityConstraintViolationError):
            await connection.execute("UPDATE wallet_address SET wallet_id = $1", bob.id)
