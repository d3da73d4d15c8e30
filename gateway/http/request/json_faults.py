"""Translate msgspec's errors about a request's JSON into the gateway's: the field, what was sent and what to send.

msgspec names Python's types; here they are JSON's (RFC 8259): string, number, boolean, array, object, null. Pure.
"""

import re
from collections.abc import Iterable
from enum import Enum
from functools import reduce
from typing import Any, Final

import msgspec
from msgspec import inspect

from gateway.errors import AmountNotString, GatewayError, InvalidRequest

_UNKNOWN_FIELD: Final = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING_FIELD: Final = re.compile(r"Object missing required field `(.*?)`(?: - at `\$\.(.*)`)?")
_AT_FIELD: Final = re.compile(r"(.*) - at `\$\.(.*)`", re.DOTALL)
_OTHER_TYPE: Final = re.compile(r"Expected `(.*)`, got `(.*)`")
_OTHER_VALUE: Final = re.compile(r"Expected `(.*)` (.*)")
_NO_CHOICE: Final = re.compile(r"Invalid enum value (.*)", re.DOTALL)

#: msgspec's names of types, and JSON's.
_JSON_TYPES: Final = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "a boolean",
    "array": "an array",
    "object": "an object",
    "null": "null",
}

#: How a time is written, in a body and in a query parameter.
RFC3339_TIME: Final = "a date, a time and an offset (RFC 3339), such as 2030-01-31T12:00:00Z"


def refusal_of(fault: str, body_type: type[msgspec.Struct]) -> GatewayError:
    """Return the error for msgspec's text about a body that should be a `body_type`."""
    if unknown := _UNKNOWN_FIELD.fullmatch(fault):
        name, where = unknown[1], "here"
        if (at := _AT_FIELD.fullmatch(f"{name}`")) and _is_object(body_type, at[2]):  # otherwise it is part of the name
            name, where = at[1].removesuffix("`"), f"in {at[2]}"
        names = _fields(body_type, where.removeprefix("in ") if where != "here" else "")
        return InvalidRequest(
            "unknown_field",
            f"there is no field {name[:60]!r} {where}"
            + (f"; there are: {', '.join(names)}" if names else "; there is none"),
        )
    if missing := _MISSING_FIELD.fullmatch(fault):
        name, inside = missing.groups()
        return InvalidRequest("missing_field", f"the field {name!r} is missing" + (f" in {inside}" if inside else ""))
    if at := _AT_FIELD.fullmatch(fault):
        return _of_field(at[1], at[2], body_type)
    return InvalidRequest("object", "the body should be a JSON object")


def one_of(choices: Iterable[object]) -> str:
    """Return the allowed values, as people write them."""
    names = [str(choice) for choice in choices]
    return " or ".join(names) if len(names) < 3 else f"one of {', '.join(names)}"


def _of_field(said: str, path: str, body_type: type[msgspec.Struct]) -> GatewayError:
    if said == "Number out of range":
        said = "Expected `str`, got `float`" if path == "amount" else said
    if "RFC3339" in said:
        return InvalidRequest("field", f"{path} should be {RFC3339_TIME}")
    path = re.sub(r"(.*)\[\.\.\.\]", r"a value in \1", path)
    if other := _OTHER_TYPE.fullmatch(said):
        expected, got = other.groups()
        if path == "amount":
            return AmountNotString("not_a_string", _sent(expected, got))
        hint = ": write it in quotes" if got in ("int", "float") and "str" in expected.split(" | ") else ""
        return InvalidRequest("field", f"{path} should be {_named(expected)}, not {_sent(expected, got)}{hint}")
    if no_choice := _NO_CHOICE.fullmatch(said):
        return InvalidRequest(
            "field", f"{path} cannot be {no_choice[1][:60]}: it should be {_choices(body_type, path)}"
        )
    if other := _OTHER_VALUE.fullmatch(said):
        return InvalidRequest("field", f"{path} should be {_named(other[1])} {other[2]}")
    return InvalidRequest("field", f"{path}: {said}".replace("`", ""))


def _named(types: str) -> str:
    names = types.split(" | ")
    shown = [_JSON_TYPES.get(name, name) for name in names if name != "int" or "float" not in names]
    return " or ".join([", ".join(shown[:-1]), shown[-1]] if shown[1:] else shown)


def _sent(expected: str, got: str) -> str:
    if got == "int":
        return "a number"
    return "a number with decimals" if got == "float" and "int" in expected.split(" | ") else _named(got)


def _choices(body_type: type[msgspec.Struct], path: str) -> str:
    """Return the allowed values of the field at `path`, such as `caps[0].rail`."""
    return one_of(choice for one in _at(body_type, path) for choice in _values(one))


def _fields(body_type: type[msgspec.Struct], path: str) -> list[str]:
    """Return the fields of the object at a path; an empty path is the whole body."""
    places = _at(body_type, path) if path else [inspect.type_info(body_type)]
    return [field.encode_name for one in places if isinstance(one, inspect.StructType) for field in one.fields]


def _is_object(body_type: type[msgspec.Struct], path: str) -> bool:
    try:
        return any(isinstance(one, inspect.StructType) for one in _at(body_type, path))
    except LookupError:
        return False


def _at(body_type: type[msgspec.Struct], path: str) -> list[inspect.Type]:
    """Return the types at a path. Raises LookupError if there is none."""
    steps = re.sub(r"\[[^]]*\]", "", path).split(".")
    return _alternatives(reduce(_inside, steps, inspect.type_info(body_type)))


def _inside(of: inspect.Type, name: str) -> inspect.Type:
    """Return the type of a field of a struct, or of the structs in a list, an object or a union."""
    for one in _alternatives(of):
        if isinstance(one, inspect.StructType):
            return {field.encode_name: field.type for field in one.fields}[name]
    raise LookupError(name)


def _alternatives(of: inspect.Type) -> list[inspect.Type]:
    match of:
        case inspect.UnionType(types=types):
            return [one for each in types for one in _alternatives(each)]
        case inspect.ListType(item_type=inner) | inspect.DictType(value_type=inner) | inspect.Metadata(type=inner):
            return _alternatives(inner)
    return [of]


def _values(of: inspect.Type) -> Iterable[Any]:
    match of:
        case inspect.LiteralType(values=values):
            return values
        case inspect.EnumType(cls=kinds):
            return [kind.value if isinstance(kind, Enum) else kind for kind in kinds]
    return []
