"""A small reading of JSON Schema, as far as OpenAPI 3.1 documents of ours use it: what of a value breaks a schema."""

import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from typing import Any

Json = Any

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}

#: Every keyword that `faults` reads or that constrains nothing; any other in the document is an error of the test.
_KNOWN = {
    *("$ref", "allOf", "oneOf", "anyOf", "enum", "const", "type", "properties", "required", "items", "pattern"),
    *("additionalProperties", "minimum", "maximum", "minLength", "maxLength"),
    *("title", "description", "examples", "example", "default", "format", "minItems", "maxItems", "discriminator"),
}


def faults(document: Json, schema: Json, value: Json, at: str = "$") -> list[str]:
    """What of `value` the schema does not allow. A property that the schema does not name is a fault too."""
    assert set(schema) <= _KNOWN, f"the checker does not know {set(schema) - _KNOWN}"
    if "$ref" in schema:
        return faults(document, resolve(document, schema["$ref"]), value, at)
    found = [fault for part in schema.get("allOf", []) for fault in faults(document, part, value, at)]
    for choice in ("oneOf", "anyOf"):
        if choice in schema and all(faults(document, part, value, at) for part in schema[choice]):
            found.append(f"{at}: {value!r} is none of the choices")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at}: {value!r} is not in {schema['enum']}")
    if "const" in schema and value != schema["const"]:
        found.append(f"{at}: {value!r} is not {schema['const']!r}")
    if "type" in schema and not _is_a(schema["type"], value):
        return [*found, f"{at}: {value!r} is not a {schema['type']}"]
    return found + list(_inside(document, schema, value, at))


def _is_a(types: str | list[str], value: Json) -> bool:
    names = [types] if isinstance(types, str) else types
    return any(isinstance(value, _TYPES[n]) and (n == "boolean" or not isinstance(value, bool)) for n in names)


def _inside(document: Json, schema: Json, value: Json, at: str) -> Iterator[str]:
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        yield from (f"{at}: {name} is missing" for name in schema.get("required", []) if name not in value)
        for name, inner in value.items():
            rest = schema.get("additionalProperties", {} if "required" not in schema else None)
            if name in properties:
                yield from faults(document, properties[name], inner, f"{at}.{name}")
            elif isinstance(rest, dict):
                yield from faults(document, rest, inner, f"{at}.{name}")
            elif rest is not True:
                yield f"{at}: {name} is not in the schema"
    elif isinstance(value, list) and "items" in schema:
        for number, inner in enumerate(value):
            yield from faults(document, schema["items"], inner, f"{at}[{number}]")
    elif isinstance(value, str):
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
            yield f"{at}: the length of {value!r}"
        if "pattern" in schema and not re.search(schema["pattern"], value):
            yield f"{at}: {value!r} does not match"
        if schema.get("format") == "date-time" and not _is_a_time(value):
            yield f"{at}: {value!r} is no time with an offset"
    elif isinstance(value, int | float) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{at}: {value!r} is out of bounds"


def _is_a_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def response_of(document: Json, operation: Json, status: int | str) -> Json:
    """What the document says of an operation's answer with this status."""
    return resolved(document, operation["responses"][str(status)])


def resolved(document: Json, schema: Json) -> Json:
    """The schema, or the one that it refers to."""
    return resolve(document, schema["$ref"]) if "$ref" in schema else schema


def resolve(document: Json, reference: str) -> Json:
    found = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def operation_of(document: Json, method: str, path: str) -> Json | None:
    """What the document says of this call: the path with the fewest parameters is the one that is meant."""
    paths = document["paths"]
    found = next((template for template, pattern in _patterns(tuple(paths)) if pattern.fullmatch(path)), None)
    return paths[found].get(method.lower()) if found is not None else None


@cache
def _patterns(templates: tuple[str, ...]) -> list[tuple[str, re.Pattern[str]]]:
    """The paths in the order in which they are meant, and what fits each: the same for every answer of a run."""
    ordered = sorted(templates, key=lambda template: template.count("{"))
    return [(template, re.compile(re.sub(r"\{\w+\}", "[^/]+", template))) for template in ordered]


def check(document: Json, method: str, path: str, status: int, media_type: str, body: Json) -> None:
    """Assert that the document announces this answer to this call."""
    operation = operation_of(document, method, path)
    if operation is None:
        assert status in (204, 404, 405), (method, path, status)
        return
    assert str(status) in operation["responses"], (method, path, status, body)
    declared = response_of(document, operation, status)["content"]
    assert media_type in declared, (method, path, status, media_type)
    if media_type == "application/problem+json":
        assert body["code"] in declared[media_type]["examples"], (method, path, body)
    assert faults(document, declared[media_type]["schema"], body) == [], (method, path, status)
