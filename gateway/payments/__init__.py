"""Payments on both rails: pay, hold, capture, refund, approve, convert.

    pay.py                   pay, and preview
    batch.py                 many payments of one payer in one call
    convert.py               fiat into tokens and back: mint and redeem
    approve.py               a payment approved by a passkey over its details, or refused
    policy_change.py         another policy: tightened at once, loosened with an approval
    draw.py                  draw by a mandate
    request_money.py         ask another wallet for money, decline or cancel it
    first_answer.py          a payment as it was when a call was answered whose answer is not kept
    restored.py              requests that repeat a payment which a restored database has lost
    ends/                    captures, voids, refunds, reports: the ends of a payment, and what becomes of it
    own_key/                 payments of wallets whose owners keep the key
    model/                   what a payment is, and its settings
    records/                 the rows of payments and conversions
    requests/                requests for money, and their rows
    payees/                  who is paid: one resolver for each way to name a payee
    checks/                  what a payment has to pass: one file for each check
    rails/                   what money moves by: one file for each rail
    timeline/                what each step of a payment did, for those who run the gateway
    settles/                 how payments and conversions settle, for gateway/settlement/

A token payment is a hold from the moment it is accepted; the hold is captured when its Transfer log is final, and given
back when the contract can never settle it any more. Nothing in between rests on memory: every step is a row, so the
gateway and the worker may be killed between any two.

Order inside a transaction, so that transactions cannot deadlock:

    idempotency keys               by wallet and key, those of a group in one statement
    API keys with caps             by origin
    wallets                        in id order; shared by payments that are only held, and by new requests
    policies                       in the order of their wallets
    a mandate                      that is drawn by
    requests                       that are paid, declined or cancelled, in id order
    the lease of a run             only where a run ends or withdrawals are unfrozen, and then differences and freezes
    the chain's cursor             only where a block range is written or an address bound, and then its challenge
    the relayer                    where a batch is stored, which waits for none, or a relayer stopped or resumed
    authorizations that are there  in id order; a batch's are claimed and never waited for
    payments                       in id order: all of a group, or of a batch or a block range with those they refund
    requests that they pay         in id order, where the payments are about to settle
    conversions                    in id order
    accounts not open yet          opened in the order of their codes
    transfers, then accounts       in id order, in one call of the ledger
    sweeps                         in id order, those to be tried again first of all
    nonces of new authorizations   by asset and address
    buckets of what was spent      in the order of their keys
    the wallet                     where its address changes
"""
