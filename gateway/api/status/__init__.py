"""Routes for everybody: solvency and health.

status.py    the routes
shapes.py    what goes out
views.py     how answers are made from the packages' own values
examples.py  examples of answers in the OpenAPI document
"""
