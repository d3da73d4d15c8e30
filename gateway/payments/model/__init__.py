"""The model of a payment. Pure.

payment.py        a payment and its state machine
conversion.py     one asset of a wallet into another
proposed.py       a payment before any money moves
route.py          which rail a payment takes, why, its fee and its finality
state.py          the states of a payment
rail.py           the protocol of rails
rail_settings.py  the configuration that every rail gets
fee.py            the fee that a payer pays on top
settings.py       payment settings: that, and the registered rails, payee resolvers and settlers
policy.py         a wallet's policy, as its owner has set it, and the default limits
memo.py           the text that both sides see
note.py           a reference and metadata, for the caller's systems
plain.py          a payment of a key that no check applies to
payment_events.py its events, and the payment as it was at each of them
"""
