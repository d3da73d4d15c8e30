"""Payments on both rails: pay, hold, capture, refund, approve, convert.

    pay.py                   pay, and preview
    batch.py                 many payments of one payer in one call
    convert.py               fiat into tokens and back: mint and redeem
    approve.py               a payment approved by a passkey over its details, or refused
    policy_change.py         another policy: tightened at once, loosened with an approval
    draw.py                  draw by a mandate
    request_money.py         ask another wallet for money, decline or cancel it
    first_answer.py          the original answer of a retried call, where it is not stored but derived from the payment
    restored.py              requests that repeat a payment which a restored database has lost
    ends/                    captures, voids, refunds, expiry, and reports of unauthorized payments
    own_key/                 payments of wallets whose owners keep the key
    model/                   what a payment is, and its settings
    records/                 the rows of payments and conversions
    requests/                requests for money, and their rows
    payees/                  find the payee: one resolver for each way to name one
    checks/                  rules that refuse payments or require an approval: one file each
    rails/                   the ways money moves: one file for each rail
    timeline/                the steps of one payment, for operators
    settles/                 how payments and conversions settle, for gateway/settlement/

A token payment is a hold from the moment it is accepted; the hold is captured when its Transfer log is final, and
voided when the contract can no longer settle it. No step is kept in memory only: each is a row, so the gateway and the
worker may be killed between any two.

Order inside a transaction, so that transactions cannot deadlock:

    idempotency keys               by wallet and key, those of a group in one statement
    API keys with caps             by origin
    wallets                        in id order; FOR SHARE by payments that are only held, and by new requests
    policies                       in the order of their wallets
    the mandate                    of a draw
    requests                       that are paid, declined or cancelled, in id order
    the lease of a run             only where a run ends or withdrawals are unfrozen, and then differences and freezes
    the chain's cursor             only where a block range is written or an address bound, and then its challenge
    the relayer                    where a batch is stored (skips a locked one), or a relayer is stopped or resumed
    existing authorizations        in id order; those for a batch are claimed with SKIP LOCKED
    payments                       in id order: all of a group, or of a batch or a block range with those they refund
    requests that they pay         in id order, where the payments are about to settle
    conversions                    in id order
    accounts not open yet          opened in the order of their codes
    transfers, then accounts       in id order, in one call of the ledger
    sweeps                         in id order; those to be retried are locked before everything else
    nonces of new authorizations   by asset and address
    buckets of spending            in the order of their keys
    the wallet                     where its address changes
"""
