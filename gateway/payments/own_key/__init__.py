"""Payments of wallets whose owners keep the key.

sign.py                  a payment that waits for the signature of its payer's own key
submit_authorization.py  a payment that was signed without the gateway
"""
