"""What people do with money, on both rails.

    payment.py     what a payment is and what it may become          (pure)
    note.py        a reference and metadata, for whoever wrote them  (pure)
    route.py       which rail, why, at what fee, how soon            (pure)
    terms.py       payment settings, and the kinds that there are    (pure)
    once.py        idempotency keys: the first answer, again
    payees/        who is paid: one resolver for each way to name a payee
    pay.py         pay, and preview
    checks.py      what a payment has to pass: one list of checks, in one order
    check.py       what a check is
    spending.py    what counts against limits over time, in buckets
    caps.py        a check: what an API key with caps may pay        (its centre is pure)
    freeze.py      a check: withdrawals that are stopped by a difference, until they are let go on
    wallet_freeze.py  a check: no money leaves a frozen wallet
    grant_approval.py a check: a passkey stands behind what keys with caps and mandates pay
    policy.py      a check: what a wallet pays without asking        (its centre is pure)
    mandate.py     a check: what somebody may draw from another's wallet
    draw.py        draw by a mandate
    approve.py     a payment approved by a passkey over its details, or refused
    not_me.py      a payment that was somebody else's doing: its wallet is frozen
    undo.py        the end of the time in which a token payment can be stopped
    plain.py       a payment of a plain API key, as one statement takes many (pure)
    rail.py        what a rail is
    rails/         what money moves by: one rail in each file
    bulk.py        many payments of one payer in one call
    group.py       who arrives during a commit shares the next one
    finish.py      capture, void, expire: the ends of a held payment
    sign.py        a payment that waits for the signature of its payer's own key
    present.py     a payment that was signed without us, handed in
    bind.py        an address of its owner's own, in the place of a wallet's
    sweep.py       tokens that follow their wallet to it
    refund.py      give a settled payment back, whole or in part
    convert.py     fiat into tokens and back: mint and redeem
    settles/       how payments, conversions and sweeps settle, for gateway/settlement/: one module for each
    recovery.py    the chain has payments that a restored database has not
    reread.py      final blocks read again, and what the book lacks of them
    solvency.py    the book against the chain: what differs
    looks.py       that, all the time: whose turn it is, what was found, what is believed
    readiness.py   whether node and worker let token payments get on
    solvency.sql   the statements of these, and of freeze.py
    records.py     rows to payments and conversions; the lists
    payments.sql   the statements of the room

A token payment is a hold from the moment it is accepted; the hold is captured when its Transfer log is final, and given
back when the contract can never settle it any more. Nothing in between rests on memory: every step is a row, so the
gateway and the worker may be killed between any two.

Order inside a transaction, so that nobody waits in a ring:

    idempotency keys               by wallet and key, those of a group in one statement
    API keys with caps             by origin
    policies                       in the order of their wallets
    a mandate                      that is drawn by
    the turn to look               only where a look is ended or a freeze lifted, and then differences and freezes
    the chain's cursor             only where a block range is written or an address bound, and then its challenge
    the relayer                       where a batch is stored, which waits for none, or a relayer stopped or resumed
    authorizations that are there  in id order; a batch's are claimed and never waited for
    payments                       in id order: all of a group, or of a batch or a block range with those they refund
    conversions                    in id order
    accounts not open yet          opened in the order of their codes
    transfers, then accounts       in id order, in one call of the book
    sweeps                         in id order, those to be tried again first of all
    nonces of new authorizations   by asset and address
    buckets of what was spent      in the order of their keys
    the wallet                     where its address changes
"""
