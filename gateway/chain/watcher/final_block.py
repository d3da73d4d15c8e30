"""Which block is final under the configured policy, and what a block that is not final waits for."""

from gateway.chain.block import Block
from gateway.chain.node import Node


async def newest(node: Node, finality: int | None) -> Block | None:
    """Return the newest final block under this policy; None if there is none."""
    if finality is None:
        return await node.block("finalized")
    head = await node.block("latest")
    return None if head is None or head.number < finality else await node.block(head.number - finality)


def waiting(final: Block | None, finality: int | None) -> str:
    """Return a sentence that says what a block waits for until it is final, with the setting that decides. Pure."""
    if finality is not None:
        return (
            f"It is final with {finality} blocks on top, as GATEWAY_FINALITY says; on a chain that makes no block "
            "without a transaction, 0 makes it final at once"
        )
    if final is None:
        return (
            "The node names no block as finalized, so nothing becomes final: set GATEWAY_FINALITY to how many blocks "
            "on top make a block final, such as 12"
        )
    return (
        f"The node's finalized block is {final.number}; on Ethereum a block is final after some 13 minutes. With "
        "GATEWAY_FINALITY set to a number, that many blocks on top make one final"
    )
