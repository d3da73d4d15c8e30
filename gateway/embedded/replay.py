"""Replay a block: mine it again from its transactions, then give it its own header back.

anvil puts a random `mixHash` into every block it mines, so the hash would differ; and since EIP-2935 the state holds
the hashes, so each block must have its own before the next is mined.
"""

import gzip
from typing import Any, Final

import msgspec

from gateway.chain.errors import NodeUnavailable
from gateway.embedded.journal import Block, unpacked
from gateway.embedded.rpc import Rpc, Silent

#: The header's fields that a block's hash is made of, as anvil names them in a state.
_HEADER: Final = (
    *("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom", "difficulty"),
    *("number", "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce", "baseFeePerGas"),
    *("withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot", "requestsHash"),
)


async def replayed(rpc: Rpc, block: Block) -> bool:
    """Mine the block again. Returns whether everything that follows from its transactions is the same. Raises
    Silent.
    """
    try:
        await rpc("evm_setNextBlockTimestamp", block.timestamp)
        await rpc("anvil_setNextBlockBaseFeePerGas", block.header["baseFeePerGas"])
        for signed in block.transactions:
            await rpc("eth_sendRawTransaction", signed)
        await rpc("evm_mine")
        again = await rpc("eth_getBlockByNumber", "latest", True)
    except Silent:
        raise  # that says nothing about the block
    except NodeUnavailable:
        return False
    follows = ("number", "parentHash", "timestamp", "stateRoot", "transactionsRoot", "receiptsRoot", "gasUsed")
    if any(again[field] != block.header[field] for field in follows):
        return False
    await rpc("anvil_loadState", _crowned(block, again["transactions"]))
    return True


def _crowned(block: Block, transactions: list[dict[str, Any]]) -> str:
    """Return a state of this block alone, with its own header, as the head: anvil adds it to what it has."""
    header = block.header
    environment = {
        "number": header["number"],
        "beneficiary": header["miner"],
        "timestamp": header["timestamp"],
        "gas_limit": int(header["gasLimit"], 16),
        "basefee": int(header["baseFeePerGas"], 16),
        "difficulty": header["difficulty"],
        "prevrandao": header["mixHash"],
        "blob_excess_gas_and_price": {"excess_blob_gas": 0, "blob_gasprice": 1},
        "slot_num": 0,
    }
    header = {field: header[field] for field in _HEADER}
    body = [{"transaction": transaction, "impersonated_sender": None} for transaction in transactions]
    state = {
        "block": environment,
        "accounts": {},
        "best_block_number": block.number,
        "blocks": [{"header": header, "transactions": body, "ommers": []}],
        "transactions": [],
        "historical_states": None,
    }
    return "0x" + gzip.compress(msgspec.json.encode(state), 1).hex()


def restored(packed: bytes, blocks: list[Block], kept: int) -> bytes:
    """Return anvil's state, with its transactions in their original blocks, and at most the newest `kept` blocks."""
    state = msgspec.json.decode(b"".join(unpacked(packed)), type=dict[str, msgspec.Raw])
    inside = [msgspec.json.decode(one, type=dict[str, msgspec.Raw]) for one in _list(state["blocks"])]
    numbers = [int(msgspec.json.decode(one["header"])["number"], 16) for one in inside]
    minimum = max(numbers) - kept
    held = [one for one, number in zip(inside, numbers, strict=True) if number == 0 or number > minimum]

    mined = []
    hashes = {block.number: block.hash for block in blocks}
    for one in _list(state["transactions"]):
        transaction = msgspec.json.decode(one, type=dict[str, msgspec.Raw])
        number = msgspec.json.decode(transaction["block_number"])
        if number <= minimum:
            continue
        if true_hash := hashes.get(number):
            transaction["block_hash"] = msgspec.Raw(msgspec.json.encode(true_hash))
        mined.append(transaction)

    return msgspec.json.encode({**state, "blocks": held, "transactions": mined})


def _list(raw: msgspec.Raw) -> list[msgspec.Raw]:
    return msgspec.json.decode(raw, type=list[msgspec.Raw])
