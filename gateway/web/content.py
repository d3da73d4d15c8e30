"""Pages made of templates, and the files that they name. Read once; what is put into a template is escaped.

What a page may do is its Content-Security-Policy (Level 3): what is ours, and nothing inline; no text becomes HTML or a
script (Trusted Types), nobody frames it, and it sends no form but to us.
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

#: htmx and its extensions, served as one script: it looks at the page as soon as it runs, and does without an extension
#: that comes later, the one for the Content-Security-Policy included.
_HTMX: Final = ("htmx.min.js", "ext/hx-csp.min.js", "ext/hx-sse.min.js")

#: How long a browser keeps what was chosen, in seconds.
_YEAR: Final = 31_536_000

#: A page depends on them (RFC 9110, 12.5.5).
_VARY: Final = "Accept-Language, Cookie"

_templates = Environment(
    loader=PackageLoader("gateway.web", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    auto_reload=False,
)


def fixed(request: Request[Any, Any, Any], name: str, status: int = 200) -> Response[bytes]:
    """The answer with a page that is the same for everybody who reads its language."""
    if status != 200:  # it is not there, so there is none that a browser may have already
        page = _fixed(name, language_of(request), "/")
        answer = Response(page.body, status_code=status, headers=page.headers(), media_type=page.media_type)
    else:
        answer = _fixed(name, language_of(request), request.url.path).answer(request)
    answer.headers["Vary"] = _VARY
    return answer


def kept(name: str, value: str, public_url: str) -> Cookie:
    """A cookie by which a browser keeps what was chosen, for a year."""
    secure = public_url.startswith("https:")
    return Cookie(name, value=value, path="/", max_age=_YEAR, secure=secure, samesite="lax")


def render(name: str, locale: str, path: str, values: Mapping[str, object]) -> bytes:
    """A template in a language, with these values; `path` is where its reader is."""
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
    """One of the drawings of icons.svg, in the colour of the text around it."""
    return Markup('<svg class="stroke" aria-hidden="true"><use href="/static/icons.svg#{}"/></svg>').format(name)


def static(name: str) -> Content | None:
    """A script, the style sheet, an image; None where there is none of this name."""
    return _static().get(name)


def has_live_parts() -> bool:
    """Whether htmx is there: without it, pages are as they were when they were asked for."""
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
