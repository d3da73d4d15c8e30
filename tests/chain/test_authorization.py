import dataclasses
import json
from asyncio import gather
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from coincurve import PrivateKey
from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_hash.auto import keccak
from eth_utils.address import to_checksum_address
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.address import ZERO
from gateway.chain.errors import InvalidSignature
from gateway.chain.token import authorization, eip3009
from gateway.chain.token.authorization import Order
from gateway.chain.token.contract import Contract, Movement, selector
from gateway.chain.token.eip3009 import Authorization, Kind
from gateway.keys.vault import Vault
from gateway.money import Asset
from gateway.postgres.driver_errors import UniqueViolation
from gateway.postgres.pool import Database
from tests.chain.conftest import Setup

pytestmark = pytest.mark.anyio

_addresses = st.binary(min_size=20, max_size=20).map(to_checksum_address)
_words = st.integers(0, 2**256 - 1)
_contracts = st.builds(
    Contract,
    asset=st.from_regex(r"[A-Z]{3,11}", fullmatch=True).map(lambda code: Asset(code, "token", 6, "USD")),
    chain_id=st.integers(1, 2**63 - 1),
    address=_addresses,
    deployed_block=st.just(1),
    genesis_hash=st.just(bytes(32)),
)
_authorizations = st.builds(
    Authorization,
    id=st.just(UUID(int=1)),
    kind=st.sampled_from(["transfer", "redemption"]),
    asset=st.just("USDX"),
    from_address=_addresses,
    to_address=_addresses,
    value=_words,
    nonce=_words,
    valid_before=st.integers(0, 2**63 - 1),
    signature=st.none(),
)

_signed = st.builds(replace, _authorizations, signature=st.binary(max_size=200))


# ---- what the contract takes ----------------------------------------------------------------------------------------


@settings(max_examples=100)
@given(batch=st.lists(_signed, max_size=5))
def test_a_settlement_is_encoded_as_the_abi_says(batch: list[Authorization]) -> None:
    entries = [
        (a.from_address, a.to_address, a.value, 0, a.valid_before, a.nonce.to_bytes(32, "big"), a.signature)
        for a in batch
    ]

    data = eip3009.settle_data(batch)

    assert data[:4] == selector("settle")
    assert data[4:] == encode(["(address,address,uint256,uint256,uint256,bytes32,bytes)[]"], [entries])


@settings(max_examples=100)
@given(batch=st.lists(_signed, max_size=5))
def test_a_mint_is_encoded_as_the_abi_says(batch: list[Authorization]) -> None:
    data = eip3009.mint_data(batch)

    assert data[:4] == selector("mint")
    assert data[4:] == encode(
        ["(address,uint256,bytes32)[]"], [[(a.to_address, a.value, a.nonce.to_bytes(32, "big")) for a in batch]]
    )


# ---- what is signed -------------------------------------------------------------------------------------------------


@settings(max_examples=150)
@given(contract=_contracts, one=_authorizations)
def test_a_digest_is_the_one_eth_account_signs(contract: Contract, one: Authorization) -> None:
    signable = encode_typed_data(full_message=json.loads(json.dumps(eip3009.typed_data(contract, one))))

    expected = keccak(b"\x19" + signable.version + signable.header + signable.body)

    assert eip3009.digest(contract, one) == expected


def test_digest_and_signature_are_those_the_contract_is_tested_with() -> None:
    vectors = json.loads((Path(__file__).parents[2] / "contracts" / "test" / "vectors.json").read_text())
    domain, vector = vectors["domain"], vectors["transfer"]
    contract = Contract(
        Asset(domain["name"], "token", 6, "USD"), domain["chainId"], domain["verifyingContract"], 1, bytes(32)
    )
    said = vector["message"]
    one = Authorization(
        UUID(int=1),
        "transfer",
        "USDX",
        said["from"],
        said["to"],
        int(said["value"]),
        int(said["nonce"], 16),
        int(said["validBefore"]),
        bytes.fromhex(vector["signature"][2:]),
    )

    assert eip3009.domain_separator(contract).hex() == vectors["domainSeparator"][2:]
    assert eip3009.digest(contract, one).hex() == vector["digest"][2:]
    eip3009.check(contract, one)


#: What the vectors sign, by the types of EIP-712: the contract's own messages.
_TYPES = {
    "from": "address", "to": "address", "authorizer": "address", "owner": "address", "spender": "address",
    "value": "uint256", "validAfter": "uint256", "validBefore": "uint256", "deadline": "uint256",
}  # fmt: skip


@pytest.mark.parametrize("name", ["transfer", "transferOfTheLargestNumbers", "receive", "cancel", "permit"])
def test_the_vectors_are_what_eth_account_and_coincurve_make_of_them(name: str) -> None:
    vectors = json.loads((Path(__file__).parents[2] / "contracts" / "test" / "vectors.json").read_text())
    vector, key = vectors[name], bytes.fromhex(vectors["privateKey"][2:])
    nonce = "uint256" if name == "permit" else "bytes32"
    members = [{"name": member, "type": _TYPES.get(member, nonce)} for member in vector["message"]]
    message = {member: int(value) if value.isdecimal() else value for member, value in vector["message"].items()}

    encoded = encode_typed_data(vectors["domain"], {vector["primaryType"]: members}, message)
    digest = keccak(b"\x19" + encoded.version + encoded.header + encoded.body)
    ours = PrivateKey(key).sign_recoverable(digest, hasher=None)

    assert "0x" + digest.hex() == vector["digest"]
    assert bytes(Account.sign_message(encoded, key).signature).hex() == vector["signature"][2:]
    assert (ours[:64] + bytes([27 + ours[64]])).hex() == vector["signature"][2:]


# ---- who has signed -------------------------------------------------------------------------------------------------

CONTRACT = Contract(Asset("USDX", "token", 6, "USD"), 31337, to_checksum_address(20 * b"\x11"), 1, bytes(32))
_HALF = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def signed() -> Authorization:
    vault, wallet_id = Vault(bytes(32)), uuid4()
    address, ciphertext = vault.new_key(wallet_id, "alice")
    payee = to_checksum_address(20 * b"\x22")
    one = Authorization(uuid4(), "transfer", "USDX", address, payee, 5, 0, 2_000_000_000, None)
    return replace(one, signature=vault.sign(wallet_id, address, ciphertext, eip3009.digest(CONTRACT, one)))


def test_the_payers_own_signature_is_good() -> None:
    eip3009.check(CONTRACT, signed())


def test_a_high_s_is_refused_although_the_key_can_be_recovered_from_it() -> None:
    one = signed()
    assert one.signature is not None
    r, s, v = one.signature[:32], int.from_bytes(one.signature[32:64], "big"), one.signature[64]
    assert s <= _HALF
    mirrored = r + (_ORDER - s).to_bytes(32, "big") + bytes([55 - v])
    assert Account._recover_hash(eip3009.digest(CONTRACT, one), signature=mirrored) == one.from_address

    with pytest.raises(InvalidSignature, match="upper half"):
        eip3009.check(CONTRACT, replace(one, signature=mirrored))


@pytest.mark.parametrize(
    "changed",
    [
        {"value": 6},
        {"nonce": 1},
        {"valid_before": 2_000_000_001},
        {"to_address": to_checksum_address(20 * b"\x33")},
        {"from_address": to_checksum_address(20 * b"\x33")},
    ],
)
def test_a_signature_over_another_message_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(InvalidSignature):
        eip3009.check(CONTRACT, replace(signed(), **changed))  # type: ignore[arg-type] # each fits its field


def test_a_signature_for_another_contract_or_chain_is_refused() -> None:
    with pytest.raises(InvalidSignature):
        eip3009.check(dataclasses.replace(CONTRACT, chain_id=1), signed())
    with pytest.raises(InvalidSignature):
        eip3009.check(dataclasses.replace(CONTRACT, address=to_checksum_address(20 * b"\x12")), signed())


@given(st.none() | st.binary(max_size=130) | st.binary(min_size=64, max_size=64).map(lambda rs: rs + b"\x1b"))
def test_any_other_bytes_are_refused_as_no_signature(signature: bytes | None) -> None:
    with pytest.raises(InvalidSignature):
        eip3009.check(CONTRACT, replace(signed(), signature=signature))


def test_a_key_of_ones_own_may_sign_what_typed_data_says() -> None:
    key = PrivateKey()
    account = Account.from_key(key.secret)
    one = replace(signed(), from_address=account.address, signature=None)

    theirs = account.sign_typed_data(full_message=eip3009.typed_data(CONTRACT, one)).signature

    eip3009.check(CONTRACT, replace(one, signature=bytes(theirs)))


# ---- what has settled it --------------------------------------------------------------------------------------------


def movement(one: Authorization, to: str, value: int, mint: bool = False) -> Movement:
    nonce, reference = (None, one.nonce) if mint else (one.nonce, None)
    return Movement("USDX", one.from_address, to, value, nonce, reference, 1, bytes(32), 0, bytes(32))


def test_a_movement_settles_an_authorization_to_the_payee_and_the_unit() -> None:
    one = signed()
    redemption = replace(one, kind="redemption", to_address=CONTRACT.address)
    mint = replace(one, kind="mint", from_address=ZERO)

    assert one.is_settled_by(movement(one, one.to_address, 5))
    assert redemption.is_settled_by(movement(one, ZERO, 5))
    assert mint.is_settled_by(movement(mint, mint.to_address, 5, mint=True))
    assert not one.is_settled_by(movement(one, one.to_address, 4))
    assert not one.is_settled_by(movement(one, ZERO, 5))
    assert not one.is_settled_by(movement(replace(one, nonce=1), one.to_address, 5))
    assert not mint.is_settled_by(movement(mint, mint.to_address, 5))


# ---- the queue ------------------------------------------------------------------------------------------------------

NOW = 1_900_000_000
AT = datetime.fromtimestamp(NOW, UTC)
PAYER, PAYEE = to_checksum_address(20 * b"\x44"), to_checksum_address(20 * b"\x55")


def order(kind: Kind = "transfer", payer: str = PAYER, until: int = NOW, reference: int | None = None) -> Order:
    return Order(uuid4(), kind, "USDX", payer, PAYEE, 1, until, reference)


async def enqueue(database: Database, *orders: Order) -> list[Authorization]:
    async with database.transaction() as connection:
        await authorization.enqueue(connection, orders, AT)
        return [(await authorization.one(connection, order.id)).authorization for order in orders]


async def test_nonces_have_no_gap_whatever_runs_at_once(database: Database) -> None:
    others = [to_checksum_address(bytes([n]) * 20) for n in range(1, 6)]

    async def some(n: int) -> list[Authorization]:
        mixed = [order(payer=PAYER), order(payer=others[n % 5]), order(payer=PAYER), order("mint", reference=n + 1)]
        return await enqueue(database, *mixed)

    batches = await gather(*(some(n) for n in range(40)))

    taken = [one.nonce for batch in batches for one in batch if one.from_address == PAYER]
    assert sorted(taken) == list(range(80))
    for other in others:
        assert sorted(one.nonce for batch in batches for one in batch if one.from_address == other) == list(range(8))


async def test_a_transaction_that_is_rolled_back_gives_its_nonces_back(database: Database) -> None:
    reused = order("mint", reference=7)
    with pytest.raises(UniqueViolation):
        await enqueue(database, order(), reused, reused)

    assert [one.nonce for one in await enqueue(database, order(), order())] == [0, 1]


async def test_a_mint_keeps_its_reference_and_comes_from_nobody(database: Database) -> None:
    (mint,) = await enqueue(database, order("mint", reference=2**256 - 1))

    async with database.reading() as connection:
        found = await authorization.find(connection, [("USDX", ZERO, 2**256 - 1), ("USDX", PAYER, 0)])

    assert (mint.from_address, mint.nonce) == (ZERO, 2**256 - 1)
    assert found[mint.key].authorization == mint
    assert list(found) == [mint.key]


async def test_a_reference_is_used_for_one_mint(database: Database) -> None:
    await enqueue(database, order("mint", reference=7))

    with pytest.raises(UniqueViolation):
        await enqueue(database, order("mint", reference=7))


async def test_an_end_is_for_good(database: Database) -> None:
    one, other = await enqueue(database, order(), order())

    async with database.transaction() as connection:
        await authorization.settle(connection, [one.id])
        again = await authorization.finish(connection, [one.id, other.id], "skipped", ["late", "account_frozen"])
        await authorization.settle(connection, [other.id])
        found = await authorization.find(connection, [one.key, other.key])

    assert again == [other.id]
    assert (found[one.key].state, found[other.key].state) == ("settled", "skipped")


async def test_only_what_no_later_block_can_settle_has_expired(database: Database) -> None:
    over, _, ended, doubted, mint = await enqueue(
        database,
        order(until=NOW),
        order(until=NOW + 1),
        order(until=NOW),
        order(until=NOW),
        order("mint", until=NOW - 1, reference=1),
    )
    async with database.transaction() as connection:
        await authorization.settle(connection, [ended.id])

        await authorization.flag(connection, [doubted.id], "somebody has to look")

        assert await authorization.overdue(connection, ["USDX"], NOW) == [mint, over]
        assert await authorization.overdue(connection, ["EURX"], NOW) == []
        assert len(await authorization.overdue(connection, ["USDX"], NOW + 1)) == 3
        assert await authorization.overdue(connection, ["USDX"], NOW + 1, limit=1) == [mint]
        assert len(await authorization.lock_overdue(connection, [over.id, ended.id, doubted.id], NOW)) == 1


async def test_a_key_that_is_nobodys_is_not_found(setup: Setup) -> None:
    async with setup.database.reading() as connection:
        assert await authorization.find(connection, [("USDX", PAYER, 0), ("EURX", PAYER, 2**256 - 1)]) == {}
        assert await authorization.find(connection, []) == {}
