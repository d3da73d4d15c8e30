"""What every route shares: reading requests strictly, answering problems, who calls. No rule about money is here.

services.py       what a handler is given: database, settings, vault, node, clock; and who is calling
body.py           a request's body, read strictly: one flat JSON object
json_faults.py    what is wrong with a body, as an error with the field's name
parameters.py     query parameters: those that a route declares, once each
fields.py         header fields that change what a request means        (pure)
framing.py        where an HTTP/1.1 request ends                        (pure)
headers.py        what every answer tells browsers
content.py        bytes with an ETag, and the headers that hold a browser to them
schema.py         what the OpenAPI document shows of a value's text   (pure)
cookie.py         the cookie that a session lies in
cursor.py         where the next page of a list goes on                 (pure)
times.py          times in query parameters                             (pure)
problems.py       the one table from error to status and problem type (RFC 9457)
meanings.py       what each of its codes means, for people
proxies.py        where a request comes from, behind trusted proxies    (pure)
rate_limiting.py  what a request counts as, and its refusal
request_id.py     X-Request-Id
"""
