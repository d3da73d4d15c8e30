"""The log: one line per message on standard error, as text or as JSON.

A message is for people; a record's `fields` are for programs.
"""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from gateway.clock import rfc3339
from gateway.escape import LogFormatter

LogFormat = Literal["text", "json"]

#: The attribute of a record that has its fields.
_FIELDS = "fields"


class JsonFormatter(logging.Formatter):
    """One JSON object per line: `time` (RFC 3339, UTC), `level`, `logger`, `message`, the record's fields, and a
    traceback as `exception`. It is ASCII, so that no log entry can control a terminal.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": rfc3339(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def to_standard_error(form: LogFormat) -> None:
    """Log in this format to standard error, replacing any other configuration."""
    handler = logging.StreamHandler()
    text = LogFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonFormatter() if form == "json" else text)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)


def with_fields(fields: Mapping[str, object]) -> dict[str, object]:
    """The `extra` argument of a logging call, for a record with these fields."""
    return {_FIELDS: fields}
