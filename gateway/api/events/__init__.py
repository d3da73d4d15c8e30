"""Routes about what happened to a wallet.

events.py      list events
stream.py      stream events as they happen
catalogue.py   every event type: what happened, and the kind of its object
shapes.py      an event, and its object as it was at that moment
views.py       builds both from the log's events, many at once
examples.py    examples in the OpenAPI document
"""
