"""Writing an answer.

problems.py      the one table from error to status and problem type (RFC 9457)
descriptions.py  what each of its codes means, for people
headers.py       what every answer tells browsers
content.py       bytes with an ETag, and the headers that hold a browser to them
"""
