"""The pages of a wallet's owner, each made of what the API answers them.

home.py          what there is, and what was paid lately; the front page for whoever has not signed in
pay.py           whom, how much, and a last look before it is paid
requests.py      asking for money, and what others ask
receive.py       a QR code and a link to be paid by
bank.py          money from the bank, to the bank, and between a currency and its token
statements.py    what a period began with, each entry, and what it ended with; as files, too
payments.py      every payment, and each on its own
notifications.py what the owner is told of
people.py        whom a wallet has paid or was paid by lately
total.py         what a wallet has in a currency, now and in the last 30 days
settings/        all that can be set, a page each
"""
