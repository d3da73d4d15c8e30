"""Roles in words. Pure."""

from gateway.operators.roles import Role
from gateway.web.reader import Reader


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


def role_says(role: Role, reader: Reader) -> str:
    """What somebody of this role does, as they are told it."""
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
