"""Payments: pay, preview, get, list, sign, capture, void, refund."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from litestar import Request, Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from litestar.types import Scope
from msgspec import Struct
from msgspec.structs import replace

from gateway.api.fields import signature_bytes
from gateway.api.payments.idempotency import Batcher, answer_idempotently, claim_of
from gateway.api.payments.shapes import (
    AmountRequest,
    NothingRequest,
    PaymentRequest,
    PaymentsPage,
    PaymentView,
    PreviewView,
    RefundRequest,
    SignatureRequest,
)
from gateway.api.payments.views import payment_view, preview_view
from gateway.errors import AmountTooPrecise, GatewayError, InvalidAmount
from gateway.http import instrumentation
from gateway.http.answer.problems import END_PROBLEMS, KEY_PROBLEMS, MONEY_PROBLEMS, PAY_PROBLEMS, REQUEST_PROBLEMS
from gateway.http.request.cursor import cursor_position, cursor_text
from gateway.http.request.parameters import Cursor, Limit, asset_parameter, id_of, path_id, refused
from gateway.http.request.times import period_of, time_parameter
from gateway.http.services import Services
from gateway.idempotency import Unbatched
from gateway.identity.credential import Credential
from gateway.identity.wallet import Wallet
from gateway.ids import PaymentId, RequestId, read, show
from gateway.metrics.traffic import NO_RAIL
from gateway.money import Asset, Assets, Money
from gateway.payments import pay as paying
from gateway.payments.ends import capture_void
from gateway.payments.ends import refund as refunding
from gateway.payments.ends.capture_void import EndRequest
from gateway.payments.ends.refund import Refund
from gateway.payments.model.note import check_reference, note_of
from gateway.payments.model.payment import Payment, State
from gateway.payments.model.route import RailName, rails_of
from gateway.payments.own_key import sign
from gateway.payments.pay import PayRequest
from gateway.payments.records import records, search
from gateway.payments.records.search import PaymentFilter
from gateway.payments.requests.request import PREFIX
from gateway.postgres.pool import Connection

#: The noun in a NotFound for an unknown id in the path.
PaymentPath = Annotated[str, path_id("pay", "The payment's id.")]


def _filter(description: str, example: str) -> QueryParameter:
    return QueryParameter(description=description, schema_extra={"examples": [example]})


ACCEPTED = {
    202: ResponseSpec(
        PaymentView,
        description="Accepted: it settles on the chain, or waits for the payer's approval or signature.",
        generate_examples=False,
    )
}


@post(
    "/v1/payments",
    tags=["Payments"],
    summary="Pay a handle or an address",
    response_description="Settled, or held for capture, in the ledger.",
    responses=ACCEPTED,
    needs="pay",
    names=True,
    capped=True,
    problems=(
        *(*MONEY_PROBLEMS, *KEY_PROBLEMS, *PAY_PROBLEMS, *REQUEST_PROBLEMS),
        *("insufficient_funds", "in_recovery", "payment_restored"),
    ),
)
async def pay(
    request: Request[Any, Any, Any], data: PaymentRequest, services: Services, credential: Credential
) -> Response[PaymentView]:
    """Makes a payment. A ledger payment is settled, or held for capture, when the call returns (201). A token payment
    is accepted (202), and settles when its block is final.

    If the payer signs with their own key, a token payment has the state `requires_confirmation`, and `to_sign` is the
    data to sign. If the wallet's policy requires an approval, any payment has that state, and `approval` has the
    reasons.
    """
    caller = credential.wallet
    note_payment(request.scope, data, services.settings.assets)
    # Most payments are answered by the fast path, with the same answers: see fast/.
    asked = asked_of(services, data, credential)
    if shares_commits(caller, asked):
        together: Payments = request.app.state.payments
        claim = claim_of(services, request, caller, data)
        return await together.answer(claim, (caller, replace(asked, claim=claim)))

    async def operation(connection: Connection, now: datetime) -> tuple[int, Struct]:
        payment = await paying.pay(connection, services.settings, caller, asked, now)
        to_sign = await sign.to_sign(connection, services.settings, payment)
        return status_of(payment), payment_view(payment, caller.id, to_sign)

    return await answer_idempotently(services, request, caller, data, operation)


@post(
    "/v1/payments/preview",
    tags=["Payments"],
    summary="Preview a payment",
    status_code=200,
    needs="read",
    names=True,
    problems=(*MONEY_PROBLEMS, *PAY_PROBLEMS, *REQUEST_PROBLEMS, "in_recovery"),
)
async def preview(data: PaymentRequest, services: Services, caller: Wallet, credential: Credential) -> PreviewView:
    """Returns the route, the fee, the balance that would be available afterwards, and why the payment would need an
    approval. No money moves. A payment that would be refused is refused here with the same problem, except for
    insufficient funds, which are reported as `refusal`.
    """
    asked = asked_of(services, data, credential)
    async with services.database.snapshot() as connection:
        return preview_view(await paying.preview(connection, services.settings, caller, asked, services.clock()))


@get("/v1/payments/{id:str}", tags=["Payments"], summary="Get a payment", needs="read", problems=("not_found",))
async def get_payment(id: PaymentPath, services: Services, caller: Wallet) -> PaymentView:
    """Returns a payment, to its payer and its payee."""
    async with services.database.reading() as connection:
        payment = await records.payment(connection, services.settings.assets, payment_id(id), caller.id)
        return payment_view(payment, caller.id, await sign.to_sign(connection, services.settings, payment))


@get("/v1/payments", tags=["Payments"], summary="List payments", needs="read", problems=("unknown_asset",))
async def list_payments(
    services: Services,
    caller: Wallet,
    limit: Limit = 50,
    cursor: Cursor = None,
    in_state: Annotated[State | None, QueryParameter(name="state", description="Only payments in this state.")] = None,
    asset: Annotated[str | None, asset_parameter("Only payments of this asset.")] = None,
    rail: Annotated[RailName | None, QueryParameter(description="Only payments on this rail.")] = None,
    reference: Annotated[str | None, _filter("The caller's own reference, exactly.", "order-17")] = None,
    memo: Annotated[str | None, _filter("The whole memo, exactly.", "lunch")] = None,
    from_: Annotated[
        str | None,
        QueryParameter(
            name="from", description="The payer: @handle or address.", schema_extra={"examples": ["@alice"]}
        ),
    ] = None,
    to: Annotated[str | None, _filter("Who was paid: @handle or address.", "@bob")] = None,
    counterparty: Annotated[str | None, _filter("The other side, whoever paid: @handle or address.", "@bob")] = None,
    created_from: Annotated[
        str | None, time_parameter("created_from", "Created at this time (RFC 3339) or later.")
    ] = None,
    created_until: Annotated[
        str | None, time_parameter("created_until", "Created before this time (RFC 3339).")
    ] = None,
    amount_min: Annotated[str | None, _filter("Of this amount or more: a decimal, with `asset`.", "10.00")] = None,
    amount_max: Annotated[str | None, _filter("Of this amount or less: a decimal, with `asset`.", "50.00")] = None,
) -> PaymentsPage:
    """Lists payments from and to the caller that match every filter, newest first. With filters a page may have fewer
    than `limit` payments, or none, although more follow: continue until `next_cursor` is null.
    """
    before = PaymentId(read("pay", cursor_position(cursor))) if cursor else None
    of = None if asset is None else services.settings.assets.of_wallet(asset)
    if reference is not None:
        check_reference(reference)
    where = PaymentFilter(
        *(in_state, of, memo, from_, to, counterparty, reference, rail),
        period_of("created_from", created_from, "created_until", created_until),
        _amount("amount_min", amount_min, of),
        _amount("amount_max", amount_max, of),
    )
    async with services.database.reading() as connection:
        if where == PaymentFilter():
            page = await records.payments_page(connection, services.settings.assets, caller.id, before, limit)
            last = page[-1].id if len(page) == limit else None
        else:
            page, last = await search.find(connection, services.settings.assets, caller.id, where, before, limit)
    return PaymentsPage(
        [payment_view(one, caller.id) for one in page], cursor_text(show("pay", last)) if last else None
    )


@get("/v1/payments/waiting", tags=["Approvals"], summary="List payments that wait for you", needs="read")
async def list_waiting_payments(
    services: Services, caller: Wallet, limit: Limit = 50, cursor: Cursor = None
) -> PaymentsPage:
    """Lists the caller's payments that wait for an approval by passkey, or for a signature by the caller's own key,
    newest first.
    """
    before = PaymentId(read("pay", cursor_position(cursor))) if cursor else None
    async with services.database.reading() as connection:
        page = await records.waiting_page(
            connection, services.settings.assets, caller.id, before, limit, services.clock()
        )
        items = [payment_view(one, caller.id, await sign.to_sign(connection, services.settings, one)) for one in page]
    return PaymentsPage(items, cursor_text(show("pay", page[-1].id)) if len(page) == limit else None)


Payments = Batcher[tuple[Wallet, PayRequest], Payment]


def payments_of(services: Services) -> Payments:
    """Payments that have to pass the checks; those of different payers share commits."""

    async def operation(
        connection: Connection, asked: Sequence[tuple[Wallet, PayRequest]], now: datetime
    ) -> list[Payment | GatewayError | Unbatched]:
        return await paying.pay_together(connection, services.settings, asked, now)

    return Batcher(
        services,
        operation,
        status_of,
        lambda asked, payment: payment_view(payment, asked[0].id),
        _has_its_key,
        name="payments",
    )


def status_of(payment: Payment) -> int:
    """201 if the ledger has settled or held the payment, 202 if it waits for the chain or for an approval."""
    return 201 if payment.route.rail == "ledger" and not payment.needs_approval else 202


Ends = Batcher[EndRequest, Payment]


def ends_of(services: Services) -> Ends:
    """Captures and voids; they share commits."""

    async def operation(
        connection: Connection, asked: Sequence[EndRequest], now: datetime
    ) -> list[Payment | GatewayError | Unbatched]:
        return await capture_void.end_all(connection, services.settings, asked, now)

    return Batcher(
        services,
        operation,
        lambda _: 200,
        lambda asked, payment: payment_view(payment, asked.caller),
        name="captures and voids",
    )


@post(
    "/v1/payments/{id:str}/capture",
    tags=["Payments"],
    summary="Capture a held payment",
    status_code=200,
    needs="pay",
    capped=True,
    problems=(
        *KEY_PROBLEMS,
        *END_PROBLEMS,
        *("withdrawals_frozen", "own_key", "wallet_frozen", "in_recovery", "payment_restored"),
    ),
)
async def capture(
    request: Request[Any, Any, Any], id: PaymentPath, data: AmountRequest, services: Services, caller: Wallet
) -> Response[PaymentView]:
    """Captures the payment in full or in part; the rest is returned to the payer."""
    ends: Ends = request.app.state.ends
    claim = claim_of(services, request, caller, data)
    return await ends.answer(claim, EndRequest("capture", payment_id(id), caller.id, data.amount))


@post(
    "/v1/payments/{id:str}/void",
    tags=["Payments"],
    summary="Void a held payment",
    status_code=200,
    needs="pay",
    capped=True,
    problems=(*KEY_PROBLEMS, "not_found", "state_conflict"),
)
async def void(
    request: Request[Any, Any, Any], id: PaymentPath, data: NothingRequest, services: Services, caller: Wallet
) -> Response[PaymentView]:
    """Voids the payment: its money is available to the payer again."""
    ends: Ends = request.app.state.ends
    claim = claim_of(services, request, caller, data)
    return await ends.answer(claim, EndRequest("void", payment_id(id), caller.id))


@post(
    "/v1/payments/{id:str}/signature",
    tags=["Payments"],
    summary="Sign a payment with your own key",
    status_code=200,
    needs="pay",
    capped=True,
    problems=("not_found", "invalid_signature", "state_conflict", "withdrawals_frozen", "wallet_frozen", "in_recovery"),
)
async def sign_payment(id: PaymentPath, data: SignatureRequest, services: Services, caller: Wallet) -> PaymentView:
    """Submits the signature of the payment's `to_sign`, by the key of the payer's address or in the form that the
    contract at that address accepts, and queues the payment. Sending the same signature again returns the payment in
    its current state.
    """
    signed = signature_bytes(data.signature)
    of = payment_id(id)
    signed_payment = await sign.sign(
        services.database, services.node, services.settings, caller.id, of, signed, services.clock()
    )
    return payment_view(signed_payment, caller.id)


@post(
    "/v1/payments/{id:str}/refund",
    tags=["Payments"],
    summary="Refund a settled payment",
    needs="refund",
    problems=(
        *KEY_PROBLEMS,
        *END_PROBLEMS,
        *("refund_exceeds_payment", "wallet_frozen", "cap_exceeded", "grant_not_approved", "in_recovery"),
        *("payment_restored", "unknown_payee"),
    ),
)
async def refund(
    request: Request[Any, Any, Any], id: PaymentPath, data: RefundRequest, services: Services, credential: Credential
) -> Response[PaymentView]:
    """Refunds the rest of the payment, or a part of it. The refund is a payment of its own, whose `refund_of` is
    the refunded payment. Its reference and metadata are the refunder's.
    """

    caller = credential.wallet
    written = note_of(caller.id, data.reference, data.metadata)
    asked = Refund(caller, payment_id(id), data.amount, credential, written)
    if not caller.signs_itself:
        refunds: Refunds = request.app.state.refunds
        claim = claim_of(services, request, caller, data)
        return await refunds.answer(claim, replace(asked, claim=claim))

    async def operation(connection: Connection, now: datetime) -> tuple[int, Struct]:
        payment = await refunding.refund(connection, services.settings, asked, now)
        return 201, payment_view(payment, caller.id, await sign.to_sign(connection, services.settings, payment))

    return await answer_idempotently(services, request, caller, data, operation)


Refunds = Batcher[Refund, Payment]


def refunds_of(services: Services) -> Refunds:
    """Refunds; they share commits, except token refunds that have to be signed with the refunder's own key."""

    async def operation(
        connection: Connection, asked: Sequence[Refund], now: datetime
    ) -> list[Payment | GatewayError | Unbatched]:
        return await refunding.refund_all(connection, services.settings, asked, now)

    return Batcher(
        services,
        operation,
        lambda _: 201,
        lambda asked, payment: payment_view(payment, asked.caller.id),
        _has_its_key,
        name="refunds",
    )


def _has_its_key(payment: Payment) -> bool:
    return payment.has_its_key


def note_payment(scope: Scope, data: PaymentRequest, assets: Assets) -> None:
    """Record the request for metrics. With an unknown asset it has no rail."""
    instrumentation.note_payment(scope, rails_of(assets).get(data.asset, NO_RAIL), is_hold=not data.capture)


def shares_commits(caller: Wallet, asked: PayRequest) -> bool:
    """Whether a payment shares its commit with others: all do but token payments that the payer's own key signs."""
    return asked.money.asset.kind != "token" or not caller.signs_itself


def asked_of(services: Services, data: PaymentRequest, by: Credential) -> PayRequest:
    """The payment that the body describes. Raises UnknownAsset, InvalidAmount, AmountTooPrecise, InvalidRequest (its
    note), NotFound (the request for money that it pays).
    """
    return pay_request(data, services.settings.assets.of_wallet(data.asset).parse_positive(data.amount), by)


def pay_request(data: PaymentRequest, money: Money, by: Credential) -> PayRequest:
    """The payment of `money` that the body describes. Raises InvalidRequest (its note), NotFound (the request for money
    that it pays).
    """
    written = note_of(by.wallet.id, data.reference, data.metadata)
    paid = None if data.request is None else request_id(data.request)
    return PayRequest(data.to, money, data.memo, data.capture, by, written, request=paid)


def _amount(name: str, text: str | None, asset: Asset | None) -> Money | None:
    """An amount to filter by. Raises InvalidRequest if it is not an amount of the asset, or no asset is given."""
    if text is None:
        return None
    if asset is None:
        raise refused(name, text, "send asset with it, since amounts of different assets do not compare")
    try:
        return asset.parse(text)
    except (InvalidAmount, AmountTooPrecise) as refusal:
        raise refused(name, text, str(refusal)) from None


def request_id(text: str) -> RequestId:
    """The id of a request for money. Raises NotFound if the text is not one."""
    return RequestId(id_of(PREFIX, text, f"request {text[:60]}"))


def payment_id(text: str) -> PaymentId:
    """The id in a path. Raises NotFound if it is not a payment's id."""
    return PaymentId(id_of("pay", text, f"payment {text[:60]}"))
