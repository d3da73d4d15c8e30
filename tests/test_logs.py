"""The log as JSON: an object a line, whatever is logged."""

import json
import logging
import sys

from hypothesis import given
from hypothesis import strategies as st

from gateway.logs import JsonFormatter, with_fields


def record(message: str, *arguments: object, **more: object) -> logging.LogRecord:
    return logging.getLogger("gateway.test").makeRecord(
        "gateway.test",
        logging.WARNING,
        __file__,
        1,
        message,
        arguments,
        more.get("error"),  # type: ignore[arg-type]
        extra=with_fields({"status": 201}),
    )


@given(st.text())
def test_a_message_is_one_line_of_ascii_and_means_the_same(text: str) -> None:
    line = JsonFormatter().format(record("it said %s", text))

    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["message"] == f"it said {text}"


def test_a_line_has_time_level_logger_fields_and_traceback() -> None:
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        line = JsonFormatter().format(record("it failed", error=sys.exc_info()))

    found = json.loads(line)
    assert found["time"].endswith("Z")
    assert found.pop("exception").splitlines()[-1] == "ZeroDivisionError"
    assert {name: found[name] for name in ("level", "logger", "message", "status")} == {
        "level": "warning",
        "logger": "gateway.test",
        "message": "it failed",
        "status": 201,
    }
