"""Signing in with an Ethereum wallet: the text that was written, signed by the bound address, and nothing else."""

from datetime import timedelta

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount

from gateway.chain.errors import InvalidSignature
from gateway.chain.node import HttpNode
from gateway.identity.errors import InvalidSignIn
from gateway.identity.sign_in import ethereum
from gateway.identity.sign_in.challenge import GOOD_FOR
from gateway.postgres.pool import Database
from tests.anvils import Chain
from tests.factory import NOW
from tests.identity.conftest import Owner, owner

pytestmark = pytest.mark.anyio

URL = "https://pay.example"

#: Code that answers every call with ERC-1271's word: PUSH32 it, MSTORE at 0, RETURN 32 bytes.
SAYS_YES = "0x7f1626ba7e" + "00" * 28 + "60005260206000f3"


async def bound(of: Owner, address: str, custody: str = "owner") -> None:
    async with of.database.transaction() as connection:
        await connection.execute("INSERT INTO wallet_address VALUES ($1, $2, $3, now())", address, of.wallet, custody)
        await connection.execute(
            "UPDATE wallet SET address = $2, custody = $3 WHERE id = $1", of.wallet, address, custody
        )


@pytest.fixture
async def key(alice: Owner) -> LocalAccount:
    """What alice's wallet is bound to."""
    account: LocalAccount = Account.create()
    await bound(alice, account.address)
    return account


async def text_for(of: Owner) -> str:
    async with of.database.transaction() as connection:
        return (await ethereum.create_challenge(connection, await of.seen(), URL, 31337, NOW)).text()


def signed(by: LocalAccount, text: str) -> bytes:
    return bytes(by.sign_message(encode_defunct(text=text)).signature)


async def sign_in(of: Owner, text: str, signature: bytes, node: HttpNode | None = None, late: int = 0) -> str:
    now = NOW + timedelta(seconds=late)
    found = await ethereum.find(of.database, node, text, signature, now)
    async with of.database.transaction() as connection:
        await ethereum.use(connection, found, now)
    return found.wallet.handle


def kind_of(refused: pytest.ExceptionInfo[InvalidSignIn]) -> str:
    return refused.value.kind


async def test_the_owner_of_the_bound_address_signs_in_once(alice: Owner, key: LocalAccount) -> None:
    text = await text_for(alice)
    assert text.startswith(f"pay.example wants you to sign in with your Ethereum account:\n{key.address}\n")

    assert await sign_in(alice, text, signed(key, text)) == "alice"

    with pytest.raises(InvalidSignIn) as refused:
        await sign_in(alice, text, signed(key, text))
    assert kind_of(refused) == "unknown"


async def test_a_text_used_between_looking_and_signing_in_is_refused(alice: Owner, key: LocalAccount) -> None:
    text = await text_for(alice)
    found = await ethereum.find(alice.database, None, text, signed(key, text), NOW)
    assert await sign_in(alice, text, signed(key, text)) == "alice"
    async with alice.database.transaction() as connection:
        with pytest.raises(InvalidSignIn):
            await ethereum.use(connection, found, NOW)


@pytest.mark.parametrize(
    ("written", "altered"),
    [
        ("pay.example wants", "evil.example wants"),
        ("URI: https://pay.example", "URI: https://evil.example"),
        ("Chain ID: 31337", "Chain ID: 1"),
        ("@alice", "@bob"),
    ],
)
async def test_a_text_of_another_domain_chain_or_handle_is_refused(
    alice: Owner, key: LocalAccount, written: str, altered: str
) -> None:
    text = (await text_for(alice)).replace(written, altered)
    with pytest.raises(InvalidSignIn) as refused:
        await sign_in(alice, text, signed(key, text))
    assert kind_of(refused) == "altered"


async def test_a_text_with_another_nonce_is_refused(alice: Owner, key: LocalAccount) -> None:
    text = await text_for(alice)
    nonce = text.partition("Nonce: ")[2].partition("\n")[0]
    text = text.replace(nonce, "0" * len(nonce))
    with pytest.raises(InvalidSignIn) as refused:
        await sign_in(alice, text, signed(key, text))
    assert kind_of(refused) == "unknown"


async def test_a_text_that_has_expired_is_refused(alice: Owner, key: LocalAccount) -> None:
    text = await text_for(alice)
    with pytest.raises(InvalidSignIn) as refused:
        await sign_in(alice, text, signed(key, text), late=int(GOOD_FOR.total_seconds()))
    assert kind_of(refused) == "expired"


async def test_another_key_signs_nobody_in(alice: Owner, key: LocalAccount) -> None:
    text = await text_for(alice)
    with pytest.raises(InvalidSignature):
        await sign_in(alice, text, signed(Account.create(), text))
    with pytest.raises(InvalidSignature):
        await sign_in(alice, text, b"")
    assert await sign_in(alice, text, signed(key, text)) == "alice"


async def test_who_has_the_gateways_key_signs_in_otherwise(alice: Owner) -> None:
    with pytest.raises(InvalidSignIn) as refused:
        await text_for(alice)
    assert kind_of(refused) == "no_own_address"


async def test_an_address_that_the_wallet_has_left_signs_nobody_in(alice: Owner, key: LocalAccount) -> None:
    text = await text_for(alice)
    await bound(alice, Account.create().address)
    with pytest.raises(InvalidSignIn) as refused:
        await sign_in(alice, text, signed(key, text))
    assert kind_of(refused) == "unknown"


async def test_a_contract_that_says_yes_to_all_signs_in_for_no_key(
    alice: Owner, key: LocalAccount, chain: Chain
) -> None:
    """Code at the address of somebody's key, as EIP-7702 lets there be, is not asked."""
    node = HttpNode(chain.url)
    chain.rpc("anvil_setCode", key.address, SAYS_YES)
    text = await text_for(alice)
    try:
        with pytest.raises(InvalidSignature):
            await sign_in(alice, text, signed(Account.create(), text), node)
        assert await sign_in(alice, text, signed(key, text), node) == "alice"
    finally:
        await node.close()


async def test_a_contract_signs_in_for_the_wallet_it_is_bound_to_and_no_other(
    database: Database, alice: Owner, key: LocalAccount, chain: Chain
) -> None:
    mallory, contract, node = await owner(database, "mallory"), Account.create().address, HttpNode(chain.url)
    chain.rpc("anvil_setCode", contract, SAYS_YES)
    await bound(mallory, contract, "contract")
    own, others = await text_for(mallory), await text_for(alice)
    try:
        assert await sign_in(mallory, own, b"yes", node) == "mallory"
        for text in (others, others.replace(key.address, contract)):
            with pytest.raises((InvalidSignature, InvalidSignIn)):
                await sign_in(alice, text, b"yes", node)
        chain.rpc("anvil_setCode", contract, "0x")
        with pytest.raises(InvalidSignature):
            await sign_in(mallory, await text_for(mallory), b"yes", node)
    finally:
        await node.close()
