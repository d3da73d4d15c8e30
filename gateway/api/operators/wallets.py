"""A wallet as operators see it."""

from collections.abc import Sequence
from typing import Annotated, Final

from litestar import get
from litestar.params import PathParameter

from gateway.api.identity.api_keys import key_view
from gateway.api.operators.audit_log import audit_event_views
from gateway.api.operators.operators import freeze_view
from gateway.api.operators.views import OperatorPaymentView, OperatorWalletView
from gateway.api.payments.approvals import policy_view
from gateway.api.payments.views import mandate_view
from gateway.api.wallets.wallets import get_wallet
from gateway.audit import log as audit
from gateway.clock import rfc3339
from gateway.controls import wallet_freeze
from gateway.http.services import Services
from gateway.identity import api_key
from gateway.identity import wallet as wallets
from gateway.ids import show
from gateway.operators import wallet_record
from gateway.operators.operators import Operator
from gateway.payments import policy_change
from gateway.payments.checks import caps, mandate
from gateway.payments.model.payment import Payment
from gateway.payments.records import records

#: How many payments and audit events are returned with it.
_PAYMENTS: Final = 10
_AUDIT_EVENTS: Final = 20


@get(
    "/v1/operator/wallets/{handle:str}",
    tags=["Operators"],
    summary="Get a wallet as an operator",
    needs="operator",
    problems=("invalid_handle", "unknown_handle"),
)
async def get_wallet_as_operator(
    handle: Annotated[str, PathParameter(description="The wallet's handle.", schema_extra={"examples": ["alice"]})],
    services: Services,
    operator: Operator,
) -> OperatorWalletView:
    """Returns balances, freezes, limits, credentials, and recent payments and audit events, without secrets, memos and
    notes.
    """
    assets, now = services.settings.assets, services.clock()
    async with services.database.reading() as connection:
        of = await wallets.by_handle(connection, handle)
    shown = await get_wallet.fn(services, of)
    async with services.database.snapshot() as connection:
        record = await wallet_record.of(connection, of.id, now)
        freezes = await wallet_freeze.of_wallet(connection, of.id)
        addresses = [row["address"] for row in await connection.fetch(wallets.sql.addresses, of.id)]
        limits = (
            policy_view(assets, *await policy_change.current(connection, assets, of.id)).limits if of.guarded else None
        )
        keys = await api_key.keys(connection, of.id, now)
        given = await caps.of_keys(connection, assets, [one.origin for one in keys])
        mandates = await mandate.mandates(connection, assets, of.id)
        payments = await records.payments_page(connection, assets, of.id, None, _PAYMENTS)
        events = await audit_event_views(connection, await audit.read(connection, of.id, limit=_AUDIT_EVENTS))
    return OperatorWalletView(
        shown,
        addresses,
        rfc3339(record.created_at),
        rfc3339(record.frozen_at) if record.frozen_at else None,
        rfc3339(record.closed_at) if record.closed_at else None,
        [freeze_view(one) for one in freezes],
        record.passkeys,
        record.sessions,
        limits,
        [key_view(of, None, one, given.get(one.origin, ())) for one in keys],
        [mandate_view(one) for one in mandates],
        _payments(payments),
        events,
    )


def _payments(payments: Sequence[Payment]) -> list[OperatorPaymentView]:
    return [
        OperatorPaymentView(
            show("pay", one.id),
            one.state.value,
            one.payer_name,
            one.payee_name,
            one.amount.amount,
            one.amount.asset.code,
            rfc3339(one.created_at),
        )
        for one in payments
    ]


ROUTES = (get_wallet_as_operator,)
