"""The model of a payment. Pure.

payment.py        what a payment is and what it may become
conversion.py     one asset of a wallet into another
proposed.py       a payment before any money moves
route.py          which rail, why, at what fee, how soon
state.py          the states of a payment
rail.py           the protocol of rails
rail_settings.py  what every rail gets of the configuration, and what a payer pays on top
settings.py       that, and the kinds that are registered
policy.py         the policy of a wallet, as its owner has set it, and its limits where none are set
memo.py           the text that both sides see
note.py           a reference and metadata, for the caller's systems
plain.py          a payment of a key that no check applies to
payment_events.py its events, and what it was at each of them
"""
