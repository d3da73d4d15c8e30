"""The list of payments, and a page for each."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from litestar import Request, Response
from litestar.params import PathParameter

from gateway.api.identity.handles import get_handle
from gateway.api.payments.payments import get_payment, list_payments, payment_id
from gateway.api.payments.receipts import receipt_of
from gateway.api.payments.shapes import PaymentView
from gateway.errors import GatewayError
from gateway.http.services import Services
from gateway.identity.sign_in.passkey_verification import party_of
from gateway.identity.wallet import Wallet
from gateway.ids import show
from gateway.payments.model.state import State
from gateway.payments.records.transaction import final_block_of
from gateway.statements.receipt import Receipt
from gateway.web.owned import answer, own_page, reader_for
from gateway.web.problems import why_of
from gateway.web.reader import Reader

#: How many payments are on a page.
_PAGE: Final = 30


@own_page("/payments")
async def payments_page(request: Request[Any, Any, Any], services: Services, caller: Wallet) -> Response[bytes]:
    """All payments, newest first, by day. Filters: `person`, `asset`, `state`, `from` and `until` (dates)."""
    reader, asked = reader_for(request), request.query_params
    filters = {name: asked.get(name, "").strip() for name in ("person", "asset", "state", "from", "until")}
    found, problem = None, ""
    try:
        found = await list_payments.fn(
            services,
            caller,
            limit=_PAGE,
            cursor=asked.get("cursor"),
            counterparty=_person(filters["person"]),
            asset=filters["asset"] or None,
            in_state=State(filters["state"]) if filters["state"] in set(State) else None,
            created_from=reader.begin_of(filters["from"]),
            created_until=reader.end_of(filters["until"]),
        )
    except GatewayError as error:
        problem = why_of(error, reader)
    items = found.items if found else []
    return answer(
        request,
        "wallet/payments.html",
        me=caller.handle,
        days=list(_by_day(items, reader)),
        filters=filters,
        is_filtered=any(filters.values()),
        problem=problem,
        states=[one.value for one in State],
        assets=[one.code for one in services.settings.assets.spendable()],
        more=_address(filters, found.next_cursor) if found and found.next_cursor else "",
    )


@own_page("/payments/{id:str}", follows=True)
async def payment_page(
    id: Annotated[str, PathParameter()], request: Request[Any, Any, Any], services: Services, caller: Wallet
) -> Response[bytes]:
    """A payment: its details, its state, and the possible actions."""
    payment = await get_payment.fn(id, services, caller)
    block = None
    if payment.tx_hash:
        async with services.database.reading() as connection:
            block = await final_block_of(connection, payment_id(id))
    asks = payment.approval is not None and payment.to.startswith("@")
    payee = (await get_handle.fn(payment.to, services)).wallet_id if asks else payment.to
    return answer(
        request,
        "wallet/payment.html",
        me=caller.handle,
        payment=payment,
        block=block,
        payee_wallet=payee,
        wallet_id=show("wal", caller.id),
    )


@own_page("/payments/{id:str}/receipt")
async def receipt_page(
    id: Annotated[str, PathParameter()], request: Request[Any, Any, Any], services: Services, caller: Wallet
) -> Response[bytes]:
    """The receipt of a payment, to print, to keep and to share."""
    receipt = await receipt_of(services, caller, id, reader_for(request).language)
    return answer(
        request,
        "wallet/receipt.html",
        me=caller.handle,
        receipt=receipt,
        link=f"{party_of(services.public_url).origin}/payments/{receipt.id}/receipt",
        file=file_of(f"/v1/payments/{receipt.id}/receipt.pdf", receipt),
    )


def file_of(path: str, receipt: Receipt) -> str:
    """The address of the same receipt as a PDF."""
    return f"{path}?{urlencode({'language': receipt.locale, 'time_zone': receipt.time_zone})}"


def _person(text: str) -> str | None:
    """A handle as it was typed, with or without its @; or an address."""
    if not text or text.startswith(("@", "0x")):
        return text or None
    return f"@{text}"


def _by_day(items: Sequence[PaymentView], reader: Reader) -> Iterator[tuple[str, list[PaymentView]]]:
    for day, payments in groupby(items, lambda one: reader.day(one.created_at)):
        yield day, list(payments)


def _address(filters: dict[str, str], cursor: str) -> str:
    return "/payments?" + urlencode({**{k: v for k, v in filters.items() if v}, "cursor": cursor})
