"""The pages of a wallet's owner, each made of what the API answers them.

home.py      what there is, and what was paid lately; the front page for whoever has not signed in
pay.py       whom, how much, and a last look before it is paid
receive.py   a QR code and a link to be paid by
bank.py      money from the bank, to the bank, and between a currency and its token
statements.py  what a period began with, each entry, and what it ended with; as files, too
payments.py  every payment, and each on its own
limits.py    what may be paid without asking
close.py     closing the wallet
unfreeze.py  unfreezing the wallet
own_key.py   the key of one's address, and an address of one's own
webhooks.py  webhooks, and what was sent to each
devices.py   passkeys, and where one is signed in
keys.py      API keys
mandates.py  who may draw
recovery_codes.py  for who has lost every passkey
settings.py  the ways to all that can be set
people.py    whom a wallet has paid or was paid by lately
total.py     what a wallet has in a currency, now and in the last 30 days
"""
