"""A wallet of several addresses: the ledger has it as one."""

import pytest
from eth_account import Account

from gateway.chain.token.contract import selector
from gateway.identity import wallet as wallets
from gateway.identity.wallet import Wallet
from gateway.payments import policy_change
from gateway.payments.errors import UnknownPayee
from gateway.payments.model.payment import State
from gateway.payments.model.policy import Policy
from gateway.worker import jobs
from tests.factory import NOW, Town

pytestmark = pytest.mark.anyio

OWN, NEXT, STRANGER = "0x" + "2" * 40, "0x" + "3" * 40, "0x" + "4" * 40


async def now_at(town: Town, of: Wallet, address: str) -> Wallet:
    """The wallet, now at an address of its owner's, as plain SQL has it."""
    async with town.database.transaction() as connection:
        await connection.execute("INSERT INTO wallet_address VALUES ($1, $2, 'owner', $3)", address, of.id, NOW)
        await connection.execute("UPDATE wallet SET address = $2, custody = 'owner' WHERE id = $1", of.id, address)
        return await wallets.by_handle(connection, of.handle)


async def transfer(town: Town, sender: str, receiver: str, units: int) -> None:
    """Tokens that move without the gateway, with a key that anvil makes believe it has."""
    to = bytes.fromhex(receiver[2:]).rjust(32, b"\0")
    await send(town, sender, selector("transfer") + to + units.to_bytes(32, "big"))


async def send(town: Town, sender: str, data: bytes) -> None:
    """A call of the token with a key that anvil makes believe it has, final and in the ledger."""
    town.chain.rpc("anvil_impersonateAccount", sender)
    town.chain.rpc("anvil_setBalance", sender, hex(10**18))
    call = {"from": sender, "to": town.settings.contracts["USDX"].address, "data": "0x" + data.hex()}
    town.chain.rpc("eth_sendTransaction", call)
    town.chain.mine(1 + town.FINALITY)
    while await jobs.watch.run(town.worker()):
        pass


async def test_tokens_between_addresses_of_one_wallet_change_nothing_in_the_ledger(town: Town) -> None:
    alice = await town.person("alice", "10 USDX")
    await now_at(town, alice, OWN)

    await transfer(town, alice.address, OWN, 4_000_000)

    assert await town.on_chain(OWN) == "4.000000 USDX"
    assert await town.available(alice, "USDX") == "10.000000 USDX"
    assert await town.differences() == []


async def test_what_arrives_at_any_address_that_counts_is_the_wallets_and_what_leaves_it_too(town: Town) -> None:
    alice, bob = await town.person("alice"), await town.person("bob", "10 USDX")
    await now_at(town, alice, OWN)

    await transfer(town, bob.address, alice.address, 3_000_000)
    await transfer(town, bob.address, OWN, 2_000_000)
    await transfer(town, OWN, STRANGER, 1_000_000)
    await town.settle()

    assert await town.available(alice, "USDX") == "4.000000 USDX"
    assert await town.available(bob, "USDX") == "5.000000 USDX"
    assert await town.differences() == []


async def test_what_arrives_at_an_own_address_that_was_left_is_outside(town: Town) -> None:
    alice, bob = await town.person("alice"), await town.person("bob", "10 USDX")
    await now_at(town, alice, OWN)
    await now_at(town, alice, NEXT)

    await transfer(town, bob.address, OWN, 3_000_000)

    assert await town.available(alice, "USDX") == "0.000000 USDX"
    assert await town.differences() == []


async def test_a_payment_to_an_address_that_a_wallet_was_given_first_is_a_payment_to_its_handle(town: Town) -> None:
    alice, bob = await town.person("alice"), await town.person("bob", "10 USDX")
    await now_at(town, alice, OWN)

    payment = await town.pay(bob, alice.address, "3 USDX")
    await town.settle()

    assert payment.payee_name == "@alice"
    assert await town.on_chain(OWN) == "3.000000 USDX"
    assert await town.differences() == []


async def test_nobody_pays_the_operators_own_addresses_or_one_that_has_no_key(town: Town) -> None:
    alice, key = await town.person("alice", "10 USDX"), Account.create()
    addresses = {
        town.signer.address: "a relayer of this gateway's operator",
        town.settings.contracts["USDX"].address: "the contract of USDX",
        "0x" + "dead".rjust(40, "0"): "a burn address",
        "0x" + "1".rjust(40, "0"): "a precompiled contract",
    }
    for to, why in addresses.items():
        with pytest.raises(UnknownPayee, match=why):
            await town.pay(alice, to.lower(), "1 USDX")
        async with town.database.reading() as connection:
            wanted = policy_change.resolve_payees(connection, town.settings, alice, Policy(), [to])
            with pytest.raises(UnknownPayee, match=why):
                await wanted
    paid = await town.pay(alice, key.address, "1 USDX")
    await town.settle()
    assert (await town.payment(paid)).state is State.SETTLED
