"""What a payment is, and its rows.

payment.py        what a payment is and what it may become           (pure)
proposed.py       a payment before any money moves                   (pure)
route.py          which rail, why, at what fee, how soon             (pure)
state.py          the states of a payment                            (pure)
reason.py         why a payment needs an approval                    (pure)
fee.py            what a payer pays on top                           (pure)
rail.py           the protocol of rails                              (pure)
rail_settings.py  what every rail gets of the configuration          (pure)
settings.py       that, and the kinds that are registered            (pure)
policy.py         the policy of a wallet, as its owner has set it    (pure)
usual_limits.py   the limits of a policy where the owner set none    (pure)
note.py           a reference and metadata, for the caller's systems (pure)
plain.py          a payment of a key that no check applies to        (pure)
payment_events.py its events, and what it was at each of them        (pure)
records.py        rows to payments and conversions; the lists
search.py         a wallet's payments that fit a filter
"""
