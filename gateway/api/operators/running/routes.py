"""The routes of this package."""

from gateway.api.operators.running import health, payments, receipts, relayers, solvency, webhooks

ROUTES = (
    *(payments.list_all_payments, payments.get_payment_timeline, receipts.get_receipt_as_operator),
    solvency.get_solvency_over_time,
    *(relayers.list_relayers, relayers.resume_relayer),
    *(webhooks.list_failing_webhooks, webhooks.retry_webhook, health.get_gateway_health),
)
