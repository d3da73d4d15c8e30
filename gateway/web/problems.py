"""Error messages for people: by an error's code, and by its kind where that says more.

An error's own sentence is in English and has its values (gateway/errors.py). English readers get it, with a capital and
a full stop, unless it tells a program what to send next: then they get the text of the code, as all others do. Pages
show errors only this way: the server by `why_of`, scripts by `why` (static/words.js). A code that is not here cannot
reach a page.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from gateway.errors import GatewayError, Unavailable
from gateway.http.answer.problems import problem_document
from gateway.notifications.texts.language import SOURCE
from gateway.web.language import say as said
from gateway.web.reader import Reader

#: Codes whose own sentence is for whoever wrote the program that asked: it names headers, accounts or formats, or says
#: to send the request again.
_FOR_PROGRAMS: Final = frozenset(
    (
        *("amount_too_precise", "approval_required", "grant_not_approved", "idempotency_key_in_progress"),
        *("idempotency_key_reused", "in_recovery", "internal_error", "invalid_amount", "payment_restored"),
        *("invalid_challenge", "own_key", "policy_changed", "self_payment", "unauthenticated", "unavailable"),
        *("unknown_asset", "unknown_handle", "unknown_payee", "wallet_frozen", "withdrawals_frozen"),
    )
)


def why_of(error: GatewayError, reader: Reader) -> str:
    """An error in words, for this reader."""
    document, known = problem_document(error), texts_of(reader.locale)
    return known.get(key_of(document), known.get(str(document["code"]), sentence(str(error))))


def why_for_operators(error: Unavailable, reader: Reader) -> str:
    """Why something that the gateway needs does not answer, for those who can see to it."""
    return sentence(str(error)) if reader.locale == SOURCE else why_of(error, reader)


def sentence(text: str) -> str:
    """What the API or a check says, as people write it: with a capital, unless it begins with a name, and a full stop.
    In scripts it is `sentence` of static/words.js.
    """
    text = text[0].upper() + text[1:] if re.match(r"[a-z]+(?:['’][a-z]+)?[ ,:;]", text) else text
    return f"{text}." if text and text[-1] not in ".!?…:" else text


def key_of(document: Mapping[str, object]) -> str:
    """The code of a problem, with its kind."""
    return str(document["type"]).removeprefix("urn:problem:gateway:")


def texts_of(locale: str) -> Mapping[str, str]:
    """The message of each code, and of each code with a kind (`invalid_request:memo`). In English it is of those alone
    whose own sentence is not for people.
    """
    texts = _texts(lambda text: said(locale, text, {}))
    return {key: text for key, text in texts.items() if locale != SOURCE or key in _FOR_PROGRAMS}


def _texts(say: Callable[[str], str]) -> Mapping[str, str]:
    return {
        "address_not_empty": say("There are still tokens at your address. Wait until they have moved."),
        "address_taken": say("This address belongs to another wallet already."),
        "amount_too_precise": say("This has more decimals than the currency."),
        "approval_required": say("This needs your passkey."),
        "asset_closed": say("This currency takes no new money."),
        "cap_exceeded": say("It is more than this key may pay."),
        "forbidden": say("This is not allowed here, or not yet."),
        "freeze_stays": say("The freeze stays until the books agree with the chain."),
        "grant_not_approved": say("It is from before you had a passkey: approve it first."),
        "handle_taken": say("Somebody has this handle, or one that looks like it. Choose another one."),
        "idempotency_key_in_progress": say("It is under way already. Wait a moment and look again."),
        "idempotency_key_reused": say("This form was used for something else. Open the page again."),
        "in_recovery": say("The gateway is being restored. Try again later."),
        "insufficient_funds": say("There is not enough money for this."),
        "internal_error": say("Something went wrong on our side. Try again."),
        "invalid_address": say("This is no address of Ethereum."),
        "invalid_amount": say("This is no amount. Write it like 12.50."),
        "invalid_challenge": say("This took too long. Press the button again."),
        "invalid_code": say("This is not the code that was sent, or it is over. Check it, or have another one sent."),
        "invalid_handle": say("A handle has 2 to 30 of a-z, 0-9 and _."),
        "invalid_link": say("This link is not valid any more."),
        "invalid_passkey": say("This passkey does not fit, or it signed something else. Try again."),
        "invalid_recovery_code": say("This is none of your recovery codes, or it was used already."),
        "invalid_request": say("The gateway did not take what was filled in. Check it."),
        "invalid_request:address": say("This is no address that messages can be sent to."),
        "invalid_request:confirm": say("Write it exactly as it stands there."),
        "invalid_request:days": say("Choose a first day, and a last one that is not before it."),
        "invalid_request:description": say("A name has up to 200 letters, signs and digits, on one line."),
        "invalid_request:policy": say("A limit is an amount, and a day's is at least a payment's."),
        "invalid_request:memo": say("What a payment is for has up to 280 letters, signs and digits, on one line."),
        "invalid_request:name": say("Give it a name of up to 60 letters, signs and digits."),
        "invalid_request:networks": say("Write networks such as 192.0.2.0/24, with a space between two."),
        "invalid_request:payee": say("A mandate is for somebody else."),
        "invalid_request:security": say("These guard your wallet: leave one way on by which they reach you."),
        "invalid_request:types": say("Choose what is sent."),
        "invalid_request:url": say("The address begins with https:// and is a public one."),
        "invalid_request:webhooks": say("A wallet has 20 webhooks at the most: delete one first."),
        "invalid_signature": say("The signature does not fit. Sign again."),
        "last_owner_key": say("This is the last key that does everything: make another one first."),
        "last_passkey": say("This is your only passkey: add another one first."),
        "mandate_exceeded": say("It is more than the mandate allows."),
        "not_found": say("This is not there any more."),
        "own_key": say("Your own key signs this payment: use your Ethereum wallet."),
        "payment_restored": say("This payment is from before a restore, and is looked at by people."),
        "payments_under_way": say("Payments are under way. Wait until they are settled."),
        "policy_changed": say("Your limits were changed elsewhere meanwhile. These hold now: change them again."),
        "refund_exceeds_payment": say("That is more than is left of this payment."),
        "request_limit": say(
            "Too many of your requests to this wallet are open. Cancel one, or wait until one is paid or declined."
        ),
        "request_limit:day": say("You have made too many requests today. Try again tomorrow."),
        "request_mismatch": say("This is not what was asked for. Open the request again."),
        "request_not_open": say("This request was paid, declined or taken back already."),
        "self_payment": say("That is you."),
        "state_conflict": say("That is not possible any more: it has changed meanwhile."),
        "statement_too_long": say("There are too many entries for a PDF: take the CSV file, or a shorter time."),
        "too_many_streams": say("Too many pages of yours are open. Close some."),
        "too_many_tries": say("That was tried too often. Wait a while."),
        "unauthenticated": say("You are signed out. Sign in again."),
        "unavailable": say("The gateway cannot do this at the moment. Try again soon."),
        "unknown_asset": say("This gateway has no such currency."),
        "unknown_handle": say("Nobody has this handle. Check how it is written."),
        "unknown_payee": say("Nobody has this handle. Check how it is written."),
        "wallet_frozen": say("Your wallet is frozen: money comes in, and nothing leaves until it is unfrozen."),
        "wallet_not_empty": say("There is still money in it, or something is under way."),
        "withdrawals_frozen": say("Withdrawals of this currency are stopped at the moment. Try again later."),
    }
