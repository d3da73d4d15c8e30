"""The states of a payment, in a module that imports nothing: API clients use them too. The transitions are in
payment.py.
"""

from enum import Enum


class State(Enum):
    """A payment's life. Ledger payments go from HELD to SETTLED in the transaction that accepts them.

    REQUIRES_CONFIRMATION ──confirm──> HELD ──settle────────────────────────────> SETTLED
       │ │└──decline─> DECLINED         │ └─queue─> QUEUED ─submit─> SUBMITTED ──settle──> SETTLED
       │ │                              │             │ └─── fail ───────┴── fail ──> FAILED
       │ └──────────── sign ────────────┼─────────────┘
       └─────expire──> EXPIRED          └─void──> VOIDED, ─expire─> EXPIRED

    A payment that needs its payer's approval begins at REQUIRES_CONFIRMATION with its money set aside: an approval
    confirms it, and in the same transaction it continues as if none had been needed (approve.py); its payer may decline
    it. From HELD a token payment goes to QUEUED at once, or when its undo window ends (undo_window.py).

    A payment of tokens whose payer keeps the key begins at REQUIRES_CONFIRMATION with its money set aside, and its
    signature queues it. From there and from QUEUED it may settle or fail too: whoever has the signed authorization can
    relay it, and its signer can spend its nonce otherwise.
    """

    REQUIRES_CONFIRMATION = "requires_confirmation"  #: Waits for its payer: to confirm it, or to sign it.
    HELD = "held"  #: The payer's money is set aside for it.
    QUEUED = "queued"  #: Its authorization waits to be sent to the chain.
    SUBMITTED = "submitted"  #: Its authorization is in a chain transaction, whose outcome is not final.
    SETTLED = "settled"  #: Final: the payee has the money.
    FAILED = "failed"  #: Final: the chain can never settle it; the payer has the money back.
    VOIDED = "voided"  #: Returned to the payer by a void.
    EXPIRED = "expired"  #: Returned to the payer because its time ran out.
    DECLINED = "declined"  #: Its payer declined to approve it, and has the money back.
