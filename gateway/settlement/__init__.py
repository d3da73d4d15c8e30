"""Settlement: write final blocks into the ledger.

A Transfer log in a final block either settles an authorization that the gateway is waiting for, identified by payer and
nonce, or is an observation: somebody moved tokens with their own key. Each authorization belongs to a payment, a
conversion or a sweep, called a thing here. Each kind of thing implements `Settles` in its own package and is listed in
`PaymentSettings.settles`; this package does not know the kinds.

Invariants:
  - Every log is posted exactly once: the cursor moves in the transaction that writes a block range, and
    `observation_once` refuses a second posting of a log, also when a block is read again.
  - An authorization ends once. Its thing settles when a log says so. It fails when the contract has skipped it finally,
    when its nonce was used for something else, or when the contract says, at a final block after its expiry, that it
    was never used. Money is never released because nothing was seen.

Lock order in the transaction of a block range:
    the chain's cursor             so that block ranges are written one at a time
    authorizations                 those that are overdue (locked ones are left), then the range's, in id order
    things, kind by kind           in the order of `PaymentSettings.settles`, each kind in id order, and after payments
                                   the requests that they pay
    accounts not open yet          opened in the order of their codes
    chain transactions             those that are concluded, and the authorizations of those that reverted
    transfers, then accounts       in id order, in one call of the ledger
    nonces                         of new authorizations, and those that owners have used

A batch for the relayer (relay.py) has locked its relayer and claimed its authorizations; then it locks things, accounts
and so on, as above.

    settles.py       the protocol that each kind implements
    decision.py      decide what a block range settles               (pure)
    block_settlement.py  look up, decide, write
    relay.py         record a batch: what was submitted to the chain, and what was refused
    gas.py           post what the gateway's chain transactions cost
    relayer_accounts.py  list the relayer accounts, and resume a stopped one
    settlement.sql   the statements of the package
"""
