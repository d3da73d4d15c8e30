"""HTTP requests to URLs chosen by others: webhook endpoints, and the push services of browsers.

    allowed.py            which URLs and addresses are allowed        (pure)
    guarded_connector.py  connect to an allowed address only
    http_client.py        one POST within limits of time and size
    failure.py            why there was no answer

Anybody who may set a URL chooses what the workers connect to (server-side request forgery). Nothing is sent to an
address that is not public, unless the settings allow it.
"""
