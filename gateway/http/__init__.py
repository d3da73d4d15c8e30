"""What every route shares: reading requests strictly, answering problems, who calls. No rule about money is here.

request/          what reads a request: its end, header fields, query parameters, body
answer/           what writes an answer: problems, headers, content for browsers
services.py       what a handler is given: database, settings, vault, node, clock
callers.py        who is calling, and whether that is enough for the route
cookie.py         the cookie that a session lies in
errors.py         what HTTP refuses before anything is asked of a package
proxies.py        where a request comes from, behind trusted proxies    (pure)
rate_limiting.py  what a request counts as, and its refusal
request_id.py     X-Request-Id
schema.py         what the OpenAPI document shows of a value's text     (pure)
"""
