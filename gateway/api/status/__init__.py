"""Routes for everybody: solvency and health.

status.py    the routes
shapes.py    the types of answers
views.py     functions that make answers from the packages' values
examples.py  examples of answers in the OpenAPI document
"""
