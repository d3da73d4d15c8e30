"""Receipts of any payment, for operators."""

from litestar import Response, get

from gateway.api.operators.running.payments import WHAT, PaymentPath
from gateway.api.payments.receipts import TimeZone, pdf_of
from gateway.api.pdf import PDF, Locale
from gateway.errors import NotFound
from gateway.http.request.parameters import id_of
from gateway.http.services import Services
from gateway.ids import PaymentId
from gateway.notifications.texts.language import Language, check_time_zone
from gateway.operators.operators import Operator
from gateway.payments.records import records, transaction
from gateway.statements.receipt import Receipt


@get(
    "/v1/operator/payments/{id:str}/receipt.pdf",
    tags=["Operators"],
    summary="Get any payment's receipt as PDF",
    needs="operator",
    problems=("not_found",),
    media_type=PDF,
)
async def get_receipt_as_operator(
    id: PaymentPath, services: Services, operator: Operator, time_zone: TimeZone = "UTC", language: Locale = "en"
) -> Response[bytes]:
    """Returns the receipt that the payer and the payee get, without their notes."""
    check_time_zone(time_zone)
    return await pdf_of(services, await any_receipt_of(services, operator, id, Language(language, time_zone)))


async def any_receipt_of(services: Services, operator: Operator, id: str, language: Language) -> Receipt:
    """The receipt of any payment. Raises NotFound."""
    of = PaymentId(id_of("pay", id, WHAT))
    async with services.database.reading() as connection:
        found = await records.payments_of(connection, services.settings.assets, [of])
        if of not in found:
            raise NotFound(WHAT)
        block = await transaction.final_block_of(connection, of)
    return Receipt.of(found[of], None, block, language, f"operator {operator.name}", services.clock())
