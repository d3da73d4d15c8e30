"""Write an answer.

problems.py      the one table from error to status and problem type (RFC 9457)
descriptions.py  the meaning of each code, for people
headers.py       the security headers of every answer
content.py       content with an ETag and a Content-Security-Policy
"""
