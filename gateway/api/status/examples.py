"""Examples of requests and answers, for the OpenAPI document (api/examples.py)."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from gateway.api.status.shapes import HealthView, ReadyView, SolvencyPage, SolvencyView

#: The answers of each call, by its operation id: that of its first status, and of others where there are any.
ANSWERS: Final[Mapping[str, Struct]] = {
    "get_solvency": SolvencyPage(
        [
            SolvencyView(
                *("USDX", "1000.000000", "980.000000", "20.000000", "1000.00"),
                *(48_213, 48_213, "0.000000"),
            )
        ],
        [],
    ),
    "get_liveness": HealthView("ok"),
    "get_readiness": ReadyView("ok", "ok", "ok", "ok", None),
}
