"""Every metric that a gateway exports: its name, type, labels and meaning. Pure.

Names follow Prometheus: the unit is the suffix, and counters end in `_total`. The table in
`docs/operate/monitoring.md` lists the same, and the alert rules and the dashboard in `scripts/deploy` use only these.
"""

from dataclasses import dataclass
from typing import Final, Literal

Type = Literal["counter", "gauge", "histogram"]
Of = Literal["serve", "work", "both"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric. `of` is the process that exports it."""

    name: str
    type: Type
    labels: tuple[str, ...]
    of: Of
    help: str


_ROUTE: Final = ("method", "route")
_RELAYER: Final = ("relayer",)

METRICS: Final = (
    Metric("gateway_build_info", "gauge", ("version",), "both", "1; the version that runs."),
    Metric("gateway_ready", "gauge", (), "serve", "1 while a payment would be accepted, as /health/ready says."),
    Metric("gateway_http_requests_total", "counter", (*_ROUTE, "status"), "serve", "Requests answered."),
    Metric(
        "gateway_http_request_duration_seconds",
        "histogram",
        _ROUTE,
        "serve",
        "From a request's head until its answer begins.",
    ),
    Metric(
        "gateway_payments_total",
        "counter",
        ("rail", "outcome"),
        "serve",
        "Answers to payments: `settled`, `held`, `accepted` (it waits for the chain, an approval or a signature), or "
        "the code of the refusal. Of a batch, each line counts. A replayed answer counts again.",
    ),
    Metric("gateway_group_size", "histogram", ("group",), "serve", "Calls that shared a commit or a look-up."),
    Metric("gateway_rate_limited_total", "counter", ("kind",), "serve", "Requests refused by a rate limit."),
    Metric("gateway_event_streams", "gauge", (), "serve", "Event streams that are open."),
    Metric(
        "gateway_event_streams_cut_total",
        "counter",
        (),
        "serve",
        "Event streams that were cut off, since their client read too slowly.",
    ),
    Metric(
        "gateway_event_log_position",
        "gauge",
        (),
        "both",
        "Number of the newest event of the database. It grows with every event written, by whichever process; numbers "
        "of transactions that were rolled back are left out of the log.",
    ),
    Metric("gateway_database_up", "gauge", (), "both", "1 while the database answers this process."),
    Metric("gateway_database_connections", "gauge", ("state",), "both", "Open connections: `idle`, or in `use`."),
    Metric("gateway_database_connections_max", "gauge", (), "both", "How many connections the pool may open."),
    Metric(
        "gateway_database_acquire_seconds",
        "histogram",
        (),
        "both",
        "How long a request or job waited for a connection, opening one included.",
    ),
    Metric(
        "gateway_database_acquire_timeouts_total", "counter", (), "both", "Waits for a connection that were given up."
    ),
    Metric(
        "gateway_node_up", "gauge", (), "both", "1 while the node answers and is on the chain that the ledger has read."
    ),
    Metric(
        "gateway_workers_late",
        "gauge",
        (),
        "serve",
        "1 while no worker has looked after a relayer for 30 seconds, or none ever has.",
    ),
    Metric(
        "gateway_worker_job_runs_total",
        "counter",
        ("job_name", "result"),
        "work",
        "Runs of a job: `worked`, `idle` (there was nothing to do) or `failed`.",
    ),
    Metric(
        "gateway_worker_job_last_success_timestamp_seconds",
        "gauge",
        ("job_name",),
        "work",
        "Unix time of the job's last run that did not fail.",
    ),
    Metric("gateway_node_block_number", "gauge", (), "work", "The node's newest block."),
    Metric("gateway_node_block_age_seconds", "gauge", (), "work", "How long ago the node's newest block was made."),
    Metric("gateway_ledger_block_number", "gauge", (), "work", "The final block up to which the ledger has read."),
    Metric("gateway_ledger_block_age_seconds", "gauge", (), "work", "How long ago that block was made."),
    Metric(
        "gateway_token_payments_queued",
        "gauge",
        ("asset",),
        "work",
        "Authorizations that wait to be put into a chain transaction; 10,000 also stands for more.",
    ),
    Metric(
        "gateway_token_payments_queued_oldest_seconds", "gauge", ("asset",), "work", "How long the oldest has waited."
    ),
    Metric(
        "gateway_relayer_gas_balance_coins",
        "gauge",
        _RELAYER,
        "work",
        "What a relayer has for gas, less what is under way may cost, in coins of the chain.",
    ),
    Metric(
        "gateway_relayer_payments_left", "gauge", _RELAYER, "work", "How many payments that pays for, in full batches."
    ),
    Metric("gateway_relayer_low", "gauge", _RELAYER, "work", "1 while that is below GATEWAY_GAS_BATCHES_MIN."),
    Metric("gateway_relayer_stopped", "gauge", _RELAYER, "work", "1 while a relayer is stopped."),
    Metric("gateway_relayer_refused", "gauge", _RELAYER, "work", "1 while a node refuses what a relayer sends."),
    Metric("gateway_relayer_transactions_open", "gauge", _RELAYER, "work", "Chain transactions that are in no block."),
    Metric(
        "gateway_relayer_transactions_not_final",
        "gauge",
        _RELAYER,
        "work",
        "Chain transactions that are in no final block.",
    ),
    Metric(
        "gateway_relayer_oldest_not_final_seconds",
        "gauge",
        _RELAYER,
        "work",
        "Age of the oldest of these; 0: none.",
    ),
    Metric(
        "gateway_reconciliation_differences",
        "gauge",
        ("asset", "state"),
        "work",
        "Differences that have not ended: `suspected` (seen once), or `confirmed`.",
    ),
    Metric(
        "gateway_webhook_attempts_total",
        "counter",
        ("outcome",),
        "work",
        "Tries to send an event to an endpoint: `delivered`, or why not.",
    ),
    Metric(
        "gateway_webhook_endpoints",
        "gauge",
        ("state",),
        "work",
        "Endpoints: `ok`, `failing` (none of its last tries succeeded) or `disabled`.",
    ),
    Metric(
        "gateway_webhook_overdue_seconds",
        "gauge",
        (),
        "work",
        "How long the delivery that is late by most has been due, of endpoints that are `ok`; 0: none is.",
    ),
    Metric(
        "gateway_webhook_log_lag_events",
        "gauge",
        (),
        "work",
        "Events of the log that were not looked through for endpoints yet.",
    ),
    Metric(
        "gateway_notification_attempts_total",
        "counter",
        ("channel", "outcome"),
        "work",
        "Tries to send a notification: `sent`, or why not.",
    ),
    Metric(
        "gateway_notifications_total",
        "counter",
        ("channel", "state"),
        "work",
        "Notifications that ended: `sent`; `failed` at the last try; or `skipped`, as they were not wanted any more.",
    ),
    Metric(
        "gateway_notifications_waiting",
        "gauge",
        ("channel",),
        "work",
        "Notifications that are to be sent, those whose tries failed so far included.",
    ),
    Metric(
        "gateway_notifications_waiting_oldest_seconds",
        "gauge",
        ("channel",),
        "work",
        "How long the oldest of them has waited; 0: there is none.",
    ),
    Metric(
        "gateway_notification_addresses",
        "gauge",
        ("channel", "state"),
        "work",
        "Addresses that notifications go to: `pending` (waits for its code), `confirmed` or `failed`.",
    ),
    Metric(
        "gateway_notification_overdue_seconds",
        "gauge",
        ("channel",),
        "work",
        "How long the notification that is late by most has been due, of those not tried yet; 0: none is.",
    ),
    Metric(
        "gateway_notification_log_lag_events",
        "gauge",
        (),
        "work",
        "Events of the log that were not read for notifications yet.",
    ),
    Metric("gateway_withdrawals_frozen", "gauge", ("asset",), "work", "1 while withdrawals of the asset are frozen."),
)

BY_NAME: Final = {metric.name: metric for metric in METRICS}
