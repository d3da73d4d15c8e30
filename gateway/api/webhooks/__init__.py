"""Routes about webhooks: where a wallet's events are sent, and what became of each delivery.

webhooks.py    create, list, change, delete endpoints; rotate a secret
deliveries.py  the delivery log; send events again; send a test event
shapes.py      what comes in and goes out, and how it is made
examples.py    examples in the OpenAPI document

Only the owner says where events are sent. A key with the scope `webhooks` sees that, and has things sent again.
"""
