"""Names of the kinds of audit events. Pure."""

from collections.abc import Mapping
from functools import cache

from gateway.web.language import say as said
from gateway.web.reader import Reader


def audit_name(kind: str, reader: Reader) -> str:
    """A kind of audit event in words; an unknown kind is returned as it is."""
    return _names(reader.locale).get(kind, kind)


@cache
def by_name(kind: str, reader: Reader) -> str:
    """The kind of an actor in words."""
    match kind:
        case "anyone":
            return reader.say("anyone")
        case "api_key":
            return reader.say("API key")
        case "session":
            return reader.say("session")
        case "passkey":
            return reader.say("passkey")
        case "recovery":
            return reader.say("recovery")
        case "operator":
            return reader.say("operator")
        case "worker":
            return reader.say("worker")
        case _:
            return reader.say("command")


def _names(locale: str) -> Mapping[str, str]:
    def say(text: str) -> str:
        return said(locale, text, {})

    return {
        "address.refused": say("An address was not bound"),
        "api_key.approved": say("API key approved"),
        "api_key.created": say("API key created"),
        "api_key.replaced": say("API key replaced"),
        "api_key.revoked": say("API key revoked"),
        "chain.reread": say("Blocks read again"),
        "contract.deployed": say("Contract deployed"),
        "handle.returned": say("Handle given back"),
        "ledger.corrected": say("Ledger corrected"),
        "mandate.approved": say("Mandate approved"),
        "mandate.granted": say("Mandate granted"),
        "mandate.revoked": say("Mandate revoked"),
        "master_key.retired": say("Master key retired"),
        "master_key.rotated": say("Master key rotated"),
        "notification_address.added": say("Address for notifications added"),
        "notification_address.failed": say("Address for notifications failed"),
        "notification_address.removed": say("Address for notifications removed"),
        "notification_preferences.changed": say("Notification settings changed"),
        "operator.added": say("Operator added"),
        "operator.approved": say("Proposal approved"),
        "operator.break_glass": say("Done by one operator in an emergency"),
        "operator.enrolled": say("Operator enrolled"),
        "operator.link_created": say("Sign-in link of the console printed"),
        "operator.proposed": say("Proposed"),
        "operator.refused": say("Operator refused"),
        "operator.revoked": say("Operator revoked"),
        "operator.role_changed": say("Operator's role changed"),
        "operator.signed_in": say("Operator signed in"),
        "passkey.added": say("Passkey added"),
        "passkey.revoked": say("Passkey revoked"),
        "passkey.stopped": say("Passkey stopped: it may have been copied"),
        "payment.approved": say("Payment approved"),
        "payment.declined": say("Payment declined"),
        "policy.changed": say("Limits changed"),
        "recovery.ended": say("Recovery ended"),
        "recovery.entered": say("Recovery begun"),
        "recovery.read": say("Chain read during a recovery"),
        "recovery_code.used": say("Recovery code used"),
        "recovery_codes.created": say("Recovery codes made"),
        "relayer.resumed": say("Relayer resumed"),
        "session.ended": say("Session ended"),
        "session.started": say("Signed in"),
        "sign_in_link.created": say("Sign-in link printed"),
        "wallet.bound": say("Address bound"),
        "wallet.closed": say("Wallet closed"),
        "wallet.created": say("Wallet created"),
        "wallet.freeze_expired": say("A freeze expired"),
        "wallet.frozen": say("Wallet frozen"),
        "wallet.key_exported": say("Private key exported"),
        "wallet.returned": say("Wallet given back"),
        "wallet.unfrozen": say("Wallet unfrozen"),
        "webhook.changed": say("Webhook changed"),
        "webhook.created": say("Webhook added"),
        "webhook.deleted": say("Webhook deleted"),
        "webhook.disabled": say("Webhook switched off by the gateway"),
        "webhook.retried": say("Webhook tried again"),
        "webhook.secret_rotated": say("Webhook's secret rotated"),
        "withdrawal.approved": say("Withdrawal approved"),
        "withdrawals.frozen": say("Withdrawals frozen"),
        "withdrawals.unfrozen": say("Withdrawals unfrozen"),
    }
