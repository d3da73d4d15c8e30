"""The commands for a wallet. They use the public HTTP API.

wallet.py      the commands: arguments, examples
protection.py  show the policy, and report a payment as unauthorized
requests.py    request money, and pay or decline requests
grants.py      api-keys and mandates
webhooks.py    webhook endpoints and deliveries, and testing a receiver
notifications.py  notifications, their addresses and settings
events.py      follow a wallet's events
calls.py       make calls for a handle, and show the answers
client.py      each call, over gateway.client
key_file.py    the file of a handle's API key
errors.py      the errors of calls
printout.py    the output of the commands for people
tour.py        the first start: three handles, some money, a payment on each rail
"""
