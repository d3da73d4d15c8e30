"""audit, against a running `up`: its worker writes checkpoints, and what is altered behind its back is named."""

import asyncio
import json
import time
from datetime import UTC, datetime
from uuid import UUID

from gateway.audit.log import By, LoggedAuditEvent
from gateway.cli.operate import audit_log
from gateway.ids import WalletId, show
from gateway.postgres import pool
from tests.processes import HANG_SECONDS
from tests.running import Up


def test_what_happens_is_checkpointed_and_verified_and_an_altered_row_is_named(up: Up) -> None:
    up.someone("carol_of_the_log", EUR="10.00")
    until_checkpointed(up)
    head = up.gateway("audit", "head").stdout.strip()
    verified = up.gateway("audit", "verify", "--from-head", head)
    other = up.gateway("audit", "verify", "--from-head", "00" * 32 + ":1")
    kind = execute(up, "UPDATE logged_event SET kind = 'altered' WHERE id = 3")
    altered, as_json = up.gateway("audit", "verify"), up.gateway("audit", "verify", "--json")
    execute(up, f"UPDATE logged_event SET kind = '{kind}' WHERE id = 3")

    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert verified.stdout.startswith("checkpoints   ")
    assert verified.stdout.endswith("\n\nevery row matches its checkpoint\n")
    assert (other.returncode, altered.returncode, as_json.returncode) == (1, 1, 1)
    assert other.stdout.endswith(", and not what was noted\n")
    assert altered.stdout.endswith("\n\nevent 3 was altered\n")
    assert json.loads(as_json.stdout)["broken"] == [
        {"what": "event", "number": 3, "fault": "altered", "message": "event 3 was altered"}
    ]
    assert up.gateway("audit", "verify").returncode == 0
    skipped = up.gateway("audit", "verify", "--rows-after", "999999")
    assert skipped.stdout.endswith("\n\nno rows were compared: no checkpoint covers any\n")


def test_audit_events_are_listed_by_wallet_and_kind(up: Up) -> None:
    up.someone("carol_of_the_list")

    shown = up.gateway("audit", "list", "--handle", "@carol_of_the_list")
    created = up.json("audit", "list", "--handle", "carol_of_the_list", "--kind", "wallet")["items"]

    assert shown.stdout.splitlines()[0].split() == ["number", "at", "kind", "by", "wallet", "of", "details"]
    assert [(one["kind"], one["by"], one["details"]["handle"]) for one in created] == [
        ("wallet.created", "anyone", "carol_of_the_list")
    ]
    assert up.gateway("audit", "list", "--kind", "nothing").stdout == "no such audit events\n"


def test_an_audit_event_names_what_it_is_about() -> None:
    subject, wallet = UUID(int=1 << 80), WalletId(UUID(int=2 << 80))

    def named(kind: str, of: UUID | None) -> str | None:
        event = LoggedAuditEvent(1, kind, wallet, By("passkey", "psk_1"), of, {}, datetime(2030, 1, 31, tzinfo=UTC))
        shown: str | None = audit_log.plain(event)["subject"]
        return shown

    assert named("payment.approved", subject) == show("pay", subject)
    assert named("payment.declined", subject) == show("pay", subject)
    assert named("api_key.created", subject) == show("key", subject)
    assert named("mandate.granted", subject) == show("mdt", subject)
    assert named("operator.proposed", subject) == show("pro", subject)
    assert named("operator.added", subject) == show("opr", subject)
    assert named("recovery.read", subject) == str(subject)
    assert named("wallet.bound", wallet) is None, "the wallet is named already"
    assert named("relayer.resumed", None) is None


def until_checkpointed(up: Up) -> None:
    """Return when the worker has written checkpoints over what there is."""
    until = time.monotonic() + HANG_SECONDS
    while True:
        found = json.loads(up.gateway("audit", "verify", "--json").stdout)
        if found["checkpoints"] and not found["events_pending"] + found["audit_events_pending"]:
            return
        assert time.monotonic() < until, found


def execute(up: Up, statement: str) -> str:
    """Write to an event past its trigger, and return what kind event 3 had before."""

    async def executed() -> str:
        async with (
            pool.connect(up.place("database_url"), 1) as database,
            database.transaction() as connection,
        ):
            before: str = await connection.fetchval("SELECT kind FROM event WHERE id = 3")
            await connection.execute("SET LOCAL session_replication_role = replica")
            await connection.execute(statement)
            return before

    return asyncio.run(executed())
