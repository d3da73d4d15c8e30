"""Grants of the wallet's owner: API keys for programs, mandates for payees."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from urllib.parse import quote

from gateway.api.identity.shapes import CapView, KeyRequest, KeysPage, KeyView, NewKeyView, ReplaceKeyRequest
from gateway.api.payments.shapes import DrawRequest, MandateRequest, MandatesPage, MandateView, PaymentView
from gateway.client.resources.payments import Metadata
from gateway.client.sync_async import Mode, Resource, call, iterator
from gateway.payments.model.route import RailName


class ApiKeys(Resource[Mode]):
    @iterator
    async def list(self) -> AsyncGenerator[KeyView, None]:
        """The valid keys, newest first. A key itself is never shown again."""
        for one in (await self._calls.get("/v1/keys", KeysPage)).items:
            yield one

    @call
    async def create(
        self,
        name: str,
        scopes: Sequence[str],
        *,
        caps: Sequence[CapView] = (),
        networks: Sequence[str] = (),
        expires_in: int | None = None,
    ) -> NewKeyView:
        """Create a key for a program, such as with the scopes `read` and `pay`. `networks` are CIDR; `expires_in` is in
        seconds. `api_key` of the answer is shown only once: if the answer was lost, revoke the key.
        """
        asked = KeyRequest(name, [*scopes], [*caps], [*networks], expires_in)
        return (await self._calls.send("POST", "/v1/keys", NewKeyView, asked)).value

    @call
    async def replace(self, id: str, overlap: int = 3600) -> NewKeyView:
        """Create a key with the same rights. The old key stays valid for `overlap` seconds."""
        asked = ReplaceKeyRequest(overlap)
        return (await self._calls.send("POST", _path("keys", id, "replacement"), NewKeyView, asked)).value

    @call
    async def revoke(self, id: str) -> KeyView:
        """Revoke a key at once. Raises ProblemError (`not_found`, `last_owner_key`)."""
        return (await self._calls.send("DELETE", _path("keys", id), KeyView)).value


class Mandates(Resource[Mode]):
    @iterator
    async def list(self) -> AsyncGenerator[MandateView, None]:
        """The mandates that the wallet has granted or that were granted to it: the newest two hundred, newest first."""
        for one in (await self._calls.get("/v1/mandates", MandatesPage)).items:
            yield one

    @call
    async def grant(
        self,
        payee: str,
        asset: str,
        period: str,
        *,
        period_days: int = 30,
        draw: str | None = None,
        total: str | None = None,
        rail: RailName | None = None,
        expires_at: datetime | None = None,
    ) -> MandateView:
        """Let `payee`, a handle, draw up to `period` in any `period_days`, and up to `draw` at once and `total` in all.

        The owner of a guarded wallet grants mandates on the gateway's pages, with a passkey.
        """
        asked = MandateRequest(payee, asset, period, period_days, draw, total, rail, expires_at)
        return (await self._calls.send("POST", "/v1/mandates", MandateView, asked)).value

    @call
    async def revoke(self, id: str) -> MandateView:
        """Revoke a mandate. Payer and payee may both do so."""
        return (await self._calls.send("DELETE", _path("mandates", id), MandateView)).value

    @call
    async def draw(
        self,
        id: str,
        amount: str,
        *,
        memo: str | None = None,
        reference: str | None = None,
        metadata: Metadata | None = None,
        idempotency_key: str | None = None,
    ) -> PaymentView:
        """Draw by a mandate: a payment from the wallet that granted it. Raises ProblemError (`mandate_exceeded`, …)."""
        asked = DrawRequest(amount, memo, reference, None if metadata is None else dict(metadata))
        return await self._calls.move(_path("mandates", id, "draws"), PaymentView, asked, idempotency_key)


def _path(*parts: str) -> str:
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)
