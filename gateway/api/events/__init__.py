"""Routes about what happened to a wallet.

events.py      list events
stream.py      events as they happen
catalogue.py   every type of event: when it is made, and what its object is
shapes.py      an event, and its object as it was at that moment
views.py       how both are made from the log's events, many at once
examples.py    examples in the OpenAPI document
"""
