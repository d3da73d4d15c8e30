"""Routes for the operators of the gateway: enrol, sign in, propose and approve.

operators.py  enrol, sign in; which operator is calling
proposals.py  propose and approve
shapes.py     what comes in and goes out
examples.py   examples of both in the OpenAPI document
"""
