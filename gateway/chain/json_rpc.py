"""JSON-RPC 2.0 over HTTP. Every request gets a result or an error whose text never contains the URL.

Nodes say in many ways that a request was too large: by an error for the whole batch or for part of it, by an HTTP
status, or by taking too long. Their wording is not interpreted for that. A refused request is sent once more; if the
same answer comes again, half as much is requested. The size that worked is remembered (`Portion`).

A node that asks for a pause (429, "too many requests", "try again later") is not called again at once, and not before
the time that its `Retry-After` names (RFC 9110, section 10.2.3).
"""

import re
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any, TypeVar

import msgspec
from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientSSLError,
    ClientTimeout,
    TCPConnector,
)

from gateway.chain.errors import NodeRefused, NodeUnavailable
from gateway.retry_after_header import seconds_asked
from gateway.tracing import steps

T = TypeVar("T")

#: Requests in one batch at first; many hosted nodes accept fewer.
_BATCH = 100

#: How long a repeated refusal counts as the same; and how long a refusal that a single request got too is taken to have
#: another reason than the size. In seconds, like all below.
_AGAIN, _ALONE = 60.0, 60.0

#: After this time a larger portion is tried again: the reason for the refusal may be gone.
_LARGER_AFTER = 600.0

#: The longest `Retry-After` that is followed.
_AWAY_MAX = 300.0

#: HTTP statuses by which a server asks the client to come back later.
_LATER_STATUS = (408, 429, 502, 503, 504)

#: Words of an error that ask for a pause. Requesting less would only mean more requests, so that is done only on the
#: second refusal.
_LATER = re.compile(r"\brate\b|too many requests|capacity|throttl|per (second|day)|daily|later|overload|busy", re.I)

#: EIP-1474: "limit exceeded", which some nodes use for the rate and others for the size. Then the words decide.
_LIMIT_EXCEEDED = -32005
_SIZE = re.compile(r"range|results|\blogs\b|size|large|blocks", re.I)


class Refused(NodeRefused):
    """The node answered with an error. `later`: it asks the client to come back later."""

    later = False


class Slow(NodeUnavailable):
    """No answer in time. The request may have been too large."""

    later = True


class Portion:
    """How much is requested at once: as much as the node has been seen to accept, at first `maximum`."""

    def __init__(self, maximum: int, now: Callable[[], float] = time.monotonic) -> None:
        self.maximum = self.now = maximum
        self._time = now
        self._last, self._last_size, self._last_at = "", 0, 0.0
        self._alone: dict[str, float] = {}
        self._shrunk_at = 0.0

    async def each(self, total: int, ask: Callable[[int, int], Awaitable[list[T]]]) -> list[T]:
        """Return the results of `ask(start, size)` for all of `total` things, in order, in portions. Raises its error
        once the portion cannot be made smaller.
        """
        if self.now < self.maximum and self._time() - self._shrunk_at >= _LARGER_AFTER:
            self.now, self._shrunk_at = min(2 * self.now, self.maximum), self._time()
        found: list[T] = []
        start, size = 0, self.now
        while start < total:
            asked = min(size, total - start)
            try:
                found += await ask(start, asked)
            except (Refused, Slow) as refusal:
                size = self._next(asked, refusal)
                continue
            start += asked
            if asked >= self._last_size:
                self._last = ""
            if size < self.now:
                self.now, self._shrunk_at = size, self._time()
        return found

    def _next(self, asked: int, refusal: Refused | Slow) -> int:
        """Return the size of the next request: the same, or half of it. Raises the refusal if neither would help."""
        reason, now = same_words(refusal.reason), self._time()
        again = self._last == reason and now - self._last_at < _AGAIN
        self._last, self._last_size, self._last_at = reason, asked, now
        if asked == 1:
            self._alone = {old: at for old, at in self._alone.items() if now - at < _ALONE} | {reason: now}
            raise refusal
        if now - self._alone.get(reason, -_ALONE) < _ALONE:
            raise refusal
        if again:
            return (asked + 1) // 2
        if refusal.later:
            raise refusal
        return asked


class JsonRpc:
    """A node's JSON-RPC client, with its own persistent connections. It retries only what the node refused, as
    described above.
    """

    def __init__(self, url: str, timeout_seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._time = now
        self._timeout = ClientTimeout(total=timeout_seconds)
        self._session: ClientSession | None = None
        self._ids = count(1)
        self._batch = Portion(_BATCH, now)
        self._away_until, self._away = 0.0, ""

    async def respond(self, method: str, *params: Any) -> dict[str, Any]:
        """Return the node's response to one request, with `result` or `error`. Raises NodeUnavailable."""
        return _json_rpc(await self._post(self._request(method, list(params))))

    async def ask(self, method: str, *params: Any) -> Any:
        """Return the result of one request. Raises NodeUnavailable, or NodeRefused if the node answers with an
        error.
        """
        return self.result(await self.respond(method, *params))

    async def ask_all(self, asked: Sequence[tuple[str, list[Any]]]) -> list[Any]:
        """Return the results of many requests, in order. One error in a batch is an error of the batch."""
        return await self._batch.each(len(asked), lambda start, size: self._ask_batch(asked[start : start + size]))

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def complaint(self, error: Any) -> str:
        """Return the text of an error."""
        text = str(error.get("message", error) if isinstance(error, dict) else error)
        return text.replace(self._url, "its URL")[:300]

    async def _ask_batch(self, asked: Sequence[tuple[str, list[Any]]]) -> list[Any]:
        if len(asked) == 1:  # some nodes accept no batches at all
            return [await self.ask(asked[0][0], *asked[0][1])]
        requests = [self._request(method, params) for method, params in asked]
        answer = await self._post(requests)
        if not isinstance(answer, list):
            self.result(_json_rpc(answer))
            answer = []
        by_id: dict[Any, Any] = {}
        for response in answer:
            self.result(_json_rpc(response))  # raises if it is an error
            by_id[response.get("id")] = response["result"]
        try:
            return [by_id[request["id"]] for request in requests]
        except (KeyError, TypeError):
            raise Refused("a batch of requests was not answered one to one") from None

    def _request(self, method: str, params: list[Any]) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}

    def result(self, response: dict[str, Any]) -> Any:
        """Return the result of a response. Raises NodeRefused if it has an error instead."""
        if "error" not in response:
            return response["result"]
        refused = Refused(self.complaint(response["error"]))
        refused.later = _asks_to_wait(response["error"])
        raise refused

    async def _post(self, body: Any) -> Any:
        if self._time() < self._away_until:
            raise NodeUnavailable(self._away)
        if self._session is None:
            self._session = ClientSession(connector=TCPConnector(), timeout=self._timeout)
        headers = {"Content-Type": "application/json"}
        traced, began = steps.under_way(), time.monotonic()
        try:
            async with self._session.post(
                self._url, data=msgspec.json.encode(body), headers=headers, allow_redirects=False
            ) as response:
                status, said = response.status, await response.read()
                retry_after = response.headers.get("Retry-After")
        except TimeoutError:
            raise Slow("it took too long") from None
        except (ClientError, OSError, ValueError) as error:
            raise NodeUnavailable(_why(error)) from None  # the cause may contain the URL
        finally:
            if traced is not None:
                traced.add(_named(body), began, **{"rpc.system.name": "jsonrpc"})
        return self._read(status, said, retry_after)

    def _read(self, status: int, said: bytes, retry_after: str | None) -> Any:
        try:
            answer = msgspec.json.decode(said)
        except msgspec.DecodeError:
            answer = None
        explained = isinstance(answer, list) or (isinstance(answer, dict) and "error" in answer)
        if status in _LATER_STATUS or (status >= 300 and not explained):
            refused = Refused(f"HTTP status {status}")
            refused.later = status in _LATER_STATUS
            asked = seconds_asked(retry_after or "", datetime.now(UTC))
            if asked is not None and (seconds := min(asked, _AWAY_MAX)) > 0:
                self._away = f"HTTP status {status}, and it asked us to wait for {seconds:.0f} s"
                self._away_until = self._time() + seconds
                refused.reason = self._away
            raise refused
        if answer is None:
            raise NodeUnavailable("it answered with something that is not JSON")
        return answer


def _named(body: Any) -> str:
    """Return the span's name of a request: its method, or those of a batch."""
    asked = body if isinstance(body, list) else [body]
    return " ".join(dict.fromkeys(request["method"] for request in asked))


def same_words(reason: str) -> str:
    """Return a node's text without its numbers, which differ each time, to compare two answers."""
    return re.sub(r"0x[0-9a-fA-F]+|[0-9]+", "#", reason)


def _json_rpc(response: Any) -> dict[str, Any]:
    if not isinstance(response, dict) or ("result" not in response and "error" not in response):
        raise NodeUnavailable("it answered with something that is not JSON-RPC")
    return response


def _asks_to_wait(error: Any) -> bool:
    """Return whether an error asks for a pause before any further request."""
    code, text = (error.get("code"), str(error.get("message"))) if isinstance(error, dict) else (None, str(error))
    if code == 429 or _LATER.search(text):
        return True
    return code == _LIMIT_EXCEEDED and _SIZE.search(text) is None


def _why(error: Exception) -> str:
    if isinstance(error, ClientConnectorCertificateError):
        why = getattr(error.certificate_error, "verify_message", "") or "it is not valid"
        return (
            f"its TLS certificate is not trusted ({why}): where a CA of your own has signed it, set SSL_CERT_FILE to a "
            "file with that CA's certificate"
        )
    if isinstance(error, ClientSSLError):
        return "no TLS connection: it may speak http:// there and not https://"
    if isinstance(error, ClientConnectorError):
        return "no connection"
    if isinstance(error, ValueError):  # InvalidURL is one
        return "its URL cannot be read: it should be one such as https://node.example"
    return "the connection broke off"
