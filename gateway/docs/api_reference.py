"""The API reference: /openapi.json as a page to read, by tag and operation. Pure.

An operation has its parameters on the left and, on a wide screen, an example on the right: the request as curl and its
answer. Objects and problems that many operations share are below them once, and are linked. Everything comes from the
document, and is escaped; descriptions are Markdown, in which HTML is text.
"""

import json
import shlex
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final
from urllib.parse import quote

from markdown_it import MarkdownIt
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers.data import JsonLexer
from pygments.lexers.shell import BashLexer
from pygments.lexers.special import TextLexer

from gateway.docs import layout
from gateway.docs.library import Page
from gateway.docs.markdown import Document, Section

Json = Any

_TITLE: Final = "API reference"

_MARKDOWN: Final = MarkdownIt("commonmark", {"html": False})
_SPANS: Final = HtmlFormatter(nowrap=True)
_JSON, _BASH, _TEXT = JsonLexer(), BashLexer(), TextLexer()


def page(document: Mapping[str, Json]) -> bytes:
    """The whole page."""
    return layout.whole(_TITLE, list(_main(document)), list(_contents(document)))


def searched(document: Mapping[str, Json]) -> Page:
    """The page as the search sees it: each operation, object and problem is a section."""
    return Page(layout.API_REFERENCE, "API", "", Document(_TITLE, "", list(_sections(document))))


def _sections(document: Mapping[str, Json]) -> Iterator[Section]:
    yield Section(1, _TITLE, "", document["info"]["description"])
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            takes = [_resolved(document, one)["name"] for one in operation.get("parameters", ())]
            text = " ".join([method.upper(), path, operation["description"], *takes])
            yield Section(3, operation["summary"], operation["operationId"], text)
    for name, schema in document["components"]["schemas"].items():
        if not name.endswith("Request"):
            text = " ".join([schema.get("description", ""), *schema.get("properties", ())])
            yield Section(3, name, f"object-{name}", text)
    for code, example in document["components"]["examples"].items():
        yield Section(3, code, f"problem-{code}", f"{example['summary']} {example['value']['detail']}")


def _main(document: Mapping[str, Json]) -> Iterator[str]:
    yield '<link rel="stylesheet" href="/static/reference.css">'
    yield '<div class="reference prose"><p class="group"><a href="/docs">Documentation</a></p><h1>API reference</h1>'
    yield f'<div class="introduction">{_prose(document["info"]["description"])}'
    yield '<p>For programs: <a href="/openapi.json">openapi.json</a> (OpenAPI 3.1).</p></div>'
    for tag in document["tags"]:
        name = escape(tag["name"])
        yield f'<section><h2 id="{_anchor(tag["name"])}">{name}</h2>{_prose(tag["description"])}'
        for method, path, operation in _operations(document, tag["name"]):
            yield from _operation(document, method, path, operation)
        yield "</section>"
    yield '<section><h2 id="objects">Objects</h2><p>What the calls answer, by name.</p>'
    for name, schema in document["components"]["schemas"].items():
        if not name.endswith("Request"):
            yield from _object(document, name, schema)
    yield "</section>"
    yield from _problems(document)
    yield "</div>"


def _contents(document: Mapping[str, Json]) -> Iterator[str]:
    """The contents list: the operations under their tags."""
    for tag in document["tags"]:
        links = "".join(
            f'<li><a href="#{operation["operationId"]}">{escape(operation["summary"])}</a></li>'
            for _, _, operation in _operations(document, tag["name"])
        )
        opened = " open" if tag is document["tags"][0] else ""
        yield f"<details{opened}><summary>{escape(tag['name'])}</summary><ul>{links}</ul></details>"
    yield '<ul><li><a href="#objects">Objects</a></li><li><a href="#problems">Problems</a></li></ul>'


# ---- operations -----------------------------------------------------------------------------------------------------


def _operations(document: Mapping[str, Json], tag: str) -> Iterator[tuple[str, str, Json]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if tag in operation["tags"]:
                yield method, path, operation


def _operation(document: Mapping[str, Json], method: str, path: str, operation: Json) -> Iterator[str]:
    name = operation["operationId"]
    parameters = [_resolved(document, one) for one in operation.get("parameters", ())]
    yield f'<article class="operation" id="{name}" aria-labelledby="{name}-title"><div class="takes">'
    yield f'<h3 id="{name}-title"><a href="#{name}">{escape(operation["summary"])}</a></h3>'
    yield f'<p class="call"><b class="{method}">{method.upper()}</b> <code>{_breakable(path)}</code></p>'
    yield _prose(operation["description"])
    if parameters:
        yield "<h4>Parameters</h4>"
        yield _table(_parameter(document, one) for one in parameters)
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        if media == "application/json":
            schema = content["schema"]
            listed = " <small>an array of</small>" if schema.get("type") == "array" else ""
            rows = list(_fields(document, _resolved(document, schema.get("items", schema))))
            yield f"<h4>Body{listed}</h4>"
            yield _table(rows) if rows else "<p>An empty object.</p>"
    yield from _answers(document, operation)
    yield '</div><div class="example">'
    yield _block("Request", _curl(document, method, path, operation, parameters), _BASH)
    for status, answer in operation["responses"].items():
        if status < "400":
            example = _first(answer)["example"]
            if "text/event-stream" in answer["content"]:
                text = "".join(f"{name}: {value}\n" for name, value in example.items())
                yield _block(f"Answer {status}, one event", text, _TEXT)
            elif "application/json" not in answer["content"]:
                yield _block(f"Answer {status}, a file", example.replace("\r\n", "\n"), _TEXT)
            else:
                yield _block(f"Answer {status}", json.dumps(example, indent=2, ensure_ascii=False), _JSON)
    yield "</div></article>"


def _first(answer: Json) -> Json:
    """The content of an answer in its first media type: JSON, or the text of a stream."""
    return next(iter(answer["content"].values()))


def _answers(document: Mapping[str, Json], operation: Json) -> Iterator[str]:
    yield '<h4>Answers</h4><dl class="answers">'
    for status, answer in operation["responses"].items():
        if status < "400":
            schema = _first(answer)["schema"]
            said = _inline(answer["description"])
            yield f"<dt>{status}</dt><dd>{_type(document, schema)} <span>{said}</span></dd>"
        else:
            examples = _resolved(document, answer)["content"]["application/problem+json"]["examples"]
            codes = " ".join(f'<a class="code" href="#problem-{code}">{code}</a>' for code in examples)
            yield f"<dt>{status}</dt><dd>{codes}</dd>"
    yield "</dl>"


def _curl(document: Mapping[str, Json], method: str, path: str, operation: Json, parameters: list[Json]) -> str:
    """The example of a request, for a shell that has an API key or an operator's token."""
    query = []
    headers = {"api_key": "Authorization: Bearer $API_KEY", "operator": "Authorization: Bearer $OPERATOR_TOKEN"}
    lines = [f'-H "{headers[scheme]}"' for scheme in (operation["security"] or [{}])[0]]
    for one in parameters:
        example = str(_resolved(document, one["schema"]).get("examples", [""])[0])
        if one["in"] == "path":
            path = path.replace(f"{{{one['name']}}}", quote(example))
        elif one["in"] == "query" and one.get("required"):
            query.append(f"{one['name']}={quote(example)}")
        elif one["in"] == "header":
            own = f"{operation['operationId']}-1"  # a key is for one request
            lines.append(f'-H "{one["name"]}: {own if one["name"] == "Idempotency-Key" else example}"')
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if method != ("post" if body else "get"):
        lines.insert(0, f"-X {method.upper()}")
    if body:
        lines.append(f"--json {shlex.quote(json.dumps(body['example'], indent=2, ensure_ascii=False))}")
    url = document["servers"][0]["url"] + path + ("?" + "&".join(query) if query else "")
    return " \\\n  ".join([f"curl {shlex.quote(url)}", *lines])


# ---- objects and problems -------------------------------------------------------------------------------------------


def _object(document: Mapping[str, Json], name: str, schema: Json) -> Iterator[str]:
    yield f'<article class="object" id="object-{name}"><h3><a href="#object-{name}">{name}</a></h3>'
    yield _prose(schema.get("description", ""))
    if "enum" in schema:
        yield f'<p class="values">{_values(schema["enum"])}</p>'
    rows = [(name, kind, False, said) for name, kind, _, said in _fields(document, schema)]
    if rows:
        yield _table(rows)
    yield "</article>"


def _problems(document: Mapping[str, Json]) -> Iterator[str]:
    yield '<section><h2 id="problems">Problems</h2><p>Every code, with an example of its detail.</p>'
    yield '<dl class="problems">'
    for code, example in document["components"]["examples"].items():
        value = example["value"]
        again = " · retryable" if value["retryable"] else ""
        yield f'<dt id="problem-{code}"><code>{code}</code> <small>{value["status"]}{again}</small></dt>'
        yield f"<dd>{_inline(example['summary'])}<p>{escape(value['detail'])}</p></dd>"
    yield "</dl></section>"


# ---- parts ----------------------------------------------------------------------------------------------------------


def _parameter(document: Mapping[str, Json], one: Json) -> tuple[str, str, bool, str]:
    schema = _resolved(document, one["schema"])
    where = "" if one["in"] == "query" else f" <small>{one['in']}</small>"
    said = _inline(one["description"])
    if "default" in schema:
        said += f" Default: <code>{escape(json.dumps(schema['default']))}</code>."
    elif "examples" in schema:
        said += f" Such as <code>{escape(str(schema['examples'][0]))}</code>."
    return f"<code>{escape(one['name'])}</code>{where}", _type(document, one["schema"]), bool(one.get("required")), said


def _fields(document: Mapping[str, Json], schema: Json, before: str = "") -> Iterator[tuple[str, str, bool, str]]:
    """The fields of an object, including those of objects nested in a request."""
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        said = _inline(field.get("description", ""))
        yield f"<code>{escape(before + name)}</code>", _type(document, field), name in required, said
        for reference in _references(field):
            if reference.endswith("Request"):
                inner = document["components"]["schemas"][reference]
                yield from _fields(document, inner, f"{before}{name}.")


def _table(rows: Iterator[tuple[str, str, bool, str]] | list[tuple[str, str, bool, str]]) -> str:
    lines = "".join(
        f'<dt>{name} <span class="type">{kind}</span>{" <b>required</b>" if required else ""}</dt><dd>{said}</dd>'
        for name, kind, required, said in rows
    )
    return f'<dl class="fields">{lines}</dl>'


def _type(document: Mapping[str, Json], schema: Json) -> str:
    """A type in words, with links to the types that it refers to."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        target = document["components"]["schemas"][name]
        if name.endswith("Request"):
            return "object"
        return f'<a href="#object-{name}">{name}</a>' + (" enum" if "enum" in target else "")
    if "anyOf" in schema:
        parts = [_type(document, one) for one in schema["anyOf"] if one.get("type") != "null"]
        nullable = " or null" if len(parts) < len(schema["anyOf"]) else ""
        return " or ".join(dict.fromkeys(parts)) + nullable
    if "enum" in schema:
        return " or ".join(f"<code>{escape(json.dumps(value))}</code>" for value in schema["enum"])
    match schema.get("type"):
        case "array":
            return f"array of {_type(document, schema.get('items', {}))}"
        case "object" if isinstance(schema.get("additionalProperties"), dict) and schema["additionalProperties"]:
            return f"object of {_type(document, schema['additionalProperties'])}"
        case kind:
            return escape(schema.get("format") or kind or "any")


def _references(schema: Json) -> list[str]:
    """The objects that a field refers to directly."""
    parts = schema.get("anyOf", [schema])
    return [one["$ref"].rpartition("/")[2] for one in parts if "$ref" in one]


def _values(values: list[str]) -> str:
    return " ".join(f"<code>{escape(value)}</code>" for value in values)


def _block(title: str, text: str, lexer: Lexer) -> str:
    shown = highlight(text, lexer, _SPANS).rstrip("\n")
    return f'<figure><figcaption>{title}</figcaption><pre tabindex="0"><code>{shown}</code></pre></figure>'


def _prose(text: str) -> str:
    return str(_MARKDOWN.render(text))


def _inline(text: str) -> str:
    return str(_MARKDOWN.renderInline(text))


def _breakable(path: str) -> str:
    """A path that can break at its slashes if it is too long."""
    return escape(path).replace("/", "<wbr>/")


def _anchor(tag: str) -> str:
    return "tag-" + tag.lower().replace(" ", "-")


def _resolved(document: Mapping[str, Json], value: Json) -> Json:
    """The value, or the value that it refers to (`$ref`)."""
    if "$ref" not in value:
        return value
    found: Json = document
    for step in value["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found
