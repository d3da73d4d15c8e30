"""The documentation: Markdown that reads well in the repository, served at /docs by the gateway.

    markdown.py       a page's Markdown as HTML, its headings and its text      (pure)
    library.py        all pages, in their order, and the search in them         (pure)
    layout.py         the HTML around a page                                    (pure)
    api_reference.py  /openapi.json as a page                                   (pure)
    pages.py          the routes below /docs
    page.html         the skeleton of every page
    README.md         the contents list

Invariants:
  - a page is served without a script, and its Content-Security-Policy allows none;
  - HTML in Markdown is shown as text, and search terms are escaped;
  - all pages are known when the gateway starts: no request names a file.

Pages are read and rendered once, which takes a tenth of a second.
"""
