"""Settlement: what final blocks say, written into the ledger.

A Transfer log in a final block is the end of something that the gateway waits for, known by payer and nonce, or it is
an observation: tokens that somebody moved with their own key. What waits is a thing of some kind: a payment, a
conversion, a sweep. Each kind implements `Settles` in a module of its own, in the package that it belongs to, and is
listed in `PaymentSettings.settles`; nothing here knows any of them.

Invariants:
  - Every log is posted exactly once: the cursor moves in the transaction that writes a block range, and
    `observation_once` refuses a second posting of a log, of a block that is read again too.
  - An authorization has one end, for good. Its thing settles when a log says so. It fails when the contract has skipped
    it for good, has used its nonce for something else, or says itself, at a final block after its time, that it never
    used it. Money never goes back because nothing was seen.

Lock order in the transaction of a block range:

    the chain's cursor             so that block ranges are written one at a time
    authorizations                 those that are overdue (busy ones are left for later), then the range's, in id order
    things, kind by kind           in the order of `PaymentSettings.settles`, each kind in id order
    accounts not open yet          opened in the order of their codes
    chain transactions             that are concluded, and the authorizations of those that reverted
    transfers, then accounts       in id order, in one call of the ledger
    nonces                         of authorizations that begin, and that owners have used

A batch for the relayer (relay.py) has locked its relayer and claimed its authorizations; then it locks things, accounts
and so on, as above.

    settles.py       the protocol: what a kind says of its things
    decision.py      what a block range comes to                           (pure)
    final_blocks.py  look up, decide, write
    relay.py         what was submitted to the chain, and what was refused
    gas.py           what the gateway's chain transactions cost
    relayer_accounts.py  how the relayer accounts stand, and letting a stopped one go on
    settlement.sql   the statements of the package
"""
