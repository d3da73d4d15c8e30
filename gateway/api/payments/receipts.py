"""Receipts of payments as PDFs."""

from typing import Annotated

from litestar import Response, get
from litestar.params import QueryParameter

from gateway.api.payments.payments import PaymentPath, payment_id
from gateway.api.pdf import PDF, Locale
from gateway.http.services import Services
from gateway.identity.wallet import Wallet
from gateway.notifications.texts.language import Language, check_time_zone
from gateway.payments.records import records, transaction
from gateway.statements.receipt import Receipt

TimeZone = Annotated[
    str,
    QueryParameter(
        description="The time zone of times in the file (IANA).", schema_extra={"examples": ["Asia/Bangkok"]}
    ),
]


@get(
    "/v1/payments/{id:str}/receipt.pdf",
    tags=["Payments"],
    summary="Get a receipt as PDF",
    needs="read",
    problems=("not_found",),
    media_type=PDF,
)
async def get_receipt_pdf(
    id: PaymentPath, services: Services, caller: Wallet, time_zone: TimeZone = "UTC", language: Locale = "en"
) -> Response[bytes]:
    """Returns a receipt: payer, payee, amount, time and state; for a token payment also the chain, the transaction and
    the final block. The payer and the payee can get it. The receipt of a payment that has not settled says so.
    """
    check_time_zone(time_zone)
    return await pdf_of(services, await receipt_of(services, caller, id, Language(language, time_zone)))


async def receipt_of(services: Services, caller: Wallet, id: str, language: Language) -> Receipt:
    """The receipt of a payment, for its payer and its payee. Raises NotFound for anybody else."""
    of = payment_id(id)
    async with services.database.reading() as connection:
        payment = await records.payment(connection, services.settings.assets, of, caller.id)
        block = await transaction.final_block_of(connection, of)
    return Receipt.of(payment, caller.id, block, language, caller.handle, services.clock())


async def pdf_of(services: Services, receipt: Receipt) -> Response[bytes]:
    """The answer with the file, for a browser to download (RFC 6266)."""
    headers = {"Content-Disposition": f'attachment; filename="receipt-{receipt.id}.pdf"', "Cache-Control": "no-store"}
    return Response(await services.pdfs.make(receipt), media_type=PDF, headers=headers)
