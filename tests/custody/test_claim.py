"""A handle claimed with its owner's Ethereum wallet: all of it or nothing, once, by whoever signs what was written."""

import asyncio
from datetime import timedelta

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount

from gateway.chain.errors import InvalidSignature
from gateway.custody import claim
from gateway.identity import wallet as wallets
from gateway.identity.errors import AddressTaken, HandleTaken, InvalidSignIn
from gateway.identity.sign_in.challenge import GOOD_FOR
from gateway.identity.wallet import Wallet
from gateway.postgres.pool import Connection
from tests.factory import Town

pytestmark = pytest.mark.anyio

URL = "https://pay.example"


def a_key() -> LocalAccount:
    key: LocalAccount = Account.create()
    return key


def signed(key: LocalAccount, text: str) -> bytes:
    return bytes(key.sign_message(encode_defunct(text=text)).signature)


async def text_for(town: Town, key: LocalAccount, handle: str = "alice") -> str:
    async with town.database.transaction() as connection:
        return (await claim.create_challenge(connection, town.settings, handle, key.address, URL, town.clock())).text()


async def then(connection: Connection, of: Wallet) -> str:
    return of.handle


async def answer(town: Town, text: str, signature: bytes, late: timedelta = timedelta()) -> Wallet:
    made, api_key, done = await claim.claim(
        *(town.database, town.node, town.settings, town.vault, text, signature), then, town.clock() + late
    )
    assert api_key.startswith("gw_")
    assert done == made.handle
    return made


async def test_the_wallet_has_the_address_and_what_lies_there(town: Town) -> None:
    bob, key = await town.person("bob", "10 USDX"), a_key()
    await town.pay(bob, key.address, "4 USDX")
    await town.settle()
    text = await text_for(town, key)
    assert text.startswith(f"pay.example wants you to sign in with your Ethereum account:\n{key.address}\n")
    assert "I claim the handle @alice for this address." in text

    alice = await answer(town, text, signed(key, text))

    assert (alice.handle, alice.address, alice.custody) == ("alice", key.address, "owner")
    assert await town.available(alice, "USDX") == await town.on_chain(key.address) == "4.000000 USDX"
    await town.settle()
    assert await town.differences() == []


async def test_a_text_claims_once_for_a_few_minutes_as_it_was_written_and_by_its_address(town: Town) -> None:
    key = a_key()
    text = await text_for(town, key)
    for wrong, kind in (
        ("hello", "malformed"),
        (text.replace("@alice", "@eve"), "altered"),
        (text.replace(key.address, a_key().address), "altered"),
        (text.replace("Nonce: ", "Nonce: 0"), "unknown"),
    ):
        with pytest.raises(InvalidSignIn) as refused:
            await answer(town, wrong, signed(key, wrong))
        assert refused.value.kind == kind
    with pytest.raises(InvalidSignature):
        await answer(town, text, signed(a_key(), text))
    with pytest.raises(InvalidSignIn) as refused:
        await answer(town, text, signed(key, text), GOOD_FOR)
    assert refused.value.kind == "expired"
    async with town.database.reading() as connection:
        assert await connection.fetchval("SELECT count(*) FROM wallet") == 0

    await answer(town, text, signed(key, text))
    with pytest.raises(InvalidSignIn) as refused:
        await answer(town, text, signed(key, text))
    assert refused.value.kind == "unknown"


async def test_of_many_that_submit_one_text_at_once_one_claims(town: Town) -> None:
    key = a_key()
    text = await text_for(town, key)
    outcomes = await asyncio.gather(*(answer(town, text, signed(key, text)) for _ in range(10)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in outcomes) == ["InvalidSignIn"] * 9 + ["Wallet"]


async def test_of_two_with_one_handle_or_one_address_one_gets_it_and_the_other_nothing(town: Town) -> None:
    first, second = a_key(), a_key()
    alice, same_handle, same_address = [
        (await text_for(town, key, handle), key)
        for key, handle in ((first, "alice"), (second, "alice"), (first, "bob"))
    ]
    await answer(town, alice[0], signed(alice[1], alice[0]))
    with pytest.raises(HandleTaken):
        await answer(town, same_handle[0], signed(same_handle[1], same_handle[0]))
    with pytest.raises(AddressTaken):
        await answer(town, same_address[0], signed(same_address[1], same_address[0]))
    with pytest.raises(HandleTaken):
        await text_for(town, second)
    with pytest.raises(AddressTaken):
        await text_for(town, first, "carol")
    async with town.database.reading() as connection:
        assert await connection.fetchval("SELECT count(*) FROM wallet") == 1
        assert await connection.fetchval("SELECT count(*) FROM wallet_address") == 2
        assert (await wallets.by_handle(connection, "alice")).address == first.address
