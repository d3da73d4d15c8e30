"""Reading a request strictly: what is not understood is refused, never guessed.

framing.py      where an HTTP/1.1 request ends                        (pure)
fields.py       header fields that change what a request means        (pure)
parameters.py   query parameters: those that a route declares, once each
times.py        times in query parameters                             (pure)
cursor.py       where the next page of a list goes on                 (pure)
body.py         a request's body, read strictly: one flat JSON object
json_faults.py  what is wrong with a body, as an error with the field's name
"""
