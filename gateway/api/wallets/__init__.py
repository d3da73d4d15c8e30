"""Routes about what the caller has.

wallets.py   balances and statement; export the wallet's private key
shapes.py    what comes in and goes out
views.py     how answers are made from the packages' own values
examples.py  examples of both in the OpenAPI document
"""
