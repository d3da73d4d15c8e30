"""The pages of a wallet's owner, rendered from the API's answers.

home.py          balances and recent payments; the front page for visitors who have not signed in
pay.py           pay: the form, and a confirmation page
requests.py      requests for money, by the owner and by others
receive.py       a QR code and a link to receive money
bank.py          top up, withdraw, and convert between a currency and its token
statements.py    statements, also as files
payments.py      every payment, and each on its own
notifications.py the owner's notifications
people.py        people of recent payments
total.py         a wallet's total in a currency, now and over the last 30 days
settings/        the settings, one page each
"""
