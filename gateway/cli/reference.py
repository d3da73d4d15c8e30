"""The reference pages that are made from the code: errors, settings, commands, HTTP calls, events.

`scripts/reference` writes them into gateway/docs/reference/, and a test holds the committed files equal to what `pages`
returns. Pure: text in, Markdown out.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from inspect import cleandoc
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, Final

import rich_click as click
from msgspec import Struct, structs

from gateway import errors
from gateway.api.app import ROUTES
from gateway.api.events.catalogue import CATALOGUE
from gateway.api.events.shapes import OBJECTS
from gateway.config.settings import SETTINGS
from gateway.errors import GatewayError
from gateway.http.answer.descriptions import DESCRIPTIONS
from gateway.http.answer.problems import INTERNAL, Problem, problem_of

if TYPE_CHECKING:  # only processes that serve HTTP import litestar
    from litestar.handlers import HTTPRouteHandler

#: Columns of a line of prose, as on the other pages.
_WIDTH: Final = 125

_MADE_BY: Final = "[//]: # (Generated from the code by scripts/reference: edit the code, not this page.)"

#: Options that most commands have, described once at the top of the page of commands.
_COMMON: Final = ("--json", "--url")

_ERRORS: Final = """
A refused request is answered with `application/problem+json` (RFC 9457). `code` is stable and decides what a program
does. `type` is finer where one code has several causes. `retryable` says whether the same request may succeed later.
The values of the error stand beside them, money as a decimal string. `detail` is a sentence for people: the cause, the
value, the next step.
"""

_SETTINGS: Final = """
Settings are environment variables. They may also stand in the TOML file that `GATEWAY_CONFIG_FILE` names, in lower case
and without `GATEWAY_`, such as `port = 8000` and `currencies = ["EUR", "USD"]`; a variable takes precedence over the
file. Each has a default that needs nothing. The gateway does not start with an invalid value; it says
which setting it is and what it takes. `gateway config check` shows every value and where it comes from.
"""

_COMMANDS: Final = """
`gateway --help` lists the commands, and each answers `--help`. Results go to standard output, as JSON with `--json`. A
refusal is one sentence on standard error, and a status other than 0; status 4 means that a payment was accepted and
waits for its payer's approval or signature. Commands for a wallet use the HTTP API of the gateway that runs in the
home, or of another with `--url`.
"""

_CALLS: Final = """
Every call, and what its caller needs. A running gateway shows them at `/docs/api`, with fields, answers and examples,
and to programs at `/openapi.json`.

Send `Authorization: Bearer <api key>`, or the cookie of a [session](../guides/sign-in.md). A key needs the scope that
is named ([API keys](../guides/api-keys.md)); `owner` is the wallet's owner, `passkey` somebody who may add a passkey,
`operator` a signed-in [operator](../operate/operators.md). Calls marked \\* move money and need an `Idempotency-Key`
header, 1 to 255 visible characters; a refused request does not use it up. Fields marked ? may be left out.

Lists are newest first, in pages of `limit`: the `next_cursor` of one page is the `cursor` of the next.
[Events](../guides/events.md) are oldest first, with `after` and `before` instead; the keys and mandates of a wallet
are listed in full. `X-Request-Id` is returned: yours, or one that the gateway makes. Unknown fields and query
parameters are refused.
"""


_EVENTS: Final = """
Every type of [event](../guides/events.md), and the object in its `data`. Types and fields may be added; existing ones
are never changed or removed. Fields marked ? are absent where an event does not concern them. `/openapi.json` has each
type under `webhooks`, with the descriptions of all fields.
"""


def pages(commands: click.RichGroup) -> dict[str, str]:
    """Every generated page by its file name. `commands` is the whole command line."""
    return {
        "errors.md": errors_page(),
        "settings.md": settings_page(),
        "cli.md": cli_page(commands),
        "http.md": http_page(),
        "events.md": events_page(),
    }


def write(commands: click.RichGroup, folder: Path) -> None:
    """Write every generated page into the folder."""
    for name, text in pages(commands).items():
        (folder / name).write_text(text, encoding="utf-8")


# ---- events ---------------------------------------------------------------------------------------------------------


def events_page() -> str:
    types = [(f"`{name}`", f"[`{kind}`](#{kind})", said) for name, (kind, said) in CATALOGUE.items()]
    return _page(
        "Event types",
        _EVENTS,
        _table(("type", "object", "what happened"), types),
        *(part for name, kind in OBJECTS.items() for part in _object_section(name, kind)),
    )


def _object_section(name: str, kind: type[Struct]) -> Iterator[str]:
    yield f"## `{name}`"
    yield cleandoc(kind.__doc__ or "")
    fields = [f"`{one.encode_name}`{'' if one.required else '?'}" for one in structs.fields(kind)]
    yield fill(f"Fields: {', '.join(['`object`', *fields])}.", _WIDTH, break_on_hyphens=False)


# ---- errors ---------------------------------------------------------------------------------------------------------


def errors_page() -> str:
    kinds: dict[str, list[type[GatewayError]]] = {INTERNAL.code: []}
    for kind in errors.kinds():
        problem = problem_of_kind(kind)
        if problem is not INTERNAL:
            kinds.setdefault(problem.code, []).append(kind)
    codes = sorted(kinds)
    rows = [
        (f"[`{code}`](#{code})", str(_status(kinds[code])), _retryable(kinds[code]), DESCRIPTIONS[code])
        for code in codes
    ]
    return _page(
        "Errors",
        _ERRORS,
        _table(("code", "status", "retryable", "means"), rows),
        *(part for code in codes for part in _error_section(code, kinds[code])),
    )


def problem_of_kind(kind: type[GatewayError]) -> Problem:
    """The problem of an error of this class."""
    return problem_of(kind.__new__(kind))


def _status(kinds: list[type[GatewayError]]) -> int:
    return problem_of_kind(kinds[0]).status if kinds else INTERNAL.status


def _retryable(kinds: list[type[GatewayError]]) -> str:
    found = {problem_of_kind(kind).retryable for kind in kinds} or {INTERNAL.retryable}
    return "sometimes" if len(found) == 2 else "yes" if found == {True} else "no"


def _error_section(code: str, kinds: list[type[GatewayError]]) -> Iterator[str]:
    yield f"## `{code}`"
    yield fill(f"Status {_status(kinds)}. {DESCRIPTIONS[code]}", _WIDTH, break_on_hyphens=False)
    said = {_sentence(kind): _values(kind) for kind in kinds if kind.message not in (GatewayError.message, "{reason}")}
    if said:
        rows = [(sentence, ", ".join(f"`{name}`" for name in values)) for sentence, values in said.items()]
        yield _table(("detail", "values"), rows)


def _sentence(kind: type[GatewayError]) -> str:
    """The sentence of an error, with the names of its values in italics."""
    return re.sub(r"\{(\w+)[^}]*\}", r"*\1*", kind.message)


def _values(kind: type[GatewayError]) -> list[str]:
    return [field.name for field in fields(kind) if field.name != "kind"]


# ---- settings -------------------------------------------------------------------------------------------------------


def settings_page() -> str:
    rows = [(f"`{name}`", f"`{default}`" if default else "", meaning) for name, default, meaning in SETTINGS]
    return _page("Settings", _SETTINGS, _table(("setting", "default", "means"), rows))


# ---- commands -------------------------------------------------------------------------------------------------------


def cli_page(commands: click.RichGroup) -> str:
    parts = [_COMMANDS]
    for group in click.rich_click.COMMAND_GROUPS["gateway"]:
        parts.append(f"## {group['name']}")
        for name in group["commands"]:
            parts += _command_sections(commands.commands[name], f"gateway {name}")
    return _page("Commands", *parts)


def _command_sections(command: click.Command, path: str) -> Iterator[str]:
    told, _, example = cleandoc(command.help or "").partition("\b\nExample:\n")
    context = click.Context(command, info_name=path)
    usage = " ".join(piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]")
    yield f"### `{path}`"
    for paragraph in re.split(r"\n\s*\n", told.strip()):
        yield fill(paragraph, _WIDTH, break_on_hyphens=False)
    if usage:
        yield f"Arguments: `{usage}`"
    arguments = [
        (f"`{one.make_metavar(context)}`", str(getattr(one, "help", None) or ""))
        for one in command.params
        if isinstance(one, click.Argument)
    ]
    if arguments:
        yield _table(("argument", "means"), arguments)
    options = [_option(one) for one in command.params if isinstance(one, click.Option) and one.opts[0] not in _COMMON]
    if options:
        yield _table(("option", "means"), options)
    if example.strip():
        lines = [line.strip() for line in example.strip().splitlines()]
        yield "\n".join(("```bash", *lines, "```"))
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from _command_sections(inner, f"{path} {name}")


def _option(option: click.Option) -> tuple[str, str]:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    takes = "" if option.is_flag else f" `{option.metavar or option.type.name.upper()}`"
    must = " (required)" if option.required else ""
    return f"{names}{takes}", f"{option.help or ''}{must}"


# ---- HTTP calls -----------------------------------------------------------------------------------------------------


def http_page() -> str:
    by_tag: dict[str, list[tuple[str, ...]]] = {}
    for route in ROUTES:
        (tag,) = route.tags or ("other",)
        for method in sorted(route.http_methods):
            path = re.sub(r"\{(\w+):\w+\}", r"{\1}", min(route.paths))
            by_tag.setdefault(tag, []).append(
                (f"`{method} {path}`", route.summary or "", _body(route), _needs(route.opt))
            )
    parts = [part for tag, rows in by_tag.items() for part in (f"## {tag}", _table(_CALL, rows))]
    return _page("HTTP calls", _CALLS, *parts)


_CALL: Final = ("call", "does", "body", "needs")


def _body(route: "HTTPRouteHandler") -> str:
    """The fields of a call's JSON body; optional ones have a question mark."""
    data = route.parsed_fn_signature.parameters.get("data")
    if data is None or not issubclass(data.annotation, Struct):
        return ""
    return ", ".join(f"`{one.encode_name}`" + ("" if one.required else "?") for one in structs.fields(data.annotation))


def _needs(opt: Mapping[str, Any]) -> str:
    needs = "" if opt["needs"] == "nothing" else str(opt["needs"])
    return f"{needs} \\*" if "idempotency_key_missing" in opt.get("problems", ()) else needs


# ---- Markdown -------------------------------------------------------------------------------------------------------


def _page(title: str, *parts: str) -> str:
    return "\n\n".join((f"# {title}", _MADE_BY, *(part.strip() for part in parts))) + "\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
