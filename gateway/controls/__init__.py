"""What may leave a wallet. Knows wallets, and no payment.

    wallet_freeze.py   a frozen wallet, why it is, and until when

The checks of a payment that read this are in payments/.
"""
