"""Query parameters: each route takes those that its handler declares, once each, and no others.

An unknown one is refused, not ignored: `?Mode=all` would pay part of a batch that was to be all or nothing. The names
come from the handlers' own signatures, as Litestar read them. Pages take any: their scripts read them, and links from
elsewhere have their own.

The error for a bad value names the parameter as it was sent, with the allowed values (`misfit`).
"""

from collections.abc import Iterable
from enum import Enum
from typing import Annotated, Any, Final, Literal, get_origin
from uuid import UUID

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.params import KwargDefinition, PathParameter, QueryParameter
from litestar.routes import BaseRoute, HTTPRoute
from litestar.typing import FieldDefinition

from gateway.errors import InvalidRequest, NotFound
from gateway.http.request.json_faults import one_of
from gateway.http.schema import typed_id
from gateway.ids import read

Cursor = Annotated[str | None, QueryParameter(description="The `next_cursor` of the page before.")]

Limit = Annotated[int, QueryParameter(ge=1, le=200, description="How many at the most.")]


def asset_parameter(description: str) -> QueryParameter:
    """Return a query parameter that names an asset."""
    return QueryParameter(name="asset", description=description, schema_extra={"examples": ["EUR"]})


def path_id(prefix: str, description: str) -> PathParameter:
    """Return a path parameter that is a TypeID with this prefix. Another text names nothing that exists: 404."""
    shown = typed_id(prefix, description)
    return PathParameter(
        description=description, schema_extra={"examples": shown.examples, **(shown.extra_json_schema or {})}
    )


def id_of(prefix: str, text: str, what: str) -> UUID:
    """Return the id in a path. Raises NotFound, with the noun `what`, if it is not an id with this prefix."""
    try:
        return read(prefix, text)
    except InvalidRequest:
        raise NotFound(what) from None


#: Where a handler stores the names of its query parameters, and of the arguments that they are passed as.
_NAMES: Final = "query_parameters"
_ARGUMENTS: Final = "query_arguments"


def learn(routes: Iterable[BaseRoute]) -> None:
    """Store the names of the query parameters with each handler of the document."""
    for route in routes:
        if isinstance(route, HTTPRoute):
            for handler, model in route.route_handler_map.values():
                if handler.resolve_include_in_schema():
                    handler.opt[_NAMES] = tuple(sorted(one.field_alias for one in model.expected_query_params))
                    handler.opt[_ARGUMENTS] = {one.field_name: one.field_alias for one in model.expected_query_params}


def names_of(handler: BaseRouteHandler) -> tuple[str, ...] | None:
    """Return the query parameters that the route takes; None for a page."""
    names: tuple[str, ...] | None = handler.opt.get(_NAMES)
    return names


def check(request: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Raise InvalidRequest for a parameter that the route does not take, that is repeated, or that has a NUL, which
    PostgreSQL accepts in no text.
    """
    names = names_of(handler)
    if names is None or not request.scope["query_string"]:
        return
    seen = set[str]()
    for name, value in request.query_params.multi_items():
        if name not in names:
            takes = f"it takes {', '.join(names)}" if names else "it takes none"
            raise InvalidRequest("unknown_parameter", f"this call has no query parameter {name[:60]!r}: {takes}")
        if name in seen:
            raise InvalidRequest("repeated_parameter", f"the query parameter {name} is there twice; send it once")
        if "\0" in value:
            raise InvalidRequest("parameter", f"the query parameter {name} has a NUL character, which no text here has")
        seen.add(name)


def misfit(request: ASGIConnection[Any, Any, Any, Any], argument: str) -> InvalidRequest:
    """Return what is wrong with the parameter that a handler would get as `argument`."""
    handler = request.route_handler
    name = handler.opt.get(_ARGUMENTS, {}).get(argument, argument)
    value = request.query_params.get(name, "")
    wanted = _wanted(handler.parsed_fn_signature.parameters[argument])
    return refused(name, value, f"it should be {wanted}")


def refused(name: str, value: str, why: str) -> InvalidRequest:
    """Return the error for a query parameter's value, with the reason."""
    return InvalidRequest("parameter", f"the query parameter {name} cannot be {value[:60]!r}: {why}")


def _wanted(parameter: FieldDefinition) -> str:
    """Return the allowed values of a parameter."""
    for one in (parameter, *parameter.inner_types):
        if isinstance(one.annotation, type) and issubclass(one.annotation, Enum):
            return one_of(choice.value for choice in one.annotation)
        if get_origin(one.annotation) is Literal:
            return one_of(one.args)
    bounds = parameter.kwarg_definition
    if parameter.is_subclass_of(int) and isinstance(bounds, KwargDefinition):
        return f"a number from {bounds.ge} to {bounds.le}"
    return "a string"
