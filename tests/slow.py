"""The files and folders of tests that take longest, those first that take longest of all.

`scripts/test --fast` leaves them out. Where several processes share the tests, these begin first, so that no process is
left alone at the end with one of them. Those that share an `up` (running.py) stand together, from scripts on, so that
each process starts it once.
"""

from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parent

SLOW: Final = [
    TESTS / name
    for name in (
        "simulation",
        "journeys",
        "contracts",
        "scripts",
        "cli",
        "clients",
        "client/test_own_key.py",
        "api/test_groups.py",
        "web",
        "docs/test_browser.py",
        "docs/test_api_reference.py",
        "deploy",
        "embedded",
        "events/test_soak.py",
        "reconciliation/test_restore.py",
        "reconciliation/test_restore_page.py",
        "payments/test_crash_points.py",
        "custody/test_binding_cuts.py",
        "payments/test_signing.py",
        "payments/test_own_address.py",
        "payments/test_contract_wallets.py",
        "api/together",
        "payments/relayers",
        "api/test_keys.py",
        "api/test_bulk.py",
        "api/test_fuzz.py",
        "api/test_sessions.py",
        "postgres/test_migrations.py",
        "api/test_approvals.py",
        "docs/test_pages.py",
        "ledger/test_ledger.py",
        "api/test_replication.py",
        "custody/test_binding.py",
        "api/test_injection.py",
        "api/test_filters.py",
        "api/test_operators.py",
        "api/test_attack.py",
        "api/test_unfit_values.py",
        "api/test_database_away.py",
        "postgres/test_primary_monitor.py",
        "test_deadlines.py",
        "test_processes.py",
        "ledger/test_model.py",
        "payments/test_spending.py",
        "payments/test_room_given_back.py",
        "client/test_client.py",
        "api/test_stream.py",
        "tracing/test_requests.py",
        "client/test_events.py",
        "webhooks/test_deliveries.py",
        "payments/test_worker_on_other_nodes.py",
        "payments/test_submit_authorization.py",
        "payments/test_session_payments.py",
        "client/test_killed.py",
        "notifications/test_addresses.py",
        "api/test_idempotency.py",
        "notifications/delivery",
        "webhooks/test_killed.py",
        "notifications/test_notices.py",
        "identity/test_passkey.py",
        "payments/test_settle_payments.py",
        "payments/test_chain_rail.py",
        "postgres/test_primary.py",
        "client/test_owners_calls.py",
        "reconciliation/test_monitor.py",
        "chain/test_other_nodes.py",
        "api/test_mandates.py",
        "payments/test_refused_by_the_node.py",
        "identity/test_recovery_codes.py",
        "api/test_events.py",
        "api/test_before_the_passkey.py",
        "notifications/test_push_subscriptions.py",
        "chain/test_watch.py",
        "audit/test_verify.py",
        "payments/test_undo_window.py",
        "test_dependencies.py",
        "api/test_socket.py",
        "payments/test_withdrawal_freeze.py",
        "ledger/test_constraints.py",
        "api/test_metrics.py",
        "postgres/test_pool.py",
        "test_commands.py",
        "api/test_access_log.py",
        "api/test_routes.py",
    )
]


def is_slow(path: Path) -> bool:
    return rank(path) < len(SLOW)


def rank(path: Path) -> int:
    """The place of a file of tests in the order above; what is not named there comes last."""
    return next((n for n, slow in enumerate(SLOW) if slow in (path, *path.parents)), len(SLOW))
