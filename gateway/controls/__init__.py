"""Controls on money that leaves a wallet. The package does not depend on payments.

    wallet_freeze.py   freeze and unfreeze a wallet; the reasons and their expiry

The checks of a payment that read these controls are in payments/.
"""
