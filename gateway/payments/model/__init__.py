"""What a payment is, and its rows.

payment.py   what a payment is and what it may become           (pure)
route.py     which rail, why, at what fee, how soon             (pure)
note.py      a reference and metadata, for the caller's systems (pure)
settings.py  payment settings, and the kinds that there are     (pure)
rail.py      the protocol of rails                              (pure)
plain.py     a payment that no check concerns                   (pure)
records.py   rows to payments and conversions; the lists
search.py    a wallet's payments that fit a filter
"""
