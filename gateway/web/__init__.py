"""The pages that people see: sign up, sign in, the wallet, its notifications.

    pages.py  serves what lies in pages/ and static/
    pages/    HTML, the same for everybody: what is one's own is asked of the API by scripts
    static/   scripts and a style sheet of our own

Nothing is put together on the server, and a page's scripts write text and never HTML, so what somebody else wrote (a
memo, a passkey's name) cannot become part of a page. The Content-Security-Policy holds all of it to that: no script,
style, frame or connection but our own.
"""
