"""Read a request strictly: anything that is not understood is refused, never guessed.

framing.py      where an HTTP/1.1 request ends                        (pure)
fields.py       header fields that change the meaning of a request    (pure)
parameters.py   query parameters: those that a route declares, once each
times.py        times in query parameters                             (pure)
cursor.py       cursors of lists                                      (pure)
body.py         a request's body, read strictly: one flat JSON object
json_faults.py  errors in a body, with the field's name
"""
