"""The settings of a wallet, one page each.

index.py           links to the other pages
devices.py         passkeys and sessions
recovery_codes.py  recovery codes
limits.py          the policy: payments that need no approval
mandates.py        mandates
keys.py            API keys
webhooks.py        webhooks and their deliveries
own_key.py         export the key of the address, or bind another address
notifications.py   notification settings by channel
unfreeze.py        unfreezing the wallet
close.py           closing the wallet
"""
