"""Requests to URLs that strangers give us: webhook endpoints, and the push services of browsers.

    address.py      which URLs and addresses are refused        (pure)
    failure.py      why there was no answer
    http_client.py  one POST, to an address that is allowed, held to limits

Whoever may name a URL chooses what our workers connect to (server-side request forgery). Nothing is sent to an address
that is not public, unless the settings allow it.
"""
