"""Errors of the node, the chain and the relayers."""

from dataclasses import dataclass

from gateway.errors import Conflict, Refused, Unavailable


@dataclass(eq=False)
class NodeUnavailable(Unavailable):
    """The node gave no answer, or none that can be used."""

    reason: str
    message = "the Ethereum node does not answer: {reason}"


class NodeRefused(NodeUnavailable):
    """The node answered with an error; `reason` is its text."""

    message = "the Ethereum node answers with an error: {reason}"


class NodeBehind(NodeUnavailable):
    """The node has not reached the block it is asked about."""

    message = "the Ethereum node is behind: {reason}"


class NodeContradiction(NodeUnavailable):
    """Two answers of the node contradict each other: its chain changed between them, or two backends gave them."""

    message = "the Ethereum node's answers do not agree: {reason}"


@dataclass(eq=False)
class ChainReplaced(Refused):
    """A block that was final is not on this chain: never continue the old ledger on it automatically."""

    reason: str
    message = (
        "this is not the chain the ledger was kept with: {reason}. Nothing was changed. Point GATEWAY_RPC_URL at the "
        "right node, restore the chain's state, or start over with another GATEWAY_HOME and database"
    )


@dataclass(eq=False)
class RelayerStopped(Refused):
    relayer: str
    reason: str
    message = "the relayer {relayer} is stopped: {reason}"


@dataclass(eq=False)
class NoRelayer(Unavailable):
    """No relayer whose key this process has can carry anything until an operator has acted."""

    reasons: tuple[str, ...]
    message = "no relayer can submit payments, so they stay queued: {reasons}"


@dataclass(eq=False)
class RelayerNotResumable(Conflict):
    relayer: str
    reason: str
    message = "the relayer {relayer} cannot be resumed: {reason}"


@dataclass(eq=False)
class InvalidSignature(Refused):
    signer: str
    reason: str
    message = "the signature is not {signer}'s: {reason}"
