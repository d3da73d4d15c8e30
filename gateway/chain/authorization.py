"""Authorizations: the signed EIP-3009 messages that let tokens move, from their queue to their end.

    unsigned, until its payer has signed it; where the gateway signs it, it begins as
    │
    queued ──batch──> submitted ──final log──> settled
      │  ^                │ │
      │  └─ its batch ────┘ ├── final log ──> skipped   the contract says why, and will not settle it later
      │     reverted        │
      └─────────────────────┴── final time ─> expired   valid_before has passed at a final block, and the contract
                                                        says that it was not used

A nonce is given out and stored before anything is signed, so the contract itself refuses a second settlement. Nonces
of one address go 0, 1, 2, … without a gap, since the contract keeps them as bits of a word and charges for new words;
those of an address whose owner has the key begin elsewhere, and step over what they use by themselves.
A mint has no signature: its single-use reference stands in the place of the nonce, the zero address in that of `from`.
The contract knows no `valid_before` of it, so we keep it: after that time it is put into no batch, and it expires when
no stored transaction can carry it into a block any more.

Lock order: rows of `authorization_nonce` by (asset, address); rows of `token_authorization` by id.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID

from eth_hash.auto import keccak

from gateway.chain import signature
from gateway.chain.address import ZERO, to_bytes
from gateway.chain.contract import Contract, Movement, authorization_state_data, minted_data, selector
from gateway.chain.node import Node
from gateway.errors import Contended, NodeUnavailable
from gateway.postgres import Connection, Record, Statements

sql = Statements(__package__, "chain.sql")

Kind = Literal["transfer", "redemption", "mint", "sweep"]
KINDS: tuple[Kind, ...] = ("transfer", "redemption", "mint", "sweep")
State = Literal["unsigned", "queued", "submitted", "settled", "skipped", "expired"]

#: The states of those that wait for their end.
OPEN: tuple[State, ...] = ("unsigned", "queued", "submitted")

#: Who is to sign: we, with the payer's sealed key when it is batched; the payer's own key; or the contract that it is.
By = Literal["gateway", "owner", "contract"]

#: What the contract knows an authorization by: asset code, from (zero for a mint), nonce (a mint's reference).
Key = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of the queue. `reference` is a mint's, not zero and used once; the others are given a nonce.

    `value` is in units, `valid_before` in Unix seconds. What is not signed `by` the gateway waits for its signature.
    """

    id: UUID
    kind: Kind
    asset: str
    from_address: str
    to_address: str
    value: int
    valid_before: int
    reference: int | None = None
    by: By = "gateway"


@dataclass(frozen=True, slots=True)
class Authorization:
    """An order with its nonce, and its signature once it has one. A redemption's `to_address` is the contract."""

    id: UUID
    kind: Kind
    asset: str
    from_address: str
    to_address: str
    value: int
    nonce: int
    valid_before: int
    signature: bytes | None
    by: By = "gateway"

    @property
    def key(self) -> Key:
        return (self.asset, self.from_address, self.nonce)

    def is_settled_by(self, movement: Movement) -> bool:
        """Whether the movement is this one's, to the payee and the unit.

        Who signs with a key of their own can sign another message with the same nonce: then that one has moved tokens,
        and this one never will.
        """
        nonce, payee = movement.nonce, ZERO if self.kind == "redemption" else self.to_address
        if self.kind == "mint":
            nonce = movement.reference
        moved = (movement.asset_code, movement.from_address, nonce, movement.to_address, movement.value)
        return moved == (*self.key, payee, self.value)


@dataclass(frozen=True, slots=True)
class Tracked:
    """An authorization and where it is in its life."""

    authorization: Authorization
    state: State
    transaction_id: UUID | None

    @property
    def id(self) -> UUID:
        return self.authorization.id


# ---- what is signed (EIP-712, EIP-3009) -----------------------------------------------------------------------------

_DOMAIN_TYPE = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_TRANSFER_TYPE = keccak(
    b"TransferWithAuthorization"
    b"(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
)
_VERSION = "1"


@lru_cache(maxsize=1000)
def domain_separator(contract: Contract) -> bytes:
    name, version = keccak(contract.name.encode()), keccak(_VERSION.encode())
    return keccak(_DOMAIN_TYPE + name + version + _word(contract.chain_id) + _word_of(contract.address))


def digest(contract: Contract, authorization: Authorization) -> bytes:
    """The 32 bytes that the payer signs. `validAfter` is always 0: it may settle at once."""
    assert authorization.kind != "mint"
    message = keccak(
        _TRANSFER_TYPE
        + _word_of(authorization.from_address)
        + _word_of(authorization.to_address)
        + _word(authorization.value)
        + _word(0)
        + _word(authorization.valid_before)
        + _word(authorization.nonce)
    )
    return keccak(b"\x19\x01" + domain_separator(contract) + message)


def check(contract: Contract, authorization: Authorization) -> None:
    """Raises InvalidSignature unless the contract would accept the signature as the payer's own key's."""
    signature.check(authorization.from_address, digest(contract, authorization), authorization.signature)


def typed_data(contract: Contract, authorization: Authorization) -> dict[str, Any]:
    """What a wallet of one's own is asked to sign, as eth_signTypedData_v4 takes it. Numbers are decimal strings."""
    domain = {"name": "string", "version": "string", "chainId": "uint256", "verifyingContract": "address"}
    message = {"from": "address", "to": "address", "value": "uint256", "validAfter": "uint256"}
    message |= {"validBefore": "uint256", "nonce": "bytes32"}
    return {
        "types": {"EIP712Domain": _members(domain), "TransferWithAuthorization": _members(message)},
        "primaryType": "TransferWithAuthorization",
        "domain": {
            "name": contract.name,
            "version": _VERSION,
            "chainId": str(contract.chain_id),
            "verifyingContract": contract.address,
        },
        "message": {
            "from": authorization.from_address,
            "to": authorization.to_address,
            "value": str(authorization.value),
            "validAfter": "0",
            "validBefore": str(authorization.valid_before),
            "nonce": "0x" + _word(authorization.nonce).hex(),
        },
    }


def _members(types: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "type": type_} for name, type_ in types.items()]


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _word_of(address: str) -> bytes:
    return bytes(12) + to_bytes(address)


# ---- what the contract takes ----------------------------------------------------------------------------------------

_SETTLE = selector("settle")
_MINT = selector("mint")


# Encoded by hand, as the contract ABI specification lays them out ("Formal Specification of the Encoding"): a general
# encoder took as long for a payment as signing it does.

_ZERO, _ARRAY_AT, _SIGNATURE_AT = _word(0), _word(32), _word(7 * 32)


def settle_data(authorizations: Sequence[Authorization]) -> bytes:
    """The call that settles them, in order: `settle((address,address,uint256,uint256,uint256,bytes32,bytes)[])`. Each
    is signed.
    """
    entries = [_entry(a) for a in authorizations]
    places, at = [], 32 * len(entries)
    for entry in entries:
        places.append(_word(at))
        at += len(entry)
    return b"".join([_SETTLE, _ARRAY_AT, _word(len(entries)), *places, *entries])


def _entry(a: Authorization) -> bytes:
    assert a.signature is not None
    length = len(a.signature)
    return b"".join(
        [
            _word_of(a.from_address),
            _word_of(a.to_address),
            _word(a.value),
            _ZERO,
            _word(a.valid_before),
            _word(a.nonce),
            _SIGNATURE_AT,
            _word(length),
            a.signature,
            bytes(-length % 32),
        ]
    )


def mint_data(authorizations: Sequence[Authorization]) -> bytes:
    """The call that mints them, in order: `mint((address,uint256,bytes32)[])`."""
    entries = [_word_of(a.to_address) + _word(a.value) + _word(a.nonce) for a in authorizations]
    return b"".join([_MINT, _ARRAY_AT, _word(len(entries)), *entries])


# ---- the queue ------------------------------------------------------------------------------------------------------


async def enqueue(connection: Connection, orders: Sequence[Order], now: datetime) -> list[Authorization]:
    """Give each order its nonce and queue it, or let it wait for its signature. Returns them in order.

    A mint whose reference was used before breaks the constraint `token_authorization_used_once`. Raises Contended when
    a payer's address was left meanwhile: asked anew, it has another. Sweeps go by themselves: they are from such.
    """
    wanted: dict[tuple[str, str], int] = {}
    for order in orders:
        assert (order.kind == "mint") == (order.reference is not None)
        assert order.reference is None or order.reference > 0
        if order.kind != "mint":
            payer = (order.asset, order.from_address)
            wanted[payer] = wanted.get(payer, 0) + 1

    assets, addresses = [asset for asset, _ in wanted], [address for _, address in wanted]
    sweeps = any(order.kind == "sweep" for order in orders)
    assert not sweeps or all(order.kind == "sweep" for order in orders)
    rows = await connection.fetch(sql.take_nonces, assets, addresses, list(wanted.values()), sweeps) if wanted else []
    free = {(row["asset"], row["address"]): int(row["first"]) for row in rows}
    if len(free) < len(wanted):
        raise Contended

    authorizations = []
    for order in orders:
        if order.reference is not None:
            sender, nonce = ZERO, order.reference
        else:
            sender, nonce = order.from_address, free[order.asset, order.from_address]
            free[order.asset, order.from_address] += 1
        authorizations.append(
            Authorization(
                order.id,
                order.kind,
                order.asset,
                sender,
                order.to_address,
                order.value,
                nonce,
                order.valid_before,
                None,
                order.by,
            )
        )
    await connection.execute(
        sql.enqueue,
        [a.id for a in authorizations],
        [a.kind for a in authorizations],
        [a.asset for a in authorizations],
        [a.from_address for a in authorizations],
        [a.to_address for a in authorizations],
        [a.value for a in authorizations],
        [a.nonce for a in authorizations],
        [a.valid_before for a in authorizations],
        now,
        [a.by for a in authorizations],
    )
    return authorizations


async def begin_nonces(connection: Connection, payers: Collection[tuple[str, str]]) -> None:
    """Where (asset, address) has no nonces yet, begin them at a place of its own, 256 to a word of the contract's.

    An address of somebody's own may have used others, such as 0: the place is far from those, and the same each time.
    """
    firsts = [int.from_bytes(keccak(asset.encode() + to_bytes(address)), "big") >> 8 << 8 for asset, address in payers]
    await connection.execute(
        sql.begin_nonces, [asset for asset, _ in payers], [address for _, address in payers], firsts
    )


async def pass_over(connection: Connection, keys: Collection[Key]) -> None:
    """Hand out no nonce that one of these has used: their owners did, without us."""
    if keys:
        await connection.execute(sql.pass_over, *(list(column) for column in zip(*keys, strict=True)))


async def leave(connection: Connection, assets: Sequence[str], address: str) -> None:
    """Hand out no more nonces of an address: whoever was handing one out has ended when this returns."""
    await connection.execute(sql.close_nonces, list(assets), address)


async def count_open(connection: Connection, assets: Sequence[str], addresses: Sequence[str]) -> int:
    """How much of what these addresses give, or of what is minted to them, is still on its way."""
    return int(await connection.fetchval(sql.count_open, list(assets), list(addresses)))


async def come_back(connection: Connection, assets: Sequence[str], address: str) -> None:
    """Hand out nonces of an address again that was left before."""
    await connection.execute(sql.open_nonces, list(assets), address)


async def one(connection: Connection, id: UUID, for_update: bool = False) -> Tracked:
    """An authorization of ours, by its id."""
    row = await connection.fetchrow(sql.by_id_for_update if for_update else sql.by_id, id)
    assert row is not None
    return Tracked(from_row(row), row["state"], row["transaction_id"])


async def sign(connection: Connection, id: UUID, signature: bytes) -> None:
    """Queue an authorization with the signature that it waited for; its row is locked by the caller."""
    await connection.execute(sql.sign, id, signature)


async def count_queued(
    connection: Connection, asset: str, now: datetime, kinds: Sequence[Kind] = KINDS, most: int = 1
) -> tuple[int, int]:
    """How many authorizations of the asset wait for a batch and are in time for one, counted up to `most`, and how many
    of these contracts have signed.
    """
    row = await connection.fetchrow(sql.count_queued, asset, list(kinds), int(now.timestamp()), most)
    assert row is not None
    return row["count"], row["by_contracts"]


async def is_ripe(
    connection: Connection, asset: str, kinds: Sequence[Kind], now: datetime, most: int, wait: timedelta
) -> bool:
    """Whether authorizations of these kinds should be put into a batch: `most` of them, which is a full one, or fewer
    of which the oldest has waited for `wait`, by the clock of who accepted it.
    """
    return bool(await connection.fetchval(sql.is_ripe, asset, list(kinds), int(now.timestamp()), most, now - wait))


async def find(connection: Connection, keys: Iterable[Key], for_update: bool = False) -> dict[Key, Tracked]:
    """Our authorizations among these; a key that is not ours is absent. `for_update`: locked in id order."""
    wanted = list(keys)
    rows = await connection.fetch(
        sql.find_for_update if for_update else sql.find,
        [key[0] for key in wanted],
        [key[1] for key in wanted],
        [key[2] for key in wanted],
    )
    found = [Tracked(from_row(row), row["state"], row["transaction_id"]) for row in rows]
    return {tracked.authorization.key: tracked for tracked in found}


async def finish(
    connection: Connection,
    ids: Sequence[UUID],
    state: Literal["settled", "skipped", "expired"],
    reasons: Sequence[str | None] | None = None,
) -> list[UUID]:
    """Give these authorizations their end. Returns those that had none yet; an end is for good."""
    given = list(reasons) if reasons is not None else [None] * len(ids)
    assert len(given) == len(ids)
    return [row["id"] for row in await connection.fetch(sql.finish, list(ids), state, given)]


async def requeue(connection: Connection, transaction_ids: Iterable[UUID]) -> list[UUID]:
    """Queue again what finally reverted transactions carried: a revert has spent no nonce. Returns their ids."""
    return [row["id"] for row in await connection.fetch(sql.requeue, list(transaction_ids))]


async def overdue(
    connection: Connection, assets: Collection[str], timestamp: int, limit: int = 500
) -> list[Authorization]:
    """Authorizations that no block after a final one of this time can settle, the longest over first.

    They have expired if the contract says so too: see `used`, then `lock_overdue`. One in doubt is left out.
    """
    return [from_row(row) for row in await connection.fetch(sql.overdue, list(assets), timestamp, limit)]


async def used(
    node: Node, contracts: Mapping[str, Contract], asked: Sequence[Authorization], at: int
) -> dict[UUID, bool]:
    """Whether the contract has used each of these, as of block `at`. Network only."""
    calls = [
        (
            contracts[one.asset].address,
            minted_data(one.nonce) if one.kind == "mint" else authorization_state_data(one.from_address, one.nonce),
        )
        for one in asked
    ]
    answers = await node.calls(calls, at) if calls else []
    if any(len(answer) != 32 for answer in answers):
        raise NodeUnavailable(f"it has no contract at block {at} where one was")
    return {one.id: any(answer) for one, answer in zip(asked, answers, strict=True)}


async def lock_overdue(connection: Connection, ids: Iterable[UUID], timestamp: int) -> list[Authorization]:
    """Those of these that are overdue still, locked; one that another transaction is busy with is left for later."""
    return [from_row(row) for row in await connection.fetch(sql.lock_overdue, list(ids), timestamp)]


async def doubt(connection: Connection, ids: Sequence[UUID], reason: str) -> None:
    """Leave these without an end, for a reason that somebody has to look at; a log of theirs still settles them."""
    await connection.execute(sql.doubt, list(ids), reason)


async def withhold(connection: Connection, ids: Sequence[UUID]) -> None:
    """Put these, which are locked, into no further batch, and let none of them expire, until they are released."""
    if ids:
        await connection.execute(sql.withhold, list(ids))


async def release(connection: Connection, asset: str, valid_before: int) -> int:
    """Let what was withheld of the asset go on; returns how many. What nobody has signed yet has until `valid_before`,
    in Unix seconds, if that is later; what somebody has, the time that they signed.
    """
    return len(await connection.fetch(sql.release, asset, valid_before))


def from_row(row: Record) -> Authorization:
    return Authorization(
        id=row["id"],
        kind=row["kind"],
        asset=row["asset"],
        from_address=row["from_address"],
        to_address=row["to_address"],
        value=row["value"],
        nonce=row["nonce"],
        valid_before=row["valid_before"],
        signature=row["signature"],
        by=row["signed_by"],
    )
