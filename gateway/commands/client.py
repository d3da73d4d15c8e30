"""What a person does with a handle, over the same HTTP API as everybody else.

A handle's API key lies in `<home>/keys/<handle>`, a file that its owner alone can read.
"""

import os
import secrets
from pathlib import Path
from typing import Any

import httpx

from gateway.errors import GatewayError, Misconfigured, Unavailable
from gateway.wallets.handle import fold


class Answered(GatewayError):
    """The gateway's refusal, in its own words: the `code` and `detail` of its problem document."""

    def __init__(self, problem: dict[str, Any]) -> None:
        self.problem = problem
        super().__init__()

    def __str__(self) -> str:
        return f"{self.problem.get('detail', 'refused')} ({self.problem.get('code', 'no code')})"


class Client:
    """One handle's way to a gateway. Money-moving calls take an idempotency key, or are given a fresh one."""

    def __init__(self, url: str, keys: Path, handle: str) -> None:
        self.handle = fold(handle)
        self._key_file = keys / self.handle
        self._http = httpx.AsyncClient(base_url=url, timeout=30, trust_env=False)

    async def close(self) -> None:
        await self._http.aclose()

    async def claim(self) -> dict[str, Any]:
        """Claim the handle and keep its API key. Raises Answered when it is taken."""
        claimed = await self._call("POST", "/v1/handles", {"handle": self.handle}, signed=False)
        self._keep(claimed["api_key"])
        return claimed

    async def claim_unless_ours(self) -> None:
        """Claim the handle, unless its API key is kept here already."""
        if not self._key_file.exists():
            await self.claim()

    async def wallet(self) -> dict[str, Any]:
        return await self._call("GET", "/v1/wallet")

    async def balances(self) -> list[dict[str, Any]]:
        """Every balance of the handle, as the API gives them."""
        balances: list[dict[str, Any]] = (await self.wallet())["balances"]
        return balances

    async def deposit(self, amount: str, asset: str, key: str | None = None) -> dict[str, Any]:
        return await self._call("POST", "/v1/deposits", {"amount": amount, "asset": asset}, key=key)

    async def withdraw(self, amount: str, asset: str, key: str | None = None) -> dict[str, Any]:
        return await self._call("POST", "/v1/withdrawals", {"amount": amount, "asset": asset}, key=key)

    async def convert(self, amount: str, asset: str, to_asset: str, key: str | None = None) -> dict[str, Any]:
        asked = {"amount": amount, "asset": asset, "to_asset": to_asset}
        return await self._call("POST", "/v1/conversions", asked, key=key)

    async def pay(
        self,
        to: str,
        amount: str,
        asset: str,
        memo: str | None = None,
        capture: bool = True,
        key: str | None = None,
    ) -> dict[str, Any]:
        asked = {"to": to, "amount": amount, "asset": asset, "memo": memo, "capture": capture}
        return await self._call("POST", "/v1/payments", asked, key=key)

    async def preview(self, to: str, amount: str, asset: str) -> dict[str, Any]:
        asked = {"to": to, "amount": amount, "asset": asset}
        return await self._call("POST", "/v1/payments/preview", asked)

    async def end(self, verb: str, id: str, amount: str | None = None, key: str | None = None) -> dict[str, Any]:
        """capture, void or refund a payment."""
        asked = {} if amount is None else {"amount": amount}
        return await self._call("POST", f"/v1/payments/{id}/{verb}", asked, key=key)

    async def show(self, kind: str, id: str) -> dict[str, Any]:
        """A payment or a conversion, by the plural that its path has."""
        return await self._call("GET", f"/v1/{kind}/{id}")

    async def payments(self, limit: int, cursor: str | None = None) -> dict[str, Any]:
        return await self._call("GET", "/v1/payments", params={"limit": limit, "cursor": cursor})

    async def statement(self, asset: str, limit: int, cursor: str | None = None) -> dict[str, Any]:
        return await self._call("GET", "/v1/entries", params={"asset": asset, "limit": limit, "cursor": cursor})

    async def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        key: str | None = None,
        signed: bool = True,
        params: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._api_key()}"} if signed else {}
        if method == "POST" and signed:
            headers["Idempotency-Key"] = key or secrets.token_hex(16)
        given = {name: value for name, value in (params or {}).items() if value is not None}
        try:
            response = await self._http.request(method, path, json=body, headers=headers, params=given)
        except httpx.HTTPError as gone:
            raise NoGateway(str(self._http.base_url), type(gone).__name__) from None
        answer: dict[str, Any] = response.json()
        if response.is_error:
            raise Answered(answer)
        return answer

    def _api_key(self) -> str:
        try:
            return self._key_file.read_text().strip()
        except OSError:
            raise Misconfigured(
                f"there is no API key of @{self.handle} in {self._key_file.parent}: "
                f"run 'gateway handle create {self.handle}', or put its key there"
            ) from None

    def _keep(self, api_key: str) -> None:
        """Write the key where only its owner can read it; it is shown this once and cannot be had again."""
        self._key_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(self._key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(api_key + "\n")
            file.flush()
            os.fsync(file.fileno())


class NoGateway(Unavailable):
    """Nobody answers at the URL."""

    def __init__(self, url: str, reason: str) -> None:
        self.url, self.reason = url, reason
        super().__init__()

    def __str__(self) -> str:
        return f"no gateway answers at {self.url} ({self.reason}); start one with scripts/up"
