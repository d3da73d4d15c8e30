"""Routes of webhooks: endpoints and their deliveries.

webhooks.py    create, list, change, delete endpoints; rotate a secret
deliveries.py  the delivery log; redeliver events; send a test event
shapes.py      what comes in and goes out
views.py       how answers are made from the package's own values
examples.py    examples in the OpenAPI document

Only the owner manages endpoints. A key with the scope `webhooks` can read them, redeliver, and send test events.
"""
