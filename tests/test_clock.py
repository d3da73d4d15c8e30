"""The database's clock is the clock: what a process says of the time does not depend on its machine."""

import logging
import secrets
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from litestar.utils.deprecation import LitestarDeprecationWarning

from gateway import assembly, clock
from gateway.api.app import application
from gateway.api.events.views import rendering
from gateway.cli.operate import operations
from gateway.clock import DatabaseClock
from gateway.config.config import Config
from gateway.config.environment import from_environment
from gateway.embedded.postgres import Postgres
from gateway.ids import first_id, read
from gateway.postgres import primary_monitor
from gateway.postgres.pool import Database, connect
from tests.front import Front
from tests.postgres.test_odd_databases import made
from tests.processes import HANG_SECONDS

pytestmark = pytest.mark.anyio

AN_HOUR = timedelta(hours=1)


def behind(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    """The machine's clock is wrong from now on."""
    monkeypatch.setattr(clock, "system_clock", lambda: datetime.now(UTC) - by)


async def of_database(database: Database) -> datetime:
    async with database.reading() as connection:
        at: datetime = await connection.fetchval("SELECT clock_timestamp()")
        return at


async def configured(server: Postgres, url: str, home: Path) -> Config:
    key = home / "relayer.key"
    key.touch(0o600)
    key.write_text(secrets.token_hex(32))
    settings = {"GATEWAY_DATABASE_URL": url, "GATEWAY_HOME": str(home), "GATEWAY_RPC_URL": "http://127.0.0.1:1"}
    config = from_environment(settings | {"GATEWAY_RELAYER_KEY_FILE": str(key)})
    await operations.migrate(config)
    return config


@pytest.mark.parametrize("by", [AN_HOUR, timedelta(hours=25), -AN_HOUR], ids=["behind", "a day behind", "ahead"])
async def test_payments_of_a_process_whose_machine_is_wrong_have_the_databases_time(
    server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: timedelta
) -> None:
    async with made(server) as url:
        config = await configured(server, url, tmp_path)
        behind(monkeypatch, by)
        async with assembly.services(config) as services, assembly.worker(config, rendering) as worker:
            with warnings.catch_warnings(category=LitestarDeprecationWarning, action="ignore"):
                app = application(services)
            async with httpx.AsyncClient(
                transport=Front(app), base_url="http://gateway", timeout=HANG_SECONDS
            ) as client:
                bearer = (await client.post("/v1/handles", json={"handle": "alice"})).json()["api_key"]
                headers = {"Authorization": f"Bearer {bearer}", "Idempotency-Key": "k"}
                money = {"amount": "5.00", "asset": "EUR"}
                await client.post("/v1/handles", json={"handle": "bob"})
                await client.post("/v1/deposits", json=money, headers=headers)
                before = await of_database(services.database)
                paid = (
                    await client.post(
                        "/v1/payments", json={**money, "to": "@bob"}, headers=headers | {"Idempotency-Key": "p"}
                    )
                ).json()
                after = await of_database(services.database)
                ready = await client.get("/health/ready")
            slack = timedelta(seconds=0.5)
            assert before - slack <= datetime.fromisoformat(paid["created_at"]) <= after + slack
            assert first_id(before - slack) <= read("pay", paid["id"]) < first_id(after + slack)
            assert before - slack <= worker.clock() <= await of_database(services.database) + slack
    assert (ready.status_code, ready.json()["code"]) == (503, "unavailable")
    assert abs(float(ready.json()["seconds"]) + by.total_seconds()) < 5


async def test_a_machine_whose_clock_is_wrong_is_told_of_once_and_again_when_it_is_right(
    server: Postgres, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    behind(monkeypatch, AN_HOUR)
    async with connect(server.dsn, 3) as database:
        for _ in range(2):
            database.start_over("to open others")
            await of_database(database)
        assert -3605 < database.clock.off_seconds() < -3595
        monkeypatch.undo()
        database.start_over("to open others")
        await of_database(database)
        assert database.clock.off_seconds() == 0
    said = [record.getMessage() for record in caplog.records if "this machine's clock" in record.getMessage()]
    assert len(said) == 2
    assert said[0].startswith("this machine's clock is 3600.")
    assert said[0].endswith("s behind the database's, which is what counts: set it right (NTP)")
    assert said[1] == "this machine's clock agrees with the database's again"


async def test_the_databases_clock_is_read_again_and_again(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that slept as a whole, or a server in another's place: nothing else would tell."""
    monkeypatch.setattr(primary_monitor, "_LOOK_SECONDS", 0.01)
    async with connect(server.dsn, 1) as database:
        database.clock.set(datetime(2001, 1, 1, tzinfo=UTC), clock.steady(), clock.steady())
        while database.clock().year == 2001:
            await of_database(database)


def test_a_look_that_took_long_moves_the_clock_only_as_far_as_it_can_tell() -> None:
    now, at = DatabaseClock(), clock.steady()
    start = datetime(2030, 1, 1, tzinfo=UTC)
    now.set(start, at, at)
    now.set(start + timedelta(seconds=1), at, at + 3)  # it may as well be what it was
    assert abs(now() - start) < timedelta(seconds=0.9)
    now.set(start + timedelta(seconds=10), at, at + 3)
    assert timedelta(seconds=8) < now() - start < timedelta(seconds=9.5)


def test_nobody_else_asks_the_machine_for_the_time() -> None:
    root = Path(clock.__file__).parent
    asks = {str(file.relative_to(root)) for file in root.rglob("*.py") if "datetime.now(" in file.read_text()}
    of_headers = {"chain/json_rpc.py", "client/calls.py"}  # Retry-After, which is in the machine's time
    assert asks == {"clock.py", *of_headers}
    signs = root / "cli" / "wallet" / "webhooks.py"  # for a receiver on the same machine, which judges by its clock
    assert {file for file in root.rglob("*.py") if "system_clock" in file.read_text()} == {root / "clock.py", signs}
