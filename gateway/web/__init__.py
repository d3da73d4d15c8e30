"""The pages that people see: sign up, sign in, the wallet, its notifications, the console of operators.

    pages.py    pages that are the same for everybody, and the files they name
    owned.py    pages of one's own: who may see them, and what a browser may do with them
    wallet/     those pages
    console/    pages for those who run the gateway
    avatar.py   the picture of a name
    design.py   every part that pages are made of, on one page
    content.py  what is made of a template, and what a browser may do with it
    language.py which language a page is written in
    reader.py   amounts and times as a reader writes them
    problems.py what an error says to people
    failures.py why a payment failed
    shown.py    what templates need to show people and payments
    templates/  the pages (Jinja), on one that has what all have
    static/     scripts, the style sheet and drawings of our own
    locale/     gettext catalogues; English is in the templates and scripts

A template escapes what is put into it, and a page's scripts write text and never HTML, so what somebody else wrote (a
memo, a passkey's name) cannot become part of a page. The Content-Security-Policy holds all of it to that.
"""
