"""Deposits, withdrawals and conversions. `idempotency_key` is the same as for payments."""

from urllib.parse import quote

from gateway.api.payments.shapes import BankMovementView, ConversionRequest, ConversionView, MoneyRequest
from gateway.client.sync_async import Mode, Resource, call


class Bank(Resource[Mode]):
    @call
    async def deposit(self, amount: str, asset: str, *, idempotency_key: str | None = None) -> BankMovementView:
        """Deposit money from the bank."""
        return await self._calls.move("/v1/deposits", BankMovementView, MoneyRequest(amount, asset), idempotency_key)

    @call
    async def withdraw(self, amount: str, asset: str, *, idempotency_key: str | None = None) -> BankMovementView:
        """Withdraw money to the bank."""
        return await self._calls.move("/v1/withdrawals", BankMovementView, MoneyRequest(amount, asset), idempotency_key)

    @call
    async def convert(
        self, amount: str, asset: str, to_asset: str, *, idempotency_key: str | None = None
    ) -> ConversionView:
        """Convert a currency into its token, or back. It settles when its block is final."""
        asked = ConversionRequest(amount, asset, to_asset)
        return await self._calls.move("/v1/conversions", ConversionView, asked, idempotency_key)

    @call
    async def conversion(self, id: str) -> ConversionView:
        """Get a conversion. Raises ProblemError (`not_found`)."""
        return await self._calls.get(f"/v1/conversions/{quote(id, safe='')}", ConversionView)
