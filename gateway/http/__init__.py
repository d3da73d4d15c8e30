"""The parts that every route shares: strict reading of requests, problem answers, authentication. It has no rule about
money.

request/          read a request: its end, header fields, query parameters, body
answer/           write an answer: problems, headers, content for browsers
services.py       the services of handlers: database, settings, vault, node, clock
callers.py        authenticate the caller, and check that it may call the route
cookie.py         the session cookie
errors.py         errors of HTTP itself
proxies.py        the client's address, behind trusted proxies    (pure)
rate_limiting.py  count requests, and refuse too many
request_id.py     X-Request-Id
schema.py         schemas of texts in the OpenAPI document        (pure)
instrumentation.py data about a request for metrics, the access log (access_log.py) and traces (request_span.py)
"""
