"""The message of each event that has a notification, and of the code that confirms an address. Pure.

A message says what happened, when, and to which object. If money leaves the wallet, it has the link "This wasn't me".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gateway.events import event_id
from gateway.events.log import LoggedEvent
from gateway.ids import show
from gateway.notifications.channels.channel import Link, Message
from gateway.notifications.kinds import Notification
from gateway.notifications.texts.language import Language


@dataclass(frozen=True, slots=True)
class Reader:
    """The reader of a message: the handle of the wallet, without the @, and the owner's language."""

    handle: str
    language: Language
    public_url: str


#: The title, and one or two sentences about what happened.
Words = tuple[str, str]


def message(
    notification: Notification,
    reader: Reader,
    report_url: str | None = None,
    unsubscribe: tuple[str, str] | None = None,
    falls_back_from: str | None = None,
) -> Message:
    """Return the message of a notification. `unsubscribe` are the URLs where a program and where people stop its kind;
    `falls_back_from` is the channel that could not send it.
    """
    say, event = reader.language.say, notification.event
    title, text = words(event, reader)
    lines = [text]
    if notification.kind.security:
        lines.append(
            say(
                "If this was not you, open your wallet and remove every session, key and address that you do not "
                "recognise."
            )
        )
    details = [(say("Wallet"), f"@{reader.handle}"), (say("When"), reader.language.time(event.at))]
    if event.kind.startswith("payment.") and event.subject is not None:
        details.append((say("Payment"), show("pay", event.subject)))
    links = [Link(say("This wasn't me"), report_url)] if report_url else []
    links.append(Link(say("Open your wallet"), f"{reader.public_url}/"))
    footer = [
        say(
            "You get this message because notifications for @{handle} are sent here. You choose which on your "
            "wallet's page.",
            handle=reader.handle,
        )
    ]
    if falls_back_from is not None:
        footer.insert(
            0,
            say(
                "This message could not be sent by {channel}, so it comes this way.",
                channel=channel_name(reader.language, falls_back_from),
            ),
        )
    return Message(
        id=message_id(event),
        wallet=reader.handle,
        kind=notification.kind,
        locale=reader.language.locale,
        at=event.at,
        title=title,
        lines=lines,
        details=details,
        links=links,
        footer=footer,
        unsubscribe_url=unsubscribe[0] if unsubscribe else None,
        unsubscribe=Link(say("Stop messages of this kind"), unsubscribe[1]) if unsubscribe else None,
    )


def code_message(id: str, code: str, reader: Reader, at: datetime) -> Message:
    """The code that confirms an address."""
    say = reader.language.say
    return Message(
        id=id,
        wallet=reader.handle,
        kind=None,
        locale=reader.language.locale,
        at=at,
        title=say("{code} is your code", code=code),
        lines=[
            say(
                "Enter this code in your wallet to have notifications for @{handle} sent to this address. It is good "
                "for 15 minutes.",
                handle=reader.handle,
            )
        ],
        code=code,
        footer=[say("If you did not ask for it, ignore this message. Nothing more is sent to you.")],
    )


def message_id(event: LoggedEvent) -> str:
    """Return the event's id: the same on every channel and at every try."""
    return event_id.show(event.number, event.at)


def channel_name(language: Language, channel: str) -> str:
    """Return the name that people use for a channel."""
    names = {"email": language.say("e-mail"), "push": language.say("push notification")}
    return names.get(channel, channel)


def words(event: LoggedEvent, reader: Reader) -> Words:
    """Return what happened, in words."""
    return _WORDS[event.kind](event.payload, reader)


def _amount(payload: Mapping[str, Any], reader: Reader) -> str:
    return reader.language.amount(payload["amount"], payload["asset"])


def _settled(payload: Mapping[str, Any], reader: Reader) -> Words:
    say, amount = reader.language.say, _amount(payload, reader)
    if payload["from"] != f"@{reader.handle}":
        return (
            say("You received {amount} from {payer}", amount=amount, payer=payload["from"]),
            say("{payer} paid you {amount}. The payment is final.", amount=amount, payer=payload["from"]),
        )
    return (
        say("You paid {amount} to {payee}", amount=amount, payee=payload["to"]),
        say("{amount} went from your wallet to {payee}.", amount=amount, payee=payload["to"]),
    )


def _held(payload: Mapping[str, Any], reader: Reader) -> Words:
    say, values = reader.language.say, {"amount": _amount(payload, reader), "payee": payload["to"]}
    return (
        say("{amount} is set aside for {payee}", **values),
        say("{payee} can collect up to {amount}. What is not collected comes back to you.", **values),
    )


def _queued(payload: Mapping[str, Any], reader: Reader) -> Words:
    say, values = reader.language.say, {"amount": _amount(payload, reader), "payee": payload["to"]}
    return (
        say("You are paying {amount} to {payee}", **values),
        say("A payment of {amount} to {payee} was accepted and is on its way.", **values),
    )


def _failed(payload: Mapping[str, Any], reader: Reader) -> Words:
    say, values = reader.language.say, {"amount": _amount(payload, reader), "payee": payload["to"]}
    return (
        say("Your payment to {payee} failed", payee=payload["to"]),
        say("{amount} could not be paid to {payee}. The money is in your wallet again.", **values),
    )


def _needs_approval(payload: Mapping[str, Any], reader: Reader) -> Words:
    say, values = reader.language.say, {"amount": _amount(payload, reader), "payee": payload["to"]}
    title = say("Approve a payment of {amount} to {payee}?", **values)
    if "expires_at" not in payload:
        return title, say("A payment of {amount} to {payee} waits. Approve or decline it in your wallet.", **values)
    until = reader.language.time(datetime.fromisoformat(payload["expires_at"]))
    return title, say(
        "A payment of {amount} to {payee} waits. Approve or decline it in your wallet until {time}.",
        time=until,
        **values,
    )


def _asked(payload: Mapping[str, Any], reader: Reader) -> Words:
    say, values = reader.language.say, {"amount": _amount(payload, reader), "payee": payload["to"]}
    return (
        say("{payee} asks you for {amount}", **values),
        say(
            "{payee} asks you to pay {amount}. Pay or decline it in your wallet; no money moves until you pay.",
            **values,
        ),
    )


def _declined(payload: Mapping[str, Any], reader: Reader) -> Words:
    say, values = reader.language.say, {"amount": _amount(payload, reader), "payer": payload["from"]}
    return (
        say("{payer} declined your request", payer=payload["from"]),
        say("{payer} declined your request for {amount}.", **values),
    )


def _observed(payload: Mapping[str, Any], reader: Reader) -> Words:
    say, amount = reader.language.say, _amount(payload, reader)
    if payload["from"] != f"@{reader.handle}":
        return (
            say("{amount} came to your address", amount=amount),
            say("{amount} came to your wallet's address from {payer}.", amount=amount, payer=payload["from"]),
        )
    return (
        say("{amount} left your address", amount=amount),
        say(
            "{amount} went from your wallet's address to {payee}, without this gateway.",
            amount=amount,
            payee=payload["to"],
        ),
    )


def _corrected(payload: Mapping[str, Any], reader: Reader) -> Words:
    say, amount = reader.language.say, _amount(payload, reader)
    title = say("Your balance was corrected")
    if payload["credit"].split(":")[1] == reader.handle:
        return title, say("The gateway's operators added {amount} to your wallet.", amount=amount)
    return title, say("The gateway's operators took {amount} from your wallet.", amount=amount)


def _deposit(payload: Mapping[str, Any], reader: Reader) -> Words:
    say, amount = reader.language.say, _amount(payload, reader)
    return (
        say("{amount} came in from the bank", amount=amount),
        say("{amount} from your bank is in your wallet.", amount=amount),
    )


def _withdrawal(payload: Mapping[str, Any], reader: Reader) -> Words:
    say, amount = reader.language.say, _amount(payload, reader)
    return (
        say("{amount} went out to the bank", amount=amount),
        say("{amount} went from your wallet to your bank.", amount=amount),
    )


def _signed_in(payload: Mapping[str, Any], reader: Reader) -> Words:
    say, me = reader.language.say, reader.handle
    by = {
        "passkey": say("Somebody signed in to @{handle} with a passkey.", handle=me),
        "ethereum": say("Somebody signed in to @{handle} with an Ethereum wallet.", handle=me),
        "recovery_code": say("Somebody signed in to @{handle} with a recovery code.", handle=me),
        "link": say("Somebody signed in to @{handle} with the link that the gateway printed.", handle=me),
    }
    return say("New sign-in to your wallet"), by[payload["sign_in_method"]]


def _session_stolen(payload: Mapping[str, Any], reader: Reader) -> Words:
    say = reader.language.say
    return (
        say("A session was ended"),
        say(
            "A session of your wallet was used by two browsers at once, so it was ended. One of them may not be yours."
        ),
    )


def _passkey(title: str, text: str) -> Callable[[Mapping[str, Any], Reader], Words]:
    return lambda payload, reader: (reader.language.say(title), reader.language.say(text, name=payload["name"]))


def _plain(title: str, text: str) -> Callable[[Mapping[str, Any], Reader], Words]:
    return lambda payload, reader: (reader.language.say(title), reader.language.say(text))


def _bound(payload: Mapping[str, Any], reader: Reader) -> Words:
    say = reader.language.say
    return (
        say("Your wallet has another address"),
        say("From now on, tokens for your wallet come to {address}.", address=payload["address"]),
    )


def _policy(payload: Mapping[str, Any], reader: Reader) -> Words:
    say = reader.language.say
    title = say("Your payment policy changed")
    if payload.get("limit") is not None:
        return title, say("The gateway's operators changed the limit on your wallet's payments.")
    return title, say("From now on, fewer payments need your approval.")


def _address(title: str, text: str) -> Callable[[Mapping[str, Any], Reader], Words]:
    def of(payload: Mapping[str, Any], reader: Reader) -> Words:
        channel = channel_name(reader.language, payload["channel"])
        return reader.language.say(title), reader.language.say(text, channel=channel)

    return of


def say(text: str) -> str:
    """Mark a text that is translated later."""
    return text


_WORDS: Final[Mapping[str, Callable[[Mapping[str, Any], Reader], Words]]] = {
    "payment.settled": _settled,
    "payment.held": _held,
    "payment.queued": _queued,
    "payment.failed": _failed,
    "payment.requires_confirmation": _needs_approval,
    "request.created": _asked,
    "request.declined": _declined,
    "token.observed": _observed,
    "ledger.corrected": _corrected,
    "deposit.settled": _deposit,
    "withdrawal.settled": _withdrawal,
    "session.started": _signed_in,
    "session.ended": _session_stolen,
    "passkey.added": _passkey(
        say("A passkey was added"), say("The passkey “{name}” can sign in to your wallet and approve payments.")
    ),
    "passkey.revoked": _passkey(say("A passkey was removed"), say("The passkey “{name}” no longer works.")),
    "passkey.stopped": _passkey(
        say("A passkey was stopped"),
        say("The passkey “{name}” seems to have been copied. It no longer works."),
    ),
    "api_key.created": _passkey(
        say("An API key was created"), say("Programs can use your wallet with the key “{name}”.")
    ),
    "api_key.replaced": _passkey(say("An API key was replaced"), say("A new key takes the place of the key “{name}”.")),
    "recovery_codes.created": _plain(
        say("You have new recovery codes"), say("Your earlier recovery codes no longer work.")
    ),
    "wallet.key_exported": _plain(
        say("Your wallet's private key was exported"),
        say("Anyone who has the key can take the tokens at your wallet's address."),
    ),
    "wallet.bound": _bound,
    "wallet.frozen": _plain(
        say("Your wallet is frozen"), say("No money leaves your wallet until it is unfrozen. Money still comes in.")
    ),
    "wallet.unfrozen": _plain(say("Your wallet can pay again"), say("Your wallet is not frozen any more.")),
    "wallet.freeze_expired": _plain(say("A freeze has ended"), say("A freeze of your wallet has expired.")),
    "policy.changed": _policy,
    "notification_address.added": _address(
        say("A notification address was added"),
        say("Notifications for your wallet are now also sent to a new address by {channel}."),
    ),
    "notification_address.removed": _address(
        say("A notification address was removed"),
        say("An address for notifications by {channel} was removed from your wallet. Nothing more is sent to it."),
    ),
    "notification_address.failed": _address(
        say("A notification address no longer works"),
        say("An address for notifications by {channel} no longer accepts messages. Add it again, or add another one."),
    ),
    "notification_preferences.changed": _plain(
        say("Your notification preferences changed"),
        say("The choice of notifications that your wallet sends was changed."),
    ),
}
