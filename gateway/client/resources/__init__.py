"""The calls of the client, one module for each topic.

payments.py       pay, preview, capture, void, refund, wait
requests.py       request money, pay or decline a request
bank.py           deposit, withdraw, convert
wallet.py         balances, entries and statements
handles.py        look up and claim handles
events.py         list events, and stream them
webhooks.py       endpoints, deliveries, and verifying webhooks
notifications.py  notifications, their addresses and preferences
grants.py         API keys and mandates
protection.py     the policy, sessions and passkeys
"""
