"""`/design`: all components of the pages, in each of their states."""

import re
from typing import Any

from litestar import Request, Response, get
from msgspec.structs import replace

from gateway.api.payments.examples import SETTLED
from gateway.api.wallets.examples import WALLET
from gateway.web.content import static
from gateway.web.owned import answer


@get("/design", include_in_schema=False, opt={"needs": "nothing", "counts": None})
async def design_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The components, with example data."""
    states = ("requires_confirmation", "submitted", "failed", "settled")
    return answer(
        request,
        "design.html",
        payments=[replace(SETTLED, state=state, memo="🍜 ขอบคุณ") for state in states],
        drawings=_drawings(),
        wallet=WALLET,
    )


def _drawings() -> list[str]:
    icons = static("icons.svg")
    assert icons is not None
    return re.findall(r'<symbol id="([^"]+)"', icons.body.decode())
