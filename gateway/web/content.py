"""Pages from templates, and their static files. They are read once; values in templates are escaped.

The Content-Security-Policy (Level 3) of a page allows only the gateway's own files and nothing inline; text never
becomes HTML or script (Trusted Types), the page cannot be framed, and forms are sent only to the gateway.
"""

from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Request, Response
from litestar.datastructures import Cookie
from markupsafe import Markup

from gateway.http.answer.content import HTML, Content
from gateway.web.language import LANGUAGES, language_of, module_of
from gateway.web.language import say as said
from gateway.web.problems import texts_of

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    "; require-trusted-types-for 'script'; trusted-types 'none'"
)

_TYPES: Final[Mapping[str, str]] = {
    "js": "text/javascript",
    "css": "text/css",
    "svg": "image/svg+xml",
    "png": "image/png",
    "webmanifest": "application/manifest+json",
}

#: htmx and its extensions, served as one script: it processes the page as soon as it runs, and ignores extensions that
#: are loaded later, including the one for the Content-Security-Policy.
_HTMX: Final = ("htmx.min.js", "ext/hx-csp.min.js", "ext/hx-sse.min.js")

#: How long a browser keeps a choice, in seconds.
_YEAR: Final = 31_536_000

#: The request headers that a page depends on (RFC 9110, 12.5.5).
_VARY: Final = "Accept-Language, Cookie"

_templates = Environment(
    loader=PackageLoader("gateway.web", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    auto_reload=False,
)


def fixed(request: Request[Any, Any, Any], name: str, status: int = 200) -> Response[bytes]:
    """The answer with a page that is the same for all readers of its language."""
    if status != 200:  # a missing page: a browser cannot have it in its cache
        page = _fixed(name, language_of(request), "/")
        answer = Response(page.body, status_code=status, headers=page.headers(), media_type=page.media_type)
    else:
        answer = _fixed(name, language_of(request), request.url.path).answer(request)
    answer.headers["Vary"] = _VARY
    return answer


def kept(name: str, value: str, public_url: str) -> Cookie:
    """A cookie that stores a choice for a year."""
    secure = public_url.startswith("https:")
    return Cookie(name, value=value, path="/", max_age=_YEAR, secure=secure, samesite="lax")


def render(name: str, locale: str, path: str, values: Mapping[str, object]) -> bytes:
    """Render a template in a language, with these values; `path` is the current page."""
    template = _templates.get_template(name)
    return template.render(
        **values,
        locale=locale,
        path=path,
        languages=LANGUAGES,
        say=lambda text, **inside: said(locale, text, inside),
        drawing=drawing,
    ).encode()


def drawing(name: str) -> Markup:
    """One of the icons of icons.svg, in the colour of the surrounding text."""
    return Markup('<svg class="stroke" aria-hidden="true"><use href="/static/icons.svg#{}"/></svg>').format(name)


def static(name: str) -> Content | None:
    """A script, the style sheet or an image; None if there is none with this name."""
    return _static().get(name)


def has_live_parts() -> bool:
    """Whether htmx is installed: without it, pages are not updated after they are loaded."""
    return "htmx.min.js" in _static()


@lru_cache(maxsize=64)
def _fixed(name: str, locale: str, path: str) -> Content:
    return Content.of(render(name, locale, path, {}), HTML, POLICY)


@cache
def _static() -> dict[str, Content]:
    found = {}
    for entry in files(__package__).joinpath("static").iterdir():
        _, _, kind = entry.name.rpartition(".")
        if kind in _TYPES:
            found[entry.name] = Content.of(entry.read_bytes(), _TYPES[kind], POLICY)
    parts = [files(__package__).joinpath("node_modules/htmx.org/dist", *name.split("/")) for name in _HTMX]
    if all(part.is_file() for part in parts):
        found["htmx.min.js"] = Content.of(b"\n;\n".join(part.read_bytes() for part in parts), _TYPES["js"], POLICY)
    for locale in LANGUAGES:
        found[f"texts.{locale}.js"] = Content.of(module_of(locale, texts_of(locale)), _TYPES["js"], POLICY)
    return found
