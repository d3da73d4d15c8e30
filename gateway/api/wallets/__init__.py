"""Routes for the caller's wallet.

wallets.py   balances and statement; export the wallet's private key
shapes.py    the types of requests and answers
views.py     functions that make answers from the packages' values
examples.py  examples of both in the OpenAPI document
"""
