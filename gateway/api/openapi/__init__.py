"""The OpenAPI document: what Litestar reads off the routes, and what their types alone do not say.

document.py    the whole: title, tags, security schemes, components
operations.py  one operation: its description, parameters, body, answers and problems
schemas.py     the schemas of requests and answers
"""
