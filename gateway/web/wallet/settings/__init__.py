"""All that the owner of a wallet can set, a page each.

index.py           the ways to the others
devices.py         passkeys, and where one is signed in
recovery_codes.py  for who has lost every passkey
limits.py          what may be paid without asking
mandates.py        who may draw
keys.py            API keys
webhooks.py        webhooks, and what was sent to each
own_key.py         the key of one's address, and an address of one's own
notifications.py   what is told, by which channel
unfreeze.py        unfreezing the wallet
close.py           closing the wallet
"""
