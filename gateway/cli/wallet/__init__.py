"""The commands for a wallet, over the same HTTP API as everybody else.

wallet.py      the commands: arguments, examples
protection.py  what goes without approval, and that a payment was not one's own
requests.py    asking others for money, and what others ask
grants.py      what programs and others may: api-keys and mandates
webhooks.py    where events are sent, and a way to try a receiver
notifications.py  what people are told, and where it is sent
events.py      a wallet's events, followed
calls.py       asking for a handle, and showing the answer
client.py      each call, over gateway.client
key_file.py    the file of a handle's API key
errors.py      what asking the gateway can come to
printout.py    what the commands print for people
tour.py        the first start: three handles, some money, a payment on each rail
"""
