"""Enrolment and sign-in pages, the same for everybody."""

from typing import Any

from litestar import Request, Response, get

from gateway.web.console.page import SIGN_IN
from gateway.web.content import fixed


@get(SIGN_IN, include_in_schema=False, opt={"needs": "nothing", "counts": None})
async def console_sign_in_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Sign in with an operator's passkey."""
    return fixed(request, "console/sign-in.html")


@get("/console/enrol", include_in_schema=False, opt={"needs": "nothing", "counts": None})
async def enrol_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Enrol a passkey with an operator's name and code."""
    return fixed(request, "console/enrol.html")
