"""The files and folders of tests that take longest, those first that take longest of all.

`scripts/test --fast` leaves them out. Where several processes share the tests, these begin first, so that no process is
left alone at the end with one of them.
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
        "api/test_groups.py",
        "web",
        "clients",
        "docs/test_browser.py",
        "docs/test_api_reference.py",
        "deploy",
        "embedded",
        "events/test_soak.py",
        "reconciliation/test_restore.py",
        "payments/test_crash_points.py",
        "custody/test_binding_cuts.py",
        "payments/test_signing.py",
        "api/test_together.py",
        "payments/test_several_relayers.py",
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
    )
]


def is_slow(path: Path) -> bool:
    return rank(path) < len(SLOW)


def rank(path: Path) -> int:
    """The place of a file of tests in the order above; what is not named there comes last."""
    return next((n for n, slow in enumerate(SLOW) if slow in (path, *path.parents)), len(SLOW))
