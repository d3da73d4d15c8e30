"""The web pages: sign-up, sign-in, the wallet, its notifications, the operators' console.

    pages.py    pages that are the same for everybody, and their static files
    owned.py    pages of a signed-in owner: access, and their Content-Security-Policy
    wallet/     the owner's pages
    console/    pages for operators
    avatar.py   the avatar of a handle or an address
    design.py   all components of the pages, on one page
    content.py  render templates; the Content-Security-Policy
    language.py the language of a page
    reader.py   amounts and times in the reader's format
    problems.py what an error says to people
    failures.py why a payment failed
    shown.py    helpers of templates that show people and payments
    templates/  the templates (Jinja), based on one common template
    static/     scripts, the style sheet and icons
    locale/     gettext catalogues; English is in the templates and scripts

Templates escape the values in them, and scripts write text and never HTML, so other people's text (a memo, a passkey's
name) cannot become markup. The Content-Security-Policy enforces this.
"""
