"""The meaning of each problem's code, in a sentence for people: the reference page of errors shows it."""

from typing import Final

#: By code; a test checks that it has each code of problems.py, and nothing else.
DESCRIPTIONS: Final = {
    "invalid_request": "The body is not JSON or lacks a field; or a field, query parameter or header is unknown or "
    "repeated.",
    "idempotency_key_missing": "A call that moves money came without an `Idempotency-Key`.",
    "unauthenticated": "There is no API key or session, or it is not valid.",
    "forbidden": "The caller may not do this, such as refunding what they paid, or the key lacks the scope.",
    "approval_required": "This is done at once, and only with an approval by a passkey in the request.",
    "grant_not_approved": "A key with caps or a mandate is from before the wallet's first passkey, and the owner has "
    "not approved it.",
    "not_found": "It does not exist, or it is not the caller's.",
    "unknown_handle": "Nobody has this handle.",
    "unknown_payee": "Nobody can be paid by this name.",
    "method_not_allowed": "The path does not take this method; `allowed` has those it takes.",
    "insufficient_funds": "More was asked for than is available.",
    "handle_taken": "The handle belongs to somebody, could be confused with one that does, or is reserved.",
    "address_not_empty": "Tokens are left at your own address, which nobody but you can send once you bind another.",
    "address_taken": "The address belongs to a wallet, and does so for ever.",
    "nonce_taken": "Another authorization of the address has this nonce.",
    "payments_under_way": "Payments or conversions of the wallet are not settled yet.",
    "idempotency_key_in_progress": "The first request with this key is not answered yet.",
    "idempotency_key_reused": "The key was used for a different request.",
    "refund_exceeds_payment": "More was asked for than is left to refund.",
    "state_conflict": "The payment is in a state that this does not follow from.",
    "policy_changed": "The policy is not the `version` any more that it was changed from; nothing was changed.",
    "request_mismatch": "The payment is not what the request asks for; `field` is what differs.",
    "request_not_open": "The request was paid, declined or cancelled, has expired, or a payment of it is under way.",
    "request_limit": "Too many requests of the caller's are open to this wallet, or were made today.",
    "wallet_not_empty": "A wallet that still has money, or something under way, cannot be closed.",
    "wallet_frozen": "The wallet is frozen: no money leaves it, and money still comes in.",
    "mandate_exceeded": "More than may be drawn by the mandate now. Retryable if the next period has room.",
    "cap_exceeded": "More than the caps of the API key leave. Retryable for the cap of a day, at `again_at`.",
    "freeze_stays": "Withdrawals of this asset stay frozen, since something of it does not agree yet.",
    "withdrawals_frozen": "Withdrawals of this asset are stopped while a difference in the books is looked into.",
    "body_too_large": "The body is larger than 64 KiB.",
    "precondition_failed": "An `If-Match` or `If-None-Match` does not hold; nothing was done.",
    "unsupported_media_type": "The body is not `application/json` in UTF-8: a form, compressed, or with a byte order "
    "mark.",
    "amount_too_precise": "The amount has more decimals than the asset; nothing is rounded.",
    "invalid_address": "This is not an address that can be bound.",
    "invalid_amount": "The amount is not a positive decimal in a string; a number, a sign or an exponent is not.",
    "invalid_code": "The code does not confirm the address: it is another one, has expired, or was tried too often.",
    "invalid_challenge": "This is not the latest message made for this wallet, byte for byte, or it has expired.",
    "invalid_handle": "A handle has 2 to 30 of `a-z`, `0-9` and `_`.",
    "invalid_signature": "The signature is by another key or over another message, of the upper half (EIP-2), or a "
    "contract refuses it.",
    "own_key": "This needs a key that the wallet's owner keeps; the detail says how it is done instead.",
    "self_payment": "Payer and payee are the same wallet.",
    "invalid_passkey": "The passkey's answer has another origin, challenge or purpose, was used before, is not "
    "user-verified, or is of a clone: `type` says which.",
    "last_passkey": "The last passkey can be revoked only while a recovery code is left.",
    "last_owner_key": "The only key that acts as the owner cannot be revoked while there is no passkey.",
    "invalid_link": "This sign-in link was used, is older than a day, or is of a wallet that has a passkey.",
    "invalid_recovery_code": "This is not an unused recovery code of the wallet.",
    "too_many_streams": "The wallet, or this gateway process, has its limit of event streams open.",
    "too_many_tries": "Too many requests, sign-ins, sign-ups or guesses came from you; `Retry-After` says when to try "
    "again.",
    "unknown_asset": "The gateway does not have this asset.",
    "statement_too_long": "The period has more entries than a PDF is made of.",
    "asset_closed": "The asset was taken out of the settings. What there is of it can be paid, withdrawn and redeemed, "
    "but no new money comes in.",
    "payment_restored": "A restore lost the request, and the chain has the payment, with its `tx_hash`.",
    "in_recovery": "After a restore, token payments, withdrawals and new handles wait until the operators confirm.",
    "unavailable": "A part does not answer, or somebody else is using the same accounts. Send the request again with "
    "the same key.",
    "internal_error": "A mistake of the gateway, written to its log. Send the request again with the same key.",
}
