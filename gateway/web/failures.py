"""Why a payment failed, for people: by the code in its `failure` (gateway/chain/token/failure.py). Pure."""

from collections.abc import Callable, Mapping

from gateway.chain.token import failure
from gateway.web.language import say as said
from gateway.web.reader import Reader


def failure_of(code: str, reader: Reader) -> str:
    """A failure in words, for this reader: for a code that has none, that the token's contract refused."""
    return failures_in(reader.locale).get(code) or reader.say("The token's contract refused it.")


def failures_in(locale: str) -> Mapping[str, str]:
    """What is said of each code."""
    return _texts(lambda text: said(locale, text, {}))


def _texts(say: Callable[[str], str]) -> Mapping[str, str]:
    return {
        failure.EXPIRED: say("It was not settled in time."),
        failure.UNSIGNED: say("The payer did not sign it in time."),
        failure.CANCELED: say("The payer cancelled it on the chain."),
        failure.NONCE_USED_OTHERWISE: say("The payer's own key made another payment in its place."),
        failure.KEY_UNREADABLE: say("The gateway could not read the payer's key."),
        failure.INVALID_SIGNATURE: say("Its signature was not the payer's."),
        failure.REPORTED_UNAUTHORIZED: say("The payer said that they had not made it."),
        failure.PAID_BEFORE_RESTORE: say("The same payment was made before the gateway was restored."),
        "insufficient_balance": say("There were not enough tokens at the payer's address."),
        "account_frozen": say("The token's issuer has frozen the payer or the payee."),
        "invalid_receiver": say("Tokens cannot be paid to this address."),
        "invalid_authorization_time": say("It reached the chain too late."),
        "used_authorization": say("It was settled or cancelled before."),
        "mint_reference_missing": say("The token's contract issued nothing: its order had no reference."),
        "mint_already_used": say("The tokens were issued before."),
        "mint_too_large": say("The token's contract issues no such amount."),
    }
