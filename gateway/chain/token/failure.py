"""Why an authorization ended without its transfer. Pure.

A failure is a code: it stands in `failure` of the payment or conversion, and pages have words for it
(web/failures.py). Those that the gateway decides are here; those that the contract decides are the names of its errors
(contract.py). All failures are defined here, so each has a text.
"""

from typing import Final, NewType

#: A code of a failure.
Failure = NewType("Failure", str)

#: A final block after the expiry shows that it was never used.
EXPIRED: Final = Failure("expired")
#: Its payer did not sign it in time.
UNSIGNED: Final = Failure("unsigned")
#: Its payer has cancelled it at the contract.
CANCELED: Final = Failure("canceled")
#: Its nonce settled another transfer, which was signed with the payer's own key.
NONCE_USED_OTHERWISE: Final = Failure("nonce_used_otherwise")
#: The payer's key cannot be decrypted, so that nobody signs it.
KEY_UNREADABLE: Final = Failure("key_unreadable")
#: It was not signed by its payer. The contract has an error of this name, too.
INVALID_SIGNATURE: Final = Failure("invalid_signature")
#: Its payer reported the payment as unauthorized before it was sent.
REPORTED_UNAUTHORIZED: Final = Failure("reported_unauthorized")
#: The chain has the same payment from before the database was restored.
PAID_BEFORE_RESTORE: Final = Failure("paid_before_restore")

#: All of the above.
OF_GATEWAY: Final = frozenset(
    (
        *(EXPIRED, UNSIGNED, CANCELED, NONCE_USED_OTHERWISE, KEY_UNREADABLE),
        *(INVALID_SIGNATURE, REPORTED_UNAUTHORIZED, PAID_BEFORE_RESTORE),
    )
)


def of_contract(error: str) -> Failure:
    """The failure for an error of the contract: its name as a slug."""
    return Failure(error)
