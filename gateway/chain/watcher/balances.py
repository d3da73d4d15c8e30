"""Token balances of addresses at a final block, as the contract says. Network only.

Many balances are read by one call of code that lists them (balance_list.py); by a call each if the node refuses it.

Many nodes prune the state of a block after some minutes and keep its logs. Such a node is asked for the newest block,
and the movements in the logs since are subtracted.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

from gateway.address import ZERO
from gateway.chain.errors import NodeRefused, NodeUnavailable
from gateway.chain.node import Node
from gateway.chain.token import balance_list
from gateway.chain.token.contract import Contract, as_int, balance_of_data, decode, total_supply_data
from gateway.chain.watcher import watch


async def read(node: Node, contract: Contract, addresses: Sequence[str], number: int) -> list[int]:
    """Return the units that each address has at block `number`, in order. The zero address stands for the supply.

    Raises NodeBehind if the node has no such block yet, and NodeUnavailable.
    """
    if sum(one != ZERO for one in addresses) > 1:
        with suppress(NodeRefused):
            return await _listed(node, contract, addresses, number)
    asked = [total_supply_data() if one == ZERO else balance_of_data(one) for one in addresses]
    calls = [(contract.address, data) for data in asked]
    if not calls:
        return []
    try:
        return [_units(answer, number) for answer in await node.calls(calls, number)]
    except NodeRefused:
        head, answers = await node.calls_from(calls, number)
    since = await _moved(node, contract, number + 1, head)
    return [_units(answer, head) - since[one] for one, answer in zip(addresses, answers, strict=True)]


async def _listed(node: Node, contract: Contract, addresses: Sequence[str], number: int) -> list[int]:
    """Return the units as `read`, from as few calls as possible. Raises NodeRefused if the node has pruned the block's
    state or runs no such code.
    """
    holders = list(dict.fromkeys(one for one in addresses if one != ZERO))
    parts = [
        holders[start : start + balance_list.BALANCES_MAX]
        for start in range(0, len(holders), balance_list.BALANCES_MAX)
    ]
    calls: list[tuple[str | None, bytes]] = [(None, balance_list.code(contract.address, part)) for part in parts]
    if ZERO in addresses:
        calls.append((contract.address, total_supply_data()))
    answers = await node.calls(calls, number)
    units = {} if ZERO not in addresses else {ZERO: _units(answers.pop(), number)}
    for part, answer in zip(parts, answers, strict=True):
        listed = balance_list.balances(answer, len(part))
        if listed is None:
            raise NodeRefused("it does not run code that lists balances")
        units |= zip(part, listed, strict=True)
    return [units[one] for one in addresses]


async def _moved(node: Node, contract: Contract, first: int, last: int) -> Counter[str]:
    """Return how much each address has gained in these blocks; for the zero address, how much the supply has."""
    logs = await watch.logs_between(node, [contract.address], first, last)
    gained: Counter[str] = Counter()
    for one in decode([contract], logs).movements:
        gained[one.to_address] += one.value
        gained[one.from_address] -= one.value
    gained[ZERO] = -gained[ZERO]  # tokens that come from the zero address are issued
    return gained


def _units(answer: bytes, block: int) -> int:
    if len(answer) != 32:
        raise NodeUnavailable(f"it has no contract at block {block} where one was")
    return as_int(answer)
