"""The operator roles and their rights. This is the only place that defines it.

Every operator reads everything. Proposals take two operators, one who may propose the kind and one who may approve it;
tasks are done by one. The role is read in the transaction that does the task (operators.py), so a role that was taken
away a moment ago has no effect any more. Pure.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from gateway.errors import Forbidden, InvalidRequest

Role = Literal["read_only", "support", "finance", "security"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

#: The operations that need two operators, on a wallet and on the gateway itself.
OfWallet = Literal["wallet.freeze", "wallet.unfreeze", "wallet.limit"]
Repair = Literal["recovery.confirm", "handle.return", "ledger.correct"]
Kind = Literal[OfWallet, Repair]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

#: The tasks that one operator does.
Task = Literal["withdrawals.unfreeze", "relayers.resume", "webhooks.redeliver"]
TASKS: Final[tuple[Task, ...]] = get_args(Task)


@dataclass(frozen=True, slots=True)
class Rights:
    """The rights of a role beyond reading."""

    proposes: Collection[Kind] = ()
    approves: Collection[Kind] = ()
    does: Collection[Task] = ()


_SUPPORT: Final[tuple[Kind, ...]] = ("wallet.freeze",)
_FINANCE: Final[tuple[Kind, ...]] = ("wallet.limit", "ledger.correct")
_SECURITY: Final[tuple[Kind, ...]] = (*get_args(OfWallet), "recovery.confirm", "handle.return")
_SUPPORT_DOES: Final[tuple[Task, ...]] = ("webhooks.redeliver",)
_FINANCE_DOES: Final[tuple[Task, ...]] = ("withdrawals.unfreeze", "relayers.resume")

RIGHTS: Final[Mapping[Role, Rights]] = {
    "read_only": Rights(),
    "support": Rights(proposes=_SUPPORT, does=_SUPPORT_DOES),
    "finance": Rights(_FINANCE, _FINANCE, _FINANCE_DOES),
    "security": Rights(_SECURITY, _SECURITY),
}


def read_role(text: str) -> Role:
    """Raises InvalidRequest."""
    known = next((one for one in ROLES if one == text), None)
    if known is None:
        raise InvalidRequest("role", f"{text[:60]!r} is not a role; there are: {', '.join(ROLES)}")
    return known


def check_propose(role: Role, kind: Kind) -> None:
    """Raises Forbidden."""
    if kind not in RIGHTS[role].proposes:
        raise _forbidden(role, f"proposes {kind}", [one for one in ROLES if kind in RIGHTS[one].proposes])


def check_approve(role: Role, kind: Kind) -> None:
    """Raises Forbidden."""
    if kind not in RIGHTS[role].approves:
        raise _forbidden(role, f"approves {kind}", [one for one in ROLES if kind in RIGHTS[one].approves])


def check_task(role: Role, task: Task) -> None:
    """Raises Forbidden."""
    if task not in RIGHTS[role].does:
        raise _forbidden(role, f"does {task}", [one for one in ROLES if task in RIGHTS[one].does])


def _forbidden(role: Role, what: str, others: Collection[Role]) -> Forbidden:
    return Forbidden(f"your role is {role}; an operator who {what} has the role {' or '.join(others)}")
