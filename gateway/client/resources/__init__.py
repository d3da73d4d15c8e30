"""The calls of the client, one module for each topic.

payments.py       pay, preview, capture, void, refund, wait
requests.py       ask for money, pay or decline a request
bank.py           deposit, withdraw, convert
wallet.py         balances, entries and statements
handles.py        look up and claim handles
events.py         list events, and stream them
webhooks.py       endpoints, deliveries, and verifying what they get
notifications.py  what the owner is told, and where
grants.py         API keys and mandates
protection.py     the policy, sessions and passkeys
"""
