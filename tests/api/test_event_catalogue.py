"""The catalogue of events is a promise: a type or a field may be added, and never changed or dropped.

`event_catalogue.json` is what was promised. After adding to the catalogue:

    .venv/bin/python -m tests.api.test_event_catalogue
"""

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.json import schema

from gateway.api.events.catalogue import CATALOGUE
from gateway.api.events.shapes import OBJECTS, EventView

ROOT = Path(__file__).parents[2]
PROMISED = Path(__file__).with_name("event_catalogue.json")

#: What is told to the operators alone: events without a wallet.
OF_THE_GATEWAY = (
    *("relayer.stopped", "relayer.low", "relayer.filled", "relayer.resumed"),
    *("solvency.difference", "withdrawals.frozen", "withdrawals.unfrozen"),
    *("operator.break_glass", "recovery.entered", "recovery.read", "recovery.ended", "handle.returned"),
)


def promise() -> dict[str, Any]:
    """The types and their objects, and the schemas of an event and of all that it is made of."""
    return {"types": {name: kind for name, (kind, _) in CATALOGUE.items()}, "schema": _bare(schema(EventView))}


def _bare(part: Any) -> Any:
    """Without words: a description may be made clearer."""
    if isinstance(part, list):
        return [_bare(one) for one in part]
    if isinstance(part, dict):
        return {key: _bare(one) for key, one in sorted(part.items()) if key not in ("description", "examples", "title")}
    return part


def broken(before: Any, now: Any, at: str = "$") -> list[str]:
    """What was promised and is no more. Pure."""
    if isinstance(before, dict):
        if not isinstance(now, dict):
            return [f"{at} is another thing"]
        return [
            fault
            for key, part in before.items()
            for fault in (broken(part, now[key], f"{at}.{key}") if key in now else [f"{at}.{key} is gone"])
        ]
    if isinstance(before, list):
        return [f"{at}: {part!r} is gone" for part in before if part not in now]
    return [] if before == now else [f"{at} was {before!r} and is {now!r}"]


def test_what_was_promised_of_events_holds_and_what_is_new_is_promised_too() -> None:
    now, promised = promise(), json.loads(PROMISED.read_text())
    assert broken(promised, now) == []
    assert now == promised, "promise what is new: .venv/bin/python -m tests.api.test_event_catalogue"


@pytest.mark.parametrize(
    ("before", "now", "faults"),
    [
        ({"a": {"type": "string"}}, {"a": {"type": "string"}, "b": {}}, []),
        ({"a": {"type": "string"}}, {"a": {"type": "integer"}}, ["$.a.type was 'string' and is 'integer'"]),
        ({"a": {}}, {}, ["$.a is gone"]),
        ({"required": ["a", "b"]}, {"required": ["b"]}, ["$.required: 'a' is gone"]),
        ({"enum": ["x"]}, {"enum": ["x", "y"]}, []),
    ],
)
def test_a_broken_promise_is_named(before: Any, now: Any, faults: list[str]) -> None:
    assert broken(before, now) == faults


def test_every_object_has_a_type_and_every_type_an_object() -> None:
    assert {kind for kind, _ in CATALOGUE.values()} == set(OBJECTS)


def test_every_event_that_is_written_is_in_the_catalogue() -> None:
    """Of those whose kind stands in the source: `log.Event("wallet.created", …)`."""
    written = {
        node.args[0].value
        for path in (ROOT / "gateway").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and (getattr(node.func, "attr", None) or getattr(node.func, "id", None)) == "Event"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    assert len(written) > 10
    assert written - set(CATALOGUE) - set(OF_THE_GATEWAY) == set()


if __name__ == "__main__":
    PROMISED.write_text(json.dumps(promise(), indent=1, sort_keys=True) + "\n")
