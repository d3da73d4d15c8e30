"""The pages at /docs: the contents page, every page, and a search that is an ordinary form."""

from collections.abc import Sequence
from typing import Any, Final

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

from gateway.docs import api_reference as api_reference_page
from gateway.docs import layout
from gateway.docs.library import Library
from gateway.docs.markdown import ROOT
from gateway.http.answer.content import HTML, Content

#: The policy of a page (Content Security Policy Level 3): it may load the gateway's styles and icon, and submit the
#: search. No script.
POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)

SEARCH: Final = f"{ROOT}/search"

_PAGE: Final[dict[str, Any]] = {"needs": "nothing", "counts": None}


def pages(library: Library) -> Sequence[HTTPRouteHandler]:
    """The handlers of all pages of the library. Each path that is served is a route, so nothing else is."""
    rendered = {page.url: _html(layout.page(library, page)) for page in library.pages() if page is not library.front}
    rendered[ROOT] = _html(layout.front(library))
    assert SEARCH not in rendered

    @get(sorted(rendered), include_in_schema=False, opt=_PAGE)
    async def documentation_page(request: Request[Any, Any, Any]) -> Response[bytes]:
        """A page of the documentation."""
        return rendered[request.url.path.rstrip("/")].answer(request)

    reference: list[Content] = []  # made from the application's own document, when it is first requested
    searched: list[Library] = []

    @get(layout.API_REFERENCE, include_in_schema=False, opt=_PAGE)
    async def api_reference(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The API reference."""
        if not reference:
            reference.append(_html(api_reference_page.page(request.app.state.document())))
        return reference[0].answer(request)

    @get(SEARCH, include_in_schema=False, opt=_PAGE)
    async def search_documentation(request: Request[Any, Any, Any]) -> Response[bytes]:
        """The sections that have every word of `q`."""
        asked = request.query_params.get("q", "")
        if not searched:
            searched.append(library.searching(api_reference_page.searched(request.app.state.document())))
        return _html(layout.results(library, asked, searched[0].search(asked))).answer(request)

    return [documentation_page, search_documentation, api_reference]


def _html(body: bytes) -> Content:
    return Content.of(body, HTML, POLICY)
