"""Recovery codes: each good once, tried few times, kept as hashes."""

import asyncio
import subprocess
import sys
from datetime import timedelta

import pytest

from gateway.errors import GatewayError
from gateway.identity.errors import InvalidRecoveryCode, TooManyTries
from gateway.identity.sign_in import recovery_codes
from gateway.identity.sign_in.recovery_codes import CODES, TRIES_MAX, TRIES_WITHIN, Code
from gateway.postgres.pool import Database
from tests.factory import NOW
from tests.identity.conftest import BY, Owner, owner
from tests.running import ROOT

pytestmark = pytest.mark.anyio

SALT = bytes(range(16))


async def made(of: Owner) -> list[str]:
    codes = recovery_codes.fresh_codes()
    hashes = await recovery_codes.hashes_of(codes, SALT)
    async with of.database.transaction() as connection:
        await recovery_codes.keep(connection, of.wallet, hashes, SALT, BY, NOW)
    return codes


async def use(of: Owner, code: Code) -> None:
    async with of.database.transaction() as connection:
        await recovery_codes.use(connection, code, NOW)


async def left(of: Owner) -> int:
    async with of.database.reading() as connection:
        return await recovery_codes.left(connection, of.wallet)


async def test_each_code_is_good_once_however_it_is_typed(database: Database, alice: Owner) -> None:
    first, second, *_ = await made(alice)
    assert await left(alice) == CODES

    await use(alice, await recovery_codes.find(database, alice.wallet, first, NOW))
    await use(alice, await recovery_codes.find(database, alice.wallet, f"  {second.upper().replace('-', ' ')} ", NOW))

    assert await left(alice) == CODES - 2
    with pytest.raises(InvalidRecoveryCode):
        await recovery_codes.find(database, alice.wallet, first, NOW)
    assert (await alice.events()).count("recovery_code.used") == 2


async def test_of_one_code_used_many_times_at_once_one_is_accepted(database: Database, alice: Owner) -> None:
    code, *_ = await made(alice)
    found = await recovery_codes.find(database, alice.wallet, code, NOW)
    outcomes = await asyncio.gather(*(use(alice, found) for _ in range(20)), return_exceptions=True)
    assert [type(one) for one in outcomes if one is not None] == [InvalidRecoveryCode] * 19


async def test_a_code_of_others_a_wrong_one_and_one_replaced_are_refused(database: Database, alice: Owner) -> None:
    bob = await owner(database, "bob")
    (replaced, *_), (bobs, *_) = await made(alice), await made(bob)
    found = await recovery_codes.find(database, alice.wallet, replaced, NOW)
    await made(alice)
    for wrong in (bobs, replaced, "", "0000-0000-0000-0000", "x" * 10_000):
        with pytest.raises(InvalidRecoveryCode):
            await recovery_codes.find(database, alice.wallet, wrong, NOW)
    with pytest.raises(InvalidRecoveryCode):
        await use(alice, found)
    assert await left(alice) == CODES


async def test_tries_are_limited_however_many_come_at_once_and_the_right_code_is_not_checked(
    database: Database, alice: Owner
) -> None:
    code, *_ = await made(alice)

    async def attempt() -> type[GatewayError]:
        with pytest.raises((InvalidRecoveryCode, TooManyTries)) as refused:
            await recovery_codes.find(database, alice.wallet, "0000-0000-0000-0000", NOW)
        return type(refused.value)

    outcomes = await asyncio.gather(*(attempt() for _ in range(TRIES_MAX + 5)))

    assert outcomes.count(InvalidRecoveryCode) == TRIES_MAX
    with pytest.raises(TooManyTries):
        await recovery_codes.find(database, alice.wallet, code, NOW + TRIES_WITHIN - timedelta(seconds=1))
    assert await recovery_codes.find(database, alice.wallet, code, NOW + TRIES_WITHIN)


async def test_a_code_that_its_owner_types_stays_good_and_shows_that_the_codes_are_kept(
    database: Database, alice: Owner
) -> None:
    first, *_ = await made(alice)

    async def kept() -> tuple[int, bool]:
        async with database.reading() as connection:
            there = await recovery_codes.status(connection, alice.wallet)
        return there.left, there.confirmed_at is not None

    async def confirm(code: Code) -> None:
        async with database.transaction() as connection:
            await recovery_codes.confirm(connection, code, NOW)

    assert await kept() == (CODES, False)
    await confirm(await recovery_codes.find(database, alice.wallet, first.upper(), NOW))
    assert await kept() == (CODES, True)
    await use(alice, found := await recovery_codes.find(database, alice.wallet, first, NOW))
    assert await kept() == (CODES - 1, True)
    with pytest.raises(InvalidRecoveryCode):
        await confirm(found)
    await made(alice)
    assert await kept() == (CODES, False)
    await use(alice, await recovery_codes.find(database, alice.wallet, (await made(alice))[0], NOW))
    assert await kept() == (CODES - 1, True)


async def test_codes_lie_nowhere_and_differ(database: Database, alice: Owner) -> None:
    codes = await made(alice)
    assert len(set(codes)) == CODES
    async with database.reading() as connection:
        rows = await connection.fetch("SELECT t::text FROM recovery_code AS t")
    assert len(rows) == CODES
    assert not any(code in row[0] or code.replace("-", "") in row[0] for code in codes for row in rows)


def test_a_code_is_hashed_at_a_cost_that_whoever_reads_the_database_cannot_pay() -> None:
    """In a process of its own, as tests/conftest.py lowers the cost in this one. The hash was made with OpenSSL's `kdf`
    command: scrypt (RFC 7914) with N = 2^14, r = 8 and p = 1.
    """
    asked = (
        "from gateway.identity.sign_in import recovery_codes as r; print(r._hash('K7FM 2q9x-oc4t-hhz3', SALT).hex())"
    )
    argv = [sys.executable, "-P", "-c", asked.replace("SALT", repr(SALT))]
    said = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said == "f4b18adbce29053f47b33c0bbe8d513bf77b5882c433e6d5c784abd46dee3542\n"
