"""HEAD, OPTIONS and the Allow header: the methods of a path, derived from its routes (RFC 9110, 9.3 and 15.5.6)."""

import re
from collections.abc import Iterable
from typing import Any

from litestar import Litestar
from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import Message, Send

from gateway.api.payments.fast.fast_payments import FastPayments
from gateway.http import instrumentation
from gateway.http.request_id import request_id
from gateway.metrics.traffic import Traffic


class Gateway(Litestar):
    """The application, which answers HEAD and OPTIONS before its router. `fast_payments`, if set, handles payments
    without a router (payment_protocol.py). `traffic` counts the answers of both.
    """

    fast_payments: FastPayments
    traffic: Traffic

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """An ASGI request."""
        if scope["type"] == "http":
            instrumentation.begin(scope)
            method = scope["method"]
            if method == "HEAD":
                scope, send = {**scope, "method": "GET"}, without_body(send)
            services = self.state.services
            send = instrumentation.watching(self.traffic, scope, send, services.logs_requests, services.tracer)
            if method == "OPTIONS" and (methods := self.state.methods.of(scope["path"])):
                allowed = (b"allow", ", ".join(methods).encode())
                headers = [allowed, *self.fast_payments.security, (b"x-request-id", request_id(scope))]
                await send({"type": "http.response.start", "status": 204, "headers": headers})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                return
        await super().__call__(scope, receive, send)


class Methods:
    """The methods of every path. If several routes match a path, the one with the fewest parameters counts."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        found = [
            (route.path_format.count("{"), re.compile(re.sub(r"{\w+}", "[^/]+", route.path_format)), _with_head(route))
            for route in routes
            if isinstance(route, HTTPRoute)
        ]
        self._routes = sorted(found, key=lambda one: one[0])
        self._any = tuple(sorted({method for *_, methods in found for method in methods}))

    def of(self, path: str) -> tuple[str, ...]:
        """The methods of a path, in alphabetical order; `*` stands for the server (RFC 9110, 9.3.7). () if there is no
        such path.
        """
        if path == "*":
            return self._any
        plain = "/" + path.strip("/")
        return next((methods for _, pattern, methods in self._routes if pattern.fullmatch(plain)), ())


def _with_head(route: HTTPRoute) -> tuple[str, ...]:
    methods = {str(method) for method in route.methods}
    return tuple(sorted(methods | {"HEAD"} if "GET" in methods else methods))


def without_body(send: Send) -> Send:
    """The answer to HEAD: the headers of GET, with the Content-Length of its body, and no body."""

    ended = False

    async def send_head(message: Message) -> None:
        nonlocal ended
        if message["type"] == "http.response.body":  # the first part is also the last, even of an endless stream
            if not ended:
                ended = True
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            await send(message)

    return send_head
