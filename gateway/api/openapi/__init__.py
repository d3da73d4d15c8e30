"""The OpenAPI document: what Litestar derives from the routes, completed with what their types do not tell.

document.py    the whole: title, tags, security schemes, components
operations.py  one operation: its description, parameters, body, answers and problems
schemas.py     the schemas of requests and answers
"""
