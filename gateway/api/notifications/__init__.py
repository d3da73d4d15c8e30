"""Routes about notifications to people: what they are told, where, and by which channel.

notifications.py  list them, say that they were seen, choose which are sent
addresses.py      add, confirm, list and remove addresses; unsubscribe by a link
push.py           the key that browsers subscribe to, and their subscriptions
shapes.py         what comes in and goes out
views.py          how answers are made from the package's own values
examples.py       examples in the OpenAPI document

Only the owner says what is sent, and where. Whoever may read the wallet sees its notifications, and addresses in part.
"""
