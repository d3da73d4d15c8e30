"""Roles and proposals in words. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.api.operators.views import FoundKind
from gateway.operators.proposals import ProposalState
from gateway.operators.roles import Kind, Role
from gateway.web.console.audit_words import audit_name, by_name
from gateway.web.reader import Reader


def helpers(reader: Reader) -> Mapping[str, Any]:
    """The functions that templates call, for this reader."""
    return {
        "role_name": lambda role: role_name(role, reader),
        "role_description": lambda role: role_description(role, reader),
        "kind_name": lambda kind: kind_name(kind, reader),
        "kind_description": lambda kind: kind_description(kind, reader),
        "kind_icon": _ICONS.__getitem__,
        "state_name": lambda state: state_name(state, reader),
        "found_name": lambda kind: found_name(kind, reader),
        "audit_name": lambda kind: audit_name(kind, reader),
        "by_name": lambda kind: by_name(kind, reader),
        "found_title": lambda searched_for: found_title(searched_for, reader),
    }


def role_name(role: Role, reader: Reader) -> str:
    match role:
        case "read_only":
            return reader.say("read only")
        case "support":
            return reader.say("support")
        case "finance":
            return reader.say("finance")
        case "security":
            return reader.say("security")


def role_description(role: Role, reader: Reader) -> str:
    """The description of a role, addressed to the operator."""
    match role:
        case "read_only":
            return reader.say("You see everything and change nothing.")
        case "support":
            return reader.say("You see everything, propose to freeze wallets, and send webhooks again.")
        case "finance":
            return reader.say(
                "You see everything, propose and approve limits and corrections of the ledger, unfreeze withdrawals "
                "and resume relayers."
            )
        case "security":
            return reader.say(
                "You see everything, and propose and approve freezes, limits, the end of a recovery and the return of "
                "handles."
            )


#: The icon of each kind.
_ICONS: Final[Mapping[Kind, str]] = {
    "wallet.freeze": "snow",
    "wallet.unfreeze": "undo",
    "wallet.limit": "sliders",
    "recovery.confirm": "check",
    "handle.return": "person",
    "ledger.correct": "swap",
}


def kind_name(kind: Kind, reader: Reader) -> str:
    match kind:
        case "wallet.freeze":
            return reader.say("Freeze a wallet")
        case "wallet.unfreeze":
            return reader.say("Unfreeze a wallet")
        case "wallet.limit":
            return reader.say("Change a wallet's limit")
        case "recovery.confirm":
            return reader.say("Confirm a recovery")
        case "handle.return":
            return reader.say("Return a lost handle")
        case "ledger.correct":
            return reader.say("Correct the ledger")


def kind_description(kind: Kind, reader: Reader) -> str:
    """The effect of a kind of proposal, in a sentence."""
    match kind:
        case "wallet.freeze":
            return reader.say("Nothing leaves the wallet. Money still comes in.")
        case "wallet.unfreeze":
            return reader.say("Ends every freeze of the wallet.")
        case "wallet.limit":
            return reader.say("Sets what a wallet with a passkey pays without its owner's approval.")
        case "recovery.confirm":
            return reader.say("What a restore lost was examined: token payments and claims go on.")
        case "handle.return":
            return reader.say("A handle that a restore lost can be claimed again.")
        case "ledger.correct":
            return reader.say("Posts a correcting transfer between two accounts.")


def state_name(state: ProposalState, reader: Reader) -> str:
    match state:
        case "open":
            return reader.say("waits for approval")
        case "approved":
            return reader.say("approved")
        case "expired":
            return reader.say("expired")
        case "withdrawn":
            return reader.say("withdrawn")


def found_name(kind: FoundKind, reader: Reader) -> str:
    """The kind of a search result in words."""
    match kind:
        case "wallet":
            return reader.say("Wallet")
        case "payment":
            return reader.say("Payment")
        case "proposal":
            return reader.say("Proposal")
        case "transaction":
            return reader.say("Transaction")


def found_title(searched_for: str, reader: Reader) -> str:
    """What a search text was read as, in words."""
    match searched_for:
        case "payment":
            return reader.say("The payment with this id")
        case "proposal":
            return reader.say("The proposal with this id")
        case "wallet":
            return reader.say("The wallet with this id")
        case "transaction":
            return reader.say("The transaction with this hash, and its payments")
        case "address":
            return reader.say("The wallet with this address")
        case "email":
            return reader.say("Wallets whose owner has confirmed this e-mail address")
        case _:
            return reader.say("The wallet with this handle")
