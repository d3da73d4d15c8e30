"""Routes for a wallet's events.

events.py      list events
stream.py      stream events as they happen
catalogue.py   every event type: its meaning, and the kind of its object
shapes.py      an event, and its object as it was at that moment
views.py       builds both from the log's events, many at once
examples.py    examples in the OpenAPI document
"""
