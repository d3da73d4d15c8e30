"""Routes for notifications to people: their list, addresses and preferences.

notifications.py  list them, mark them as seen, choose which are sent
addresses.py      add, confirm, list and remove addresses; unsubscribe by a link
push.py           the key that browsers subscribe to, and their subscriptions
shapes.py         the types of requests and answers
views.py          functions that make answers from the package's values
examples.py       examples in the OpenAPI document

Only the owner chooses what is sent, and where. Every credential that can read the wallet sees its notifications, and a
part of each address.
"""
