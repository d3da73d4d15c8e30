"""Enrol and sign in: the same for everybody who has not signed in."""

from typing import Any

from litestar import Request, Response, get

from gateway.web.console.page import SIGN_IN
from gateway.web.content import fixed


@get(SIGN_IN, include_in_schema=False, opt={"needs": "nothing", "counts": None})
async def console_sign_in_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """With an operator's passkey."""
    return fixed(request, "console/sign-in.html")


@get("/console/enrol", include_in_schema=False, opt={"needs": "nothing", "counts": None})
async def enrol_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """An operator's name and code make their passkey."""
    return fixed(request, "console/enrol.html")
