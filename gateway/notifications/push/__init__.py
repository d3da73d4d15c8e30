"""Encrypting and signing web pushes. channels/push.py sends them.

    encryption.py    encrypt a push's content for one browser (RFC 8291)
    vapid.py         the gateway's key, and its name to push services (RFC 8292)
    subscription.py  validate a browser's subscription

All of it is pure. A push service is a third party: it learns the gateway's name and when something is sent, never what.
"""
