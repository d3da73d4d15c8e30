"""Controls on what may leave a wallet. The package knows wallets, and no payments.

    wallet_freeze.py   freeze and unfreeze a wallet: why it is frozen, and until when

The checks of a payment that read these controls are in payments/.
"""
