"""Routes of webhooks: endpoints and their deliveries.

webhooks.py    create, list, change, delete endpoints; rotate a secret
deliveries.py  the delivery log; redeliver events; send a test event
shapes.py      the types of requests and answers
views.py       functions that make answers from the package's values
examples.py    examples in the OpenAPI document

Only the owner manages endpoints. A key with the scope `webhooks` can read them, redeliver, and send test events.
"""
