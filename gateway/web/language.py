"""The language of a page, and its texts.

Texts are written in English where they are used: `say("…")` in a template, `words("…")` in a script. Translations are
in `locale/`, gettext catalogues, from which scripts get theirs as a module (`/static/texts.th.js`).
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from babel.core import negotiate_locale
from litestar import Request

from gateway.notifications.texts.language import SOURCE, catalogue
from gateway.notifications.vocabulary import LOCALES

#: The name of each language in that language.
LANGUAGES: Final[Mapping[str, str]] = {"en": "English", "th": "ไทย"}

#: The cookie with the chosen language.
COOKIE: Final = "language"

assert LANGUAGES.keys() == set(LOCALES), "a language of notifications is one of pages, and the other way round"


def language_of(request: Request[Any, Any, Any]) -> str:
    """The language that the reader has chosen, or else their browser's (RFC 9110, 12.5.4), or else English."""
    chosen = request.cookies.get(COOKIE)
    if chosen in LANGUAGES:
        return str(chosen)
    wanted = _in_order(request.headers.get("accept-language", ""))
    return negotiate_locale(wanted, LANGUAGES, sep="-") or SOURCE


def texts_of(locale: str) -> Mapping[str, str]:
    """Every text of the pages in this language, by the English text; empty for English."""
    return {} if locale == SOURCE else catalogue(__package__, "pages", locale)


def say(locale: str, text: str, values: Mapping[str, object]) -> str:
    """The text in this language, with these values in its {placeholders}."""
    return texts_of(locale).get(text, text).format(**values)


def module_of(locale: str, problems: Mapping[str, str]) -> bytes:
    """The texts as a module for scripts, including the messages of the API's problems, by code."""
    kept = {"TEXTS": texts_of(locale), "PROBLEMS": problems}
    lines = [f"export const {name} = {json.dumps(of, ensure_ascii=False)};\n" for name, of in kept.items()]
    return "".join(lines).encode()


def _in_order(accepted: str) -> list[str]:
    """The languages of an Accept-Language field, preferred first."""
    weighed = []
    for one in accepted.split(",")[:20]:
        name, _, weight = one.partition(";q=")
        try:
            weighed.append((-float(weight or 1), name.strip()))
        except ValueError:
            continue
    return [name for weight, name in sorted(weighed, key=lambda one: one[0]) if name and weight < 0]
