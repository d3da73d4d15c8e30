"""All pages of the console."""

from litestar.handlers import HTTPRouteHandler

from gateway.web.console.audit import audit_page
from gateway.web.console.handles import handle_page, handles_page
from gateway.web.console.operators import operators_page
from gateway.web.console.proposals import proposal_page, proposals_page, propose_page
from gateway.web.console.running.deliveries import deliveries_page
from gateway.web.console.running.health import health_page
from gateway.web.console.running.overview import overview_page
from gateway.web.console.running.payments import all_payments_page, any_receipt_page, payment_life_page
from gateway.web.console.running.relayers import relayers_page
from gateway.web.console.sign_in import console_sign_in_page, enrol_page
from gateway.web.console.withdrawals import withdrawals_page

CONSOLE: list[HTTPRouteHandler] = [
    console_sign_in_page,
    enrol_page,
    overview_page,
    proposals_page,
    proposal_page,
    propose_page,
    handles_page,
    handle_page,
    withdrawals_page,
    operators_page,
    audit_page,
    all_payments_page,
    payment_life_page,
    any_receipt_page,
    relayers_page,
    deliveries_page,
    health_page,
]
