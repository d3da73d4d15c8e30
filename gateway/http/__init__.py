"""What the API and the pages share of HTTP.

    content.py   bytes with an ETag, and the headers that hold a browser to them

Knows Litestar. Does not know payments, pages or routes.
"""
