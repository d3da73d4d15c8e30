"""The token contract: encode its deployment and calls, decode its logs. Pure.

ABI and bytecode are those of `token.json`, compiled from contracts/src by scripts/compile. Topics and selectors are
computed from that ABI, so they cannot differ from what was compiled.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from eth_abi.abi import encode
from eth_hash.auto import keccak
from eth_utils.abi import abi_to_signature, event_abi_to_log_topic, function_signature_to_4byte_selector
from msgspec import Struct

from gateway.address import ZERO, checksum, to_bytes
from gateway.chain.block import TRANSFER, Log
from gateway.chain.token.failure import CANCELED, Failure, of_contract
from gateway.money import Asset

_TOKEN = json.loads(files(__package__).joinpath("token.json").read_text(encoding="utf-8"))
_ABI: list[dict[str, Any]] = _TOKEN["abi"]


def selector(name: str) -> bytes:
    """Return the selector, the first four bytes of a call, of the contract's only function of that name."""
    (function,) = (part for part in _ABI if part["type"] == "function" and part["name"] == name)
    return function_signature_to_4byte_selector(abi_to_signature(function))  # type: ignore[arg-type] # plain JSON


def _topic(name: str) -> bytes:
    (event,) = (part for part in _ABI if part["type"] == "event" and part["name"] == name)
    return event_abi_to_log_topic(event)  # type: ignore[arg-type] # plain JSON


@dataclass(frozen=True, slots=True)
class Contract:
    """One token's contract. `genesis_hash` is of block 0: it distinguishes local chains that have the same id."""

    asset: Asset
    chain_id: int
    address: str
    deployed_block: int
    genesis_hash: bytes

    @property
    def name(self) -> str:
        """The contract's name, which is also its EIP-712 domain's: the asset's code."""
        return self.asset.code


# ---- deploying and asking -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Roles:
    """The addresses that have each role at first. The admin grants and revokes roles afterwards."""

    admin: str
    minter: str
    relayer: str
    pauser: str
    freezer: str

    @staticmethod
    def all_of(address: str) -> "Roles":
        return Roles(address, address, address, address, address)


def deploy_data(asset: Asset, roles: Roles) -> bytes:
    """Return the bytes that create the contract of `asset`."""
    bytecode = bytes.fromhex(_TOKEN["bytecode"].removeprefix("0x"))
    types = ["string", "string", "uint8", "(address,address,address,address,address)"]
    who = (roles.admin, roles.minter, roles.relayer, roles.pauser, roles.freezer)
    return bytecode + encode(types, [asset.code, asset.code, asset.decimals, who])


_BALANCE_OF = selector("balanceOf")
_TOTAL_SUPPLY = selector("totalSupply")
_AUTHORIZATION_STATE = selector("authorizationState")
_MINTED = selector("minted")
_PAUSED = selector("paused")
_HAS_ROLE = selector("hasRole")
_GRANT_ROLE = selector("grantRole")

#: The calls that carry a batch, which only a relayer or a minter may make.
_BATCHES = {selector("settle"), selector("mint")}

#: The contract's roles: who may settle, who may mint, and who grants both.
RELAYER_ROLE, MINTER_ROLE, ADMIN_ROLE = keccak(b"RELAYER_ROLE"), keccak(b"MINTER_ROLE"), bytes(32)


def balance_of_data(address: str) -> bytes:
    """Encode a call that returns units. `as_int` decodes the answer of this and the calls below; 1 means true."""
    return _BALANCE_OF + _word_of(
        address
    )  # by hand: reconciliation calls it after every payment, and eth_abi took 19 µs


def total_supply_data() -> bytes:
    return _TOTAL_SUPPLY


def authorization_state_data(from_address: str, nonce: int) -> bytes:
    """Encode a call that returns whether the nonce is used: by a settlement, a cancellation, or a final skip."""
    return _AUTHORIZATION_STATE + _word_of(from_address) + nonce.to_bytes(32, "big")


def minted_data(reference: int) -> bytes:
    return _MINTED + reference.to_bytes(32, "big")


def paused_data() -> bytes:
    return _PAUSED


def has_role_data(role: bytes, address: str) -> bytes:
    return _HAS_ROLE + encode(["bytes32", "address"], [role, address])


def grant_role_data(role: bytes, address: str) -> bytes:
    """Encode the call by which an admin grants a role to the address; a second grant changes nothing."""
    return _GRANT_ROLE + encode(["bytes32", "address"], [role, address])


def is_batch(data: bytes) -> bool:
    """Return whether this call of a token's contract is one that only the gateway's relayers may make."""
    return data[:4] in _BATCHES


def _word_of(address: str) -> bytes:
    return bytes(12) + to_bytes(address)


def as_int(answer: bytes) -> int:
    assert len(answer) == 32
    return int.from_bytes(answer, "big")


# ---- what the logs say ----------------------------------------------------------------------------------------------


class Movement(Struct, frozen=True):
    """A movement of tokens. From the zero address it is a mint, to the zero address a redemption.

    `nonce` is that of the authorization that moved them, `reference` that of the mint; None if there was none.
    """

    asset_code: str
    from_address: str
    to_address: str
    value: int
    nonce: int | None
    reference: int | None
    block_number: int
    block_hash: bytes
    log_index: int
    transaction_hash: bytes


@dataclass(frozen=True, slots=True)
class Skip:
    """An authorization that the contract skipped. For a mint, `from_address` is zero and `nonce` is the reference.

    `ended` says whether the skip is final: its nonce is used, or it is a mint, which only the gateway could repeat. If
    it is not, something else decides: for `used_authorization` and `mint_already_used` the earlier movement or
    cancellation, for every other reason the expiry.
    """

    asset_code: str
    from_address: str
    nonce: int
    reason: Failure
    ended: bool


@dataclass(frozen=True, slots=True)
class Decoded:
    movements: list[Movement]
    skips: list[Skip]


_USED = _topic("AuthorizationUsed")
_CANCELED = _topic("AuthorizationCanceled")
_SKIPPED = _topic("AuthorizationSkipped")
_MINTED_LOG = _topic("Minted")
_MINT_SKIPPED = _topic("MintSkipped")

#: Reasons for which a mint fails finally, unless the gateway orders it again.
_MINT_ENDED = {"mint_reference_missing", "mint_too_large", "invalid_receiver", "account_frozen"}


def decode(contracts: Iterable[Contract], logs: Iterable[Log]) -> Decoded:
    """Decode the logs of one block range, in their order. Logs of other addresses are skipped.

    Logs are read with their neighbours of the same contract and transaction: AuthorizationUsed comes just before the
    Transfer it caused, Minted just after; AuthorizationCanceled comes just before a skip that has used the nonce, and
    alone if the payer cancelled.
    """
    by_address = {contract.address: contract for contract in contracts}
    ours = sorted((log for log in logs if log.address in by_address), key=lambda log: (log.block_number, log.log_index))
    decoded = Decoded([], [])
    for before, log, after in zip([None, *ours], ours, [*ours[1:], None], strict=False):
        code, topic = by_address[log.address].asset.code, log.topics[0]
        if topic == TRANSFER:
            used, minted = _beside(before, log, -1, _USED), _beside(after, log, 1, _MINTED_LOG)
            nonce, reference = used.topics[2] if used else None, minted.topics[2] if minted else None
            decoded.movements.append(_movement(code, log, nonce, reference))
        elif topic == _SKIPPED:
            canceled = _beside(before, log, -1, _CANCELED)
            ended = canceled is not None and canceled.topics[1:] == log.topics[1:]
            decoded.skips.append(Skip(code, _address(log.topics[1]), as_int(log.topics[2]), _reason(log.data), ended))
        elif topic == _MINT_SKIPPED:
            reason = _reason(log.data)
            decoded.skips.append(Skip(code, ZERO, as_int(log.topics[1]), reason, reason in _MINT_ENDED))
        elif topic == _CANCELED:
            skipped = _beside(after, log, 1, _SKIPPED)
            if skipped is None or skipped.topics[1:] != log.topics[1:]:
                decoded.skips.append(Skip(code, _address(log.topics[1]), as_int(log.topics[2]), CANCELED, True))
    return decoded


def _beside(neighbour: Log | None, log: Log, step: int, topic: bytes) -> Log | None:
    """Return the neighbour if it is the log `step` after this one, of the same contract and transaction, with this
    topic.
    """
    if neighbour is None or neighbour.address != log.address or neighbour.topics[0] != topic:
        return None
    here = (log.transaction_hash, log.log_index + step)
    return neighbour if (neighbour.transaction_hash, neighbour.log_index) == here else None


def _movement(asset_code: str, log: Log, nonce: bytes | None, reference: bytes | None) -> Movement:
    return Movement(
        asset_code=asset_code,
        from_address=_address(log.topics[1]),
        to_address=_address(log.topics[2]),
        value=as_int(log.data),
        nonce=None if nonce is None else as_int(nonce),
        reference=None if reference is None else as_int(reference),
        block_number=log.block_number,
        block_hash=log.block_hash,
        log_index=log.log_index,
        transaction_hash=log.transaction_hash,
    )


def _address(topic: bytes) -> str:
    return checksum(topic[12:])


def slug(error: str) -> str:
    """Return an error's name as a slug: ERC20InsufficientBalance becomes insufficient_balance."""
    return re.sub(r"(?<=.)([A-Z])", r"_\1", re.sub(r"^ERC\d+", "", error)).lower()


_REASONS = {
    function_signature_to_4byte_selector(abi_to_signature(part)): slug(part["name"])  # type: ignore[arg-type] # JSON
    for part in _ABI
    if part["type"] == "error"
}


def _reason(data: bytes) -> Failure:
    """Return the name, as a slug, of the error whose selector the log carries."""
    return of_contract(_REASONS.get(data[:4], f"unknown_{data[:4].hex()}"))
