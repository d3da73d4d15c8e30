"""What the node, the chain and the relayers refuse."""

from dataclasses import dataclass

from gateway.errors import Conflict, Refused, Unavailable


@dataclass(eq=False)
class NodeUnavailable(Unavailable):
    """There is no answer, or none that can be used."""

    reason: str
    says = "the Ethereum node does not answer: {reason}"


class NodeRefused(NodeUnavailable):
    """The node answered with an error of its own; `reason` is in its words."""

    says = "the Ethereum node answers with an error: {reason}"


class NodeBehind(NodeUnavailable):
    """The node has not reached what it is asked about."""

    says = "the Ethereum node is behind: {reason}"


class NodeContradiction(NodeUnavailable):
    """Two answers of the node cannot both be true: its chain moved between them, or two backends gave them."""

    says = "the Ethereum node's answers do not agree: {reason}"


@dataclass(eq=False)
class ChainReplaced(Refused):
    """What we saw as final is not on this chain: never go on over the old ledger by ourselves."""

    reason: str
    says = (
        "this is not the chain the ledger was kept with: {reason}. Nothing was changed. Point GATEWAY_RPC_URL at the "
        "right node, restore the chain's state, or start over with another GATEWAY_HOME and database"
    )


@dataclass(eq=False)
class RelayerStopped(Refused):
    relayer: str
    reason: str
    says = "the relayer {relayer} is stopped: {reason}"


@dataclass(eq=False)
class NoRelayer(Unavailable):
    """Of all relayers that we have keys for, none can carry anything before somebody has done something."""

    reasons: tuple[str, ...]
    says = "payments stay queued, since no relayer can carry them: {reasons}"


@dataclass(eq=False)
class RelayerNotResumable(Conflict):
    relayer: str
    reason: str
    says = "the relayer {relayer} is left as it is: {reason}"


@dataclass(eq=False)
class InvalidSignature(Refused):
    signer: str
    reason: str
    says = "this is not a signature of {signer}: {reason}"
