"""The application: routes, limits, OpenAPI. Built by `application(house)`, once, in `__main__`."""

from collections.abc import Callable, Sequence
from typing import Any

from litestar import Litestar, Request, Response
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, SecurityScheme

from gateway.api import (
    addresses,
    approvals,
    authorizations,
    bank,
    bulk,
    fields,
    freezing,
    handles,
    keys,
    mandates,
    operators,
    parameters,
    passkeys,
    payments,
    public,
    sessions,
    signing_up,
    wallets,
)
from gateway.api.body import StrictRequest
from gateway.api.fast_payments import FastPayments
from gateway.api.headers import finishing
from gateway.api.house import House, caller_of, check_conditions, check_needs, credential_of
from gateway.api.limiting import limit, refuse
from gateway.api.methods import Gateway, Methods
from gateway.api.openapi import Document
from gateway.api.passkeys import stop_clones
from gateway.api.problems import BODY_BYTES_MAX, fail, refuse_http
from gateway.errors import GatewayError
from gateway.payments.readiness import Probe

ROUTES = [
    handles.claim_handle,
    handles.show_handle,
    signing_up.challenge_sign_up,
    signing_up.finish_sign_up,
    wallets.show_wallet,
    wallets.export_key,
    addresses.challenge_address,
    addresses.bind_address,
    authorizations.present_authorization,
    passkeys.challenge_new_passkey,
    passkeys.add_passkey,
    passkeys.list_passkeys,
    passkeys.revoke_passkey,
    passkeys.make_recovery_codes,
    sessions.challenge_passkey_session,
    sessions.start_passkey_session,
    sessions.challenge_ethereum_session,
    sessions.start_ethereum_session,
    sessions.start_recovery_session,
    sessions.list_sessions,
    sessions.end_session,
    mandates.challenge_mandate,
    mandates.grant_mandate,
    mandates.list_mandates,
    mandates.revoke_mandate,
    mandates.challenge_mandate_approval,
    mandates.approve_mandate,
    mandates.draw_mandate,
    keys.make_key,
    keys.list_keys,
    keys.replace_key,
    keys.revoke_key,
    keys.approve_key,
    wallets.list_entries,
    wallets.list_events,
    bank.deposit,
    bank.withdraw,
    bank.start_conversion,
    bank.show_conversion,
    payments.pay,
    payments.preview_payment,
    bulk.pay_batch,
    payments.list_payments,
    payments.list_waiting,
    payments.show_payment,
    payments.capture_payment,
    payments.void_payment,
    payments.sign_payment,
    payments.refund_payment,
    *operators.ROUTES,
    approvals.show_policy,
    approvals.challenge_policy,
    approvals.change_policy,
    approvals.challenge_approval,
    approvals.approve_payment,
    approvals.refuse_payment,
    approvals.challenge_withdrawal,
    *freezing.ROUTES,
    public.show_solvency,
    public.live,
    public.ready,
]


async def well_formed(request: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Raises InvalidRequest and UnsupportedMediaType for what no route takes, before anything is looked up."""
    fields.check(request.scope["headers"])
    parameters.check(request, handler)
    calls_anybody = handler.opt.get("needs") == "nothing"  # else it is known later who calls
    if calls_anybody and parameters.names_of(handler) is not None:  # pages have conditions of their own
        check_conditions(request)


def application(
    house: House,
    most: int = 64,
    at_once: int = 1,
    pages: Sequence[HTTPRouteHandler] = (),
    missing: Callable[[Request[Any, Any, Any]], Response[bytes] | None] = lambda _: None,
) -> Litestar:
    """The ASGI application over this house. Up to `most` payments of a rail share a commit, `at_once` of them run
    side by side (payments/group.py); what others would be like is for scripts/bench to say. `pages` are
    what people see, beside the API, and `missing` what they see instead of a problem where there is no page.
    """

    def refuse_or_show(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
        page = missing(request) if error.status_code == 404 else None
        return page or refuse_http(request, error)

    routes = [*ROUTES, *pages]
    check_needs(routes)
    gateway = Gateway(
        route_handlers=routes,
        state=State(
            {
                "house": house,
                "payments": payments.payments_of(house),
                "ends": payments.ends_of(house),
                "refunds": payments.refunds_of(house),
                "bank_movements": bank.movements_of(house),
                "solvency": None,
                "solvency_at": 0.0,
                "probe": Probe(house.database, house.node, house.terms),
            }
        ),
        dependencies={
            "house": Provide(lambda: house, sync_to_thread=False),
            "credential": Provide(credential_of),
            "caller": Provide(caller_of),
            "operator": Provide(operators.operator_of),
        },
        guards=[well_formed, limit],
        exception_handlers={GatewayError: refuse, HTTPException: refuse_or_show, Exception: fail},
        request_class=StrictRequest,
        request_max_body_size=BODY_BYTES_MAX,
        before_send=[finishing(house.public_url)],
        after_exception=[stop_clones],
        openapi_config=OpenAPIConfig(
            title="Wallet gateway",
            version="1",
            description="One handle, one wallet, two rails: a double-entry ledger and an ERC-20 token.",
            path="/openapi.json",
            use_handler_docstrings=True,
            render_plugins=[Document(path=["/", "/openapi.json"])],
            components=Components(
                security_schemes={
                    "api_key": SecurityScheme(type="http", scheme="bearer"),
                    "operator": SecurityScheme(type="http", scheme="bearer"),
                    "session": SecurityScheme(
                        type="apiKey",
                        name="session",
                        security_scheme_in="cookie",
                        description="What changes something says besides that it comes from a page of the gateway's: "
                        "by its Origin header, or Sec-Fetch-Site: same-origin.",
                    ),
                }
            ),
            security=[{"api_key": []}, {"session": []}],
        ),
        # Errors are logged in `problems.fail`, by their own logger; Litestar need not configure the process's logging.
        logging_config=None,
        debug=False,
    )
    parameters.learn(gateway.routes)
    gateway.state.methods = Methods(gateway.routes)
    gateway.fast_payments = FastPayments(house, most, at_once)
    return gateway
