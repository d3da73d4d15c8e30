"""HTTP requests to URLs chosen by others: webhook endpoints, and the push services of browsers.

    address.py      which URLs and addresses are refused        (pure)
    failure.py      why there was no answer
    http_client.py  one POST, to an allowed address, within limits

Anybody who may set a URL chooses what the workers connect to (server-side request forgery). Nothing is sent to an
address that is not public, unless the settings allow it.
"""
