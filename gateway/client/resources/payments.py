"""Payments. Amounts are decimal strings, such as "12.50", with no more decimals than the asset has.

`idempotency_key` identifies a call that moves money: the same call with the same key, from another process or a year
later, returns the first answer. Without it, the client makes one for all attempts of the call.
"""

import secrets
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Final
from urllib.parse import quote

from gateway.api.payments.shapes import (
    AmountRequest,
    BulkPaymentRequest,
    BulkResultView,
    NothingRequest,
    PaymentRequest,
    PaymentsPage,
    PaymentView,
    PreviewView,
    RefundRequest,
    SignatureRequest,
)
from gateway.client.exceptions import StillPending
from gateway.client.resources.events import when_it_may_have_changed
from gateway.client.sync_async import Mode, Resource, call, iterator

#: The final states.
ENDED: Final = frozenset({"settled", "failed", "voided", "expired", "declined"})

#: How long the answer to a batch of payments may take, in seconds.
_MANY_SECONDS: Final = 300.0

Metadata = Mapping[str, str | int | float | bool]


class Payments(Resource[Mode]):
    @call
    async def create(
        self,
        to: str,
        amount: str,
        asset: str,
        *,
        memo: str | None = None,
        capture: bool = True,
        reference: str | None = None,
        metadata: Metadata | None = None,
        request: str | None = None,
        idempotency_key: str | None = None,
    ) -> PaymentView:
        """Pay `to`, an @handle or an address. With `capture=False` the money is held, to capture or void it later. With
        `request` it pays that request, and must match it.

        Raises ProblemError (`insufficient_funds`, `unknown_payee`, …), OutcomeUnknown and NoAnswer.
        """
        asked = _asked(to, amount, asset, memo, capture, reference, metadata, request)
        return await self._calls.move("/v1/payments", PaymentView, asked, idempotency_key)

    @call
    async def preview(
        self, to: str, amount: str, asset: str, *, memo: str | None = None, capture: bool = True
    ) -> PreviewView:
        """Preview a payment: its route, fee and approvals. No money moves."""
        asked = _asked(to, amount, asset, memo, capture, None, None)
        return (await self._calls.send("POST", "/v1/payments/preview", PreviewView, asked, repeatable=True)).value

    @call
    async def get(self, id: str) -> PaymentView:
        """Get a payment. Raises ProblemError (`not_found`)."""
        return await self._calls.get(_path(id), PaymentView)

    @iterator
    async def list(
        self,
        *,
        state: str | None = None,
        asset: str | None = None,
        rail: str | None = None,
        reference: str | None = None,
        memo: str | None = None,
        payer: str | None = None,
        payee: str | None = None,
        counterparty: str | None = None,
        created_from: str | None = None,
        created_until: str | None = None,
        amount_min: str | None = None,
        amount_max: str | None = None,
        page_size: int = 200,
    ) -> AsyncGenerator[PaymentView, None]:
        """Payments from and to the wallet that match every filter, newest first. Pages are fetched as they are
        needed.
        """
        wanted = {"state": state, "asset": asset, "rail": rail, "reference": reference, "memo": memo}
        wanted |= {"from": payer, "to": payee, "counterparty": counterparty}
        wanted |= {"created_from": created_from, "created_until": created_until}
        wanted |= {"amount_min": amount_min, "amount_max": amount_max}
        cursor: str | None = None
        while True:
            page = await self._calls.get("/v1/payments", PaymentsPage, limit=page_size, cursor=cursor, **wanted)
            for payment in page.items:
                yield payment
            if (cursor := page.next_cursor) is None:
                return

    @call
    async def capture(self, id: str, amount: str | None = None, *, idempotency_key: str | None = None) -> PaymentView:
        """Capture a held payment, in full or in part; the rest is returned to the payer."""
        return await self._calls.move(_path(id, "capture"), PaymentView, AmountRequest(amount), idempotency_key)

    @call
    async def void(self, id: str, *, idempotency_key: str | None = None) -> PaymentView:
        """Void a held payment: its money is returned to the payer."""
        return await self._calls.move(_path(id, "void"), PaymentView, NothingRequest(), idempotency_key)

    @call
    async def refund(
        self,
        id: str,
        amount: str | None = None,
        *,
        reference: str | None = None,
        metadata: Metadata | None = None,
        idempotency_key: str | None = None,
    ) -> PaymentView:
        """Refund the rest of a settled payment, or a part of it. Returns the refund, which is a payment too."""
        asked = RefundRequest(amount, reference, None if metadata is None else dict(metadata))
        return await self._calls.move(_path(id, "refund"), PaymentView, asked, idempotency_key)

    @call
    async def create_many(
        self, payments: Sequence[BulkPaymentRequest], *, all_or_none: bool = False, idempotency_key: str | None = None
    ) -> Sequence[BulkResultView]:
        """Pay up to 10,000 at once: a result for each, in order, with the `status` and `problem` that it would have had
        alone. With `all_or_none`, for up to 1,000 payments, either all are paid or none, and a refusal raises
        ProblemError.
        """
        key = idempotency_key or secrets.token_hex(16)
        kind, mode = tuple[BulkResultView, ...], {"mode": "all" if all_or_none else "each"}
        path, seconds = "/v1/payments/batch", _MANY_SECONDS
        return (await self._calls.send("POST", path, kind, payments, mode, key, read_seconds=seconds)).value

    @iterator
    async def waiting(self, page_size: int = 200) -> AsyncGenerator[PaymentView, None]:
        """Payments that wait for the wallet's approval by a passkey, or for its own key's signature, newest first."""
        cursor: str | None = None
        while True:
            page = await self._calls.get("/v1/payments/waiting", PaymentsPage, limit=page_size, cursor=cursor)
            for payment in page.items:
                yield payment
            if (cursor := page.next_cursor) is None:
                return

    @call
    async def sign(self, id: str, signature: str) -> PaymentView:
        """Submit the signature over a payment's `to_sign` by the wallet's own key: `0x` and hex digits."""
        asked = SignatureRequest(signature)
        return (await self._calls.send("POST", _path(id, "signature"), PaymentView, asked, repeatable=True)).value

    @call
    async def report_unauthorized(self, id: str) -> PaymentView:
        """Report a payment from the wallet as unauthorized. The wallet is frozen: no money leaves it until its owner's
        passkey or operators unfreeze it; and the payment is ended if it still can be. The `read` scope is sufficient.
        """
        return (await self._calls.send("POST", _path(id, "report-unauthorized"), PaymentView, repeatable=True)).value

    @call
    async def wait(self, id: str, timeout: float | None = None) -> PaymentView:  # noqa: ASYNC109 - also where it blocks
        """Wait until a payment has ended (settled, failed, voided, expired or declined), by the event stream, and
        return it.

        Raises StillPending after `timeout` seconds; None: waits without a limit. A payment that is held or waits for
        its payer's approval does not end before somebody acts.
        """
        ends = None if timeout is None else time.monotonic() + timeout
        async for _ in when_it_may_have_changed(self._calls, id, ends):
            payment = await self._calls.get(_path(id), PaymentView)
            if payment.state in ENDED:
                return payment
        raise StillPending(payment, timeout or 0.0)


def _asked(
    to: str,
    amount: str,
    asset: str,
    memo: str | None,
    capture: bool,
    reference: str | None,
    metadata: Metadata | None,
    request: str | None = None,
) -> PaymentRequest:
    noted = None if metadata is None else dict(metadata)
    return PaymentRequest(to, amount, asset, memo, capture, reference, noted, request)


def _path(id: str, *verb: str) -> str:
    return "/".join(["/v1/payments", quote(id, safe=""), *verb])
