"""The API client of the commands for a wallet.

A handle's API key is in `<home>/keys/<handle>`, a file that its owner alone can read. Every call that moves money
carries an idempotency key, a new one if none is given: a call whose answer was lost can be retried with it.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from gateway import client
from gateway.api.payments.shapes import (
    AmountRequest,
    ConversionRequest,
    DrawRequest,
    MoneyRequest,
    NothingRequest,
    PaymentRequest,
    RefundRequest,
    SignatureRequest,
)
from gateway.cli.wallet import key_file
from gateway.cli.wallet.errors import Answered, NoGateway, OutcomeUnknown
from gateway.client.resources.requests import payment_of
from gateway.config.config import Config
from gateway.errors import Misconfigured
from gateway.identity.handle import fold
from gateway.secret import hash_of

#: The states that change without anybody's action. A held payment waits for a person.
_PASSING = ("queued", "submitted")

#: The time between two polls of a payment: the first, and the longest, in seconds.
_LOOK_SECONDS, _LOOK_SECONDS_MAX = 0.1, 1.0

#: How long an event stream is reopened while the gateway is unavailable, in seconds.
_AWAY_SECONDS = 600.0

#: How long the answer to a part of many payments may take: token payments are accepted one by one.
_MANY_ANSWER_SECONDS = 300


def url_of(config: Config, given: str | None = None) -> str:
    """The gateway's URL: the one `given`, or the one in run.json of a running `up`, or the configured one.

    run.json is read here, because `assembly.places` would import litestar, which takes a second.
    """
    if given:
        return given
    try:
        running = json.loads((config.home / "run.json").read_text())
    except (OSError, ValueError):
        running = {}
    return str(running.get("api_url") or config.url(config.port or 8000))


class Answer(dict[str, Any]):
    """A JSON object from the gateway. `replayed`: it is the stored first answer to its idempotency key."""

    replayed = False


class Client:
    """Calls the API for one handle, or with None without an API key. Calls that move money take an
    idempotency key, or get a new one.
    """

    def __init__(self, url: str, keys: Path, handle: str | None) -> None:
        self.handle = fold(handle) if handle is not None else ""
        self._url = url
        self._key_file = keys / self.handle
        try:
            # Nothing is retried: the error says at once with which --key to repeat the command.
            once = client.Retry(seconds=0)
            self._client = client.AsyncClient(url, self._api_key, retry=once, trust_env=False)
        except client.NoAnswer as no_url:
            raise NoGateway(url, no_url.reason) from None

    async def close(self) -> None:
        await self._client.close()

    @property
    def api(self) -> client.AsyncClient:
        """The client for programs. Commands use it for calls that move no money, inside `told`."""
        return self._client

    @contextmanager
    def told(self) -> Iterator[None]:
        """Translates the errors of `api` for commands. Raises Answered, OutcomeUnknown and NoGateway."""
        try:
            yield
        except client.ProblemError as refusal:
            raise Answered(refusal) from None
        except client.OutcomeUnknown as unknown:
            if isinstance(unknown.__cause__, client.ProblemError):  # its own sentence says what to do
                raise Answered(unknown.__cause__) from None
            raise OutcomeUnknown(self._url, unknown.key) from None
        except client.NoAnswer as nobody:
            raise NoGateway(self._url, nobody.reason, nobody.lost) from None

    async def claim(self) -> Answer:
        """Claim the handle with an API key that is generated here, and store the key.

        The key is on disk before the handle is claimed, in a file of its own. If the answer is lost, the file stays,
        and repeating the claim finds the wallet that it created. Raises Misconfigured if a key is stored already or
        cannot be stored, and Answered if the handle is taken.
        """
        if self._key_file.exists():
            raise Misconfigured(f"@{self.handle} has an API key in {self._key_file} already; nothing was claimed")
        pending = self._key_file.with_name(f".{self.handle}.claim")
        try:
            api_key = key_file.kept(pending)
            asked = {"handle": self.handle, "api_key_hash": hash_of(api_key).hex()}
            try:
                claimed = await self._call("POST", "/v1/handles", asked, signed=False)
            except Answered as refusal:
                if refusal.is_final:
                    pending.unlink(missing_ok=True)
                raise
            try:
                pending.rename(self._key_file)
            except FileNotFoundError:
                self._key_file.stat()  # a concurrent run of the same claim has stored it
        except OSError as error:
            raise Misconfigured(f"the API key cannot be kept in {pending.parent}: {error.strerror}") from None
        return claimed

    def keep_api_key(self, api_key: str) -> None:
        """Replace the handle's stored API key. Raises Misconfigured; then the previous one stays."""
        key_file.replace(self._key_file, api_key)

    async def claim_unless_ours(self) -> None:
        """Claim the handle, unless its API key is stored here already."""
        if not self._key_file.exists():
            await self.claim()

    async def public(self) -> Answer:
        """The public information about the handle."""
        return await self._call("GET", f"/v1/handles/{self.handle}", signed=False)

    async def address_of(self, payee: str) -> str:
        """The address of `@handle`; an address stays as it is."""
        if payee.startswith("0x"):
            return payee
        return str((await self._call("GET", f"/v1/handles/{fold(payee)}", signed=False))["address"])

    async def wallet(self, at: str | None = None) -> Answer:
        """Every balance of the handle; with `at`, those of a past time (RFC 3339)."""
        return await self._call("GET", "/v1/wallet", params={"at": at})

    async def export_key(self) -> Answer:
        """The private key of the handle's address: anybody who has it can take everything there."""
        address = (await self.public())["address"]
        confirm = f"@{self.handle} exports the key of {address}"
        return await self._call("POST", "/v1/wallet/key/export", {"confirm": confirm})

    async def balances(self) -> list[dict[str, Any]]:
        """Every balance of the handle, as the API returns them."""
        balances: list[dict[str, Any]] = (await self.wallet())["balances"]
        return balances

    async def deposit(self, amount: str, asset: str, key: str | None = None) -> Answer:
        return await self._call("POST", "/v1/deposits", MoneyRequest(amount, asset), key=key)

    async def withdraw(self, amount: str, asset: str, key: str | None = None) -> Answer:
        return await self._call("POST", "/v1/withdrawals", MoneyRequest(amount, asset), key=key)

    async def convert(self, amount: str, asset: str, to_asset: str, key: str | None = None) -> Answer:
        asked = ConversionRequest(amount, asset, to_asset)
        return await self._call("POST", "/v1/conversions", asked, key=key)

    async def pay(
        self,
        to: str,
        amount: str,
        asset: str,
        memo: str | None = None,
        capture: bool = True,
        key: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Answer:
        asked = PaymentRequest(to, amount, asset, memo, capture, reference, dict(metadata) if metadata else None)
        return await self._call("POST", "/v1/payments", asked, key=key)

    async def pay_request(self, id: str, key: str | None = None) -> Answer:
        """Pay a request."""
        with self.told():
            asked = payment_of(await self.api.requests.get(id))
        return await self._call("POST", "/v1/payments", asked, key=key)

    async def pay_many(self, rows: Sequence[Mapping[str, str]], key: str) -> list[Answer]:
        """Pay rows of `to`, `amount`, `asset`, `idempotency_key` and perhaps `memo`; a result for each, in order.

        They are sent and answered as NDJSON: nothing is stored under the batch's own `key`, only under the rows' keys.
        Also raises OutcomeUnknown if the answer ends before its last row.
        """
        lines = b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
        with self.told():
            answered = await self._client.calls.exchange(
                "/v1/payments/batch", lines, "application/x-ndjson", key, _MANY_ANSWER_SECONDS
            )
        try:
            results = [Answer(json.loads(line)) for line in answered.splitlines()]
        except (ValueError, TypeError):
            results = []
        if [one.get("index") for one in results] != list(range(len(rows))):
            raise OutcomeUnknown(self._url, key)
        return results

    async def preview(self, to: str, amount: str, asset: str) -> Answer:
        return await self._call("POST", "/v1/payments/preview", PaymentRequest(to, amount, asset))

    async def end(
        self,
        verb: Literal["capture", "void", "refund"],
        id: str,
        amount: str | None = None,
        key: str | None = None,
        reference: str | None = None,
    ) -> Answer:
        """Capture, void or refund a payment; a refund may have a reference."""
        asked = {
            "capture": AmountRequest(amount),
            "void": NothingRequest(),
            "refund": RefundRequest(amount, reference),
        }
        return await self._call("POST", f"/v1/payments/{quote(id, safe='')}/{verb}", asked[verb], key=key)

    async def draw(self, id: str, amount: str, key: str | None = None) -> Answer:
        return await self._call("POST", f"/v1/mandates/{quote(id, safe='')}/draws", DrawRequest(amount), key=key)

    async def last_event(self) -> str | None:
        """The id of the newest event; None if there is none."""
        found = await self._call("GET", "/v1/events", params={"order": "newest_first", "limit": 1})
        return next((str(one["id"]) for one in found["items"]), None)

    async def tail(self, kind: str | None, after: str | None) -> AsyncGenerator[client.Event, None]:
        """Events as they happen, after the event `after`, over any number of connections. Raises NoGateway once the
        gateway has been unavailable for `_AWAY_SECONDS`, and Answered.
        """
        retry = client.Retry(seconds=_AWAY_SECONDS)
        with self.told():
            async with (
                client.AsyncClient(self._url, self._api_key, retry=retry, trust_env=False) as patient,
                aclosing(patient.events.stream(after=after, of_type=kind)) as events,
            ):
                async for event in events:
                    yield event

    async def challenge(self, address: str) -> Answer:
        """The text that the key of `address` has to sign to bind the address to this wallet."""
        return await self._call("POST", "/v1/wallet/address/challenge", {"address": address})

    async def bind(self, message: str, signature: str) -> Answer:
        return await self._call("POST", "/v1/wallet/address", {"message": message, "signature": signature})

    async def sign(self, id: str, signature: str) -> Answer:
        """Submit the payer's signature of a payment that waits for it."""
        return await self._call("POST", f"/v1/payments/{quote(id, safe='')}/signature", SignatureRequest(signature))

    async def present(self, asset: str, authorization: Mapping[str, str]) -> Answer:
        """Submit a signed authorization. Submitting it again finds the same payment."""
        return await self._call("POST", "/v1/authorizations", {"asset": asset, **authorization}, signed=False)

    async def show(self, kind: str, id: str) -> Answer:
        """Get a payment or a conversion. `plural` is the segment of its path."""
        return await self._call("GET", f"/v1/{kind}/{quote(id, safe='')}")

    async def follow(
        self, kind: str, first: dict[str, Any], look: Callable[["Client"], Awaitable[Answer]] | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """Follow a payment or conversion: yields `first`, and then whenever its state has changed. It is found by its
        id or by `look`.
        """
        found, pause = first, _LOOK_SECONDS
        yield found
        while found["state"] in _PASSING:
            await asyncio.sleep(pause)
            pause = min(pause * 1.1, _LOOK_SECONDS_MAX)
            seen, found = found["state"], await (look(self) if look else self.show(kind, found["id"]))
            if found["state"] != seen:
                yield found

    async def payments(self, limit: int, cursor: str | None = None, **filters: str | None) -> Answer:
        """The payments from and to the handle that match the filters, newest first. The filters have the API's
        names.
        """
        return await self._call("GET", "/v1/payments", params={"limit": limit, "cursor": cursor, **filters})

    async def statement(
        self,
        asset: str,
        limit: int,
        cursor: str | None = None,
        since: str | None = None,
        until: str | None = None,
    ) -> Answer:
        """The handle's entries in one asset, from `since` on and before `until` (RFC 3339), newest first."""
        params = {"asset": asset, "limit": limit, "cursor": cursor, "from": since, "until": until}
        return await self._call("GET", "/v1/entries", params=params)

    async def _call(
        self,
        method: str,
        path: str,
        body: object = None,
        key: str | None = None,
        signed: bool = True,
        params: dict[str, Any] | None = None,
    ) -> Answer:
        if method == "POST" and signed:
            key = key or secrets.token_hex(16)
        with self.told():
            sent = await self._client.calls.send(method, path, dict[str, Any], body, params, key, signed=signed)
        answer = Answer(sent.value)
        answer.replayed = sent.replayed
        return answer

    def _api_key(self) -> str:
        return key_file.read(self._key_file, self.handle)
