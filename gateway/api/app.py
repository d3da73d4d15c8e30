"""The application: routes, limits, OpenAPI. Built once by `application(services)`."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

from gateway.api.events import events, stream
from gateway.api.identity import addresses, api_keys, ethereum_sign_up, handles, passkeys, sessions, sign_up
from gateway.api.identity.passkeys import stop_clones
from gateway.api.methods import Gateway, Methods
from gateway.api.notifications import addresses as notification_addresses
from gateway.api.notifications import notifications, push
from gateway.api.openapi import document as openapi
from gateway.api.operators import audit_log, operators, proposals, search, withdrawals
from gateway.api.operators import wallets as operator_wallets
from gateway.api.operators.running import routes as running
from gateway.api.payments import approvals, authorizations, bank, batches, mandates, payments, receipts, unauthorized
from gateway.api.payments.fast.fast_payments import FastPayments
from gateway.api.requests import requests
from gateway.api.status import status
from gateway.api.wallets import statements, wallets
from gateway.api.webhooks import deliveries, webhooks
from gateway.errors import GatewayError
from gateway.events import wake
from gateway.events.hub import Hub
from gateway.http.answer.headers import finishing
from gateway.http.answer.problems import fail, refuse_http
from gateway.http.callers import Callers, caller_of, check_conditions, check_needs, credential_of
from gateway.http.rate_limiting import limit, refuse
from gateway.http.request import fields, parameters
from gateway.http.request.body import BODY_BYTES_MAX, StrictRequest
from gateway.http.services import Services
from gateway.metrics.traffic import Traffic
from gateway.reconciliation.readiness import Probe

ROUTES = [
    handles.claim_handle,
    handles.get_handle,
    sign_up.challenge_sign_up,
    sign_up.sign_up,
    ethereum_sign_up.challenge_ethereum_sign_up,
    ethereum_sign_up.sign_up_with_ethereum,
    wallets.get_wallet,
    wallets.export_private_key,
    wallets.close_wallet,
    addresses.challenge_address,
    addresses.bind_address,
    passkeys.challenge_passkey,
    passkeys.add_passkey,
    passkeys.list_passkeys,
    passkeys.revoke_passkey,
    passkeys.create_recovery_codes,
    passkeys.confirm_recovery_codes,
    sessions.challenge_passkey_session,
    sessions.start_passkey_session,
    sessions.challenge_ethereum_session,
    sessions.start_ethereum_session,
    sessions.start_recovery_session,
    sessions.start_link_session,
    sessions.list_sessions,
    sessions.end_session,
    mandates.challenge_mandate,
    mandates.grant_mandate,
    mandates.list_mandates,
    mandates.revoke_mandate,
    mandates.challenge_mandate_approval,
    mandates.approve_mandate,
    mandates.draw,
    requests.create_request,
    requests.list_requests,
    requests.get_request,
    requests.decline_request,
    requests.cancel_request,
    api_keys.create_api_key,
    api_keys.list_api_keys,
    api_keys.replace_api_key,
    api_keys.revoke_api_key,
    api_keys.approve_api_key,
    wallets.list_entries,
    statements.get_statement,
    statements.get_statement_csv,
    statements.get_statement_pdf,
    events.list_events,
    stream.stream_events,
    webhooks.create_webhook,
    webhooks.list_webhooks,
    webhooks.get_webhook,
    webhooks.change_webhook,
    webhooks.update_webhook,
    webhooks.delete_webhook,
    webhooks.rotate_webhook_secret,
    deliveries.list_deliveries,
    deliveries.redeliver,
    deliveries.test_webhook,
    notifications.list_notifications,
    notifications.see_notifications,
    notifications.get_notification_preferences,
    notifications.change_notification_preferences,
    notifications.set_notification_preferences,
    notification_addresses.add_notification_address,
    notification_addresses.list_notification_addresses,
    notification_addresses.confirm_notification_address,
    notification_addresses.remove_notification_address,
    notification_addresses.set_notification_locale,
    push.get_push_key,
    push.add_push_subscription,
    notification_addresses.get_unsubscribe_link,
    notification_addresses.unsubscribe,
    bank.deposit,
    bank.withdraw,
    bank.convert,
    bank.get_conversion,
    payments.pay,
    payments.preview,
    batches.pay_batch,
    payments.list_payments,
    payments.list_waiting_payments,
    payments.get_payment,
    receipts.get_receipt_pdf,
    payments.capture,
    payments.void,
    payments.sign_payment,
    payments.refund,
    authorizations.submit_authorization,
    *operators.ROUTES,
    *proposals.ROUTES,
    *running.ROUTES,
    *search.ROUTES,
    *operator_wallets.ROUTES,
    *audit_log.ROUTES,
    *withdrawals.ROUTES,
    approvals.get_policy,
    approvals.challenge_policy,
    approvals.change_policy,
    approvals.challenge_payment_approval,
    approvals.approve_payment,
    approvals.decline_payment,
    approvals.challenge_withdrawal,
    *unauthorized.ROUTES,
    status.get_solvency,
    status.get_liveness,
    status.get_readiness,
]


async def well_formed(request: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Raises InvalidRequest and UnsupportedMediaType for requests that no route accepts, before anything is
    looked up.
    """
    fields.check(request.scope["headers"])
    parameters.check(request, handler)
    calls_anybody = handler.opt.get("needs") == "nothing"  # otherwise the caller is known only later
    if calls_anybody and parameters.names_of(handler) is not None:  # pages have conditions of their own
        check_conditions(request)


def application(
    services: Services,
    maximum: int = 64,
    at_once: int = 1,
    pages: Sequence[HTTPRouteHandler] = (),
    missing: Callable[[Request[Any, Any, Any]], Response[bytes] | None] = lambda _: None,
) -> Gateway:
    """The ASGI application over these services. Up to `maximum` payments of a rail share a commit; `at_once` commits
    run concurrently (group_commit.py); scripts/bench measures other values. `pages` are the routes of web pages, and
    `missing` is the page that browsers get, instead of a problem, at an unknown path.
    """
    return over(routed(services.public_url, pages, missing), services, maximum, at_once)


def routed(
    public_url: str,
    pages: Sequence[HTTPRouteHandler] = (),
    missing: Callable[[Request[Any, Any, Any]], Response[bytes] | None] = lambda _: None,
) -> Gateway:
    """The application of a gateway at this public URL, without services: its routes do not depend on them."""

    def refuse_or_show(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
        page = missing(request) if error.status_code == 404 else None
        return page or refuse_http(request, error)

    routes = [*ROUTES, *pages]
    check_needs(routes)
    gateway = Gateway(
        route_handlers=routes,
        dependencies={
            "services": Provide(_services, sync_to_thread=False),
            "credential": Provide(credential_of),
            "caller": Provide(caller_of),
            "operator": Provide(operators.operator_of),
        },
        guards=[well_formed, limit],
        exception_handlers={GatewayError: refuse, HTTPException: refuse_or_show, Exception: fail},
        request_class=StrictRequest,
        request_max_body_size=BODY_BYTES_MAX,
        before_send=[finishing(public_url)],
        after_exception=[stop_clones],
        openapi_config=openapi.config(public_url),
        # Errors are logged in `problems.fail`, by their own logger; Litestar need not configure the process's logging.
        logging_config=None,
        debug=False,
    )
    parameters.learn(gateway.routes)
    return gateway


def over(gateway: Gateway, services: Services, maximum: int = 64, at_once: int = 1) -> Gateway:
    """Give the application these services."""
    assets = services.settings.assets
    gateway.state = State(
        {
            "services": services,
            "callers": Callers(services),
            "payments": payments.payments_of(services),
            "ends": payments.ends_of(services),
            "refunds": payments.refunds_of(services),
            "bank_movements": bank.movements_of(services),
            "solvency": None,
            "solvency_at": 0.0,
            "probe": Probe(services.database, services.node, services.settings),
            "methods": Methods(gateway.routes),
            "traffic": Traffic(),
            "hub": Hub(services.database, wake.attach(services.database), stream.show(assets), services.stopping),
            "document": cache(lambda: openapi.document(gateway)),
        }
    )
    gateway.traffic = gateway.state.traffic
    gateway.fast_payments = FastPayments(services, maximum, at_once, gateway.traffic)
    return gateway


def _services(state: State) -> Services:
    services: Services = state.services
    return services
