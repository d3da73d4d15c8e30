"""The product starts with each documented setting off its default; all that can stand together are tried together.

A setting of gateway/config/ that no start here sets is a failure: the product would never have been started with it.
"""

import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.config.settings import SECRETS, SETTINGS
from gateway.embedded.postgres import Postgres
from gateway.keys.signer import RelayerSigner
from gateway.postgres.pool import connect
from tests.anvils import running_anvil
from tests.databases import fresh_database
from tests.running import gateway, up_and_down

pytestmark = pytest.mark.anyio

#: One start with everything embedded: another currency and token, an IPv6 address, every length and limit.
EMBEDDED = {
    "GATEWAY_HOME": "elsewhere",
    "GATEWAY_HOST": "::1",
    "GATEWAY_PORT": "0",
    "GATEWAY_PUBLIC_URL": "https://pay.example",
    "GATEWAY_TRUSTED_PROXIES": "10.0.0.0/8",
    "GATEWAY_SIGN_UPS_PER_HOUR": "3",
    "GATEWAY_TRIES_PER_MINUTE": "30",
    "GATEWAY_REQUESTS_PER_MINUTE": "6000",
    "GATEWAY_METRICS_PORT": "0",
    "GATEWAY_METRICS_HOST": "::1",
    "GATEWAY_LOG_FORMAT": "json",
    "GATEWAY_ACCESS_LOG": "on",
    "GATEWAY_TRACES_URL": "http://127.0.0.1:9/v1/traces",  # where no collector is
    "GATEWAY_TRACES_RATIO": "1",
    "GATEWAY_DRAIN_SECONDS": "0.1",
    "GATEWAY_STOP_SECONDS": "20",
    "GATEWAY_DATABASE_CONNECT_SECONDS": "20",
    "GATEWAY_DATABASE_STATEMENT_SECONDS": "30",
    "GATEWAY_MASTER_KEY_FILE": "keys/master",
    "GATEWAY_ROOT_KEY_FILE": "keys/root",
    "GATEWAY_CURRENCIES": "GBP,KWD",
    "GATEWAY_TOKENS": "GBPX:GBP:6",
    "GATEWAY_FINALITY": "1",
    "GATEWAY_BLOCK_SECONDS": "0.2",
    "GATEWAY_BATCH_WAIT_SECONDS": "0",
    "GATEWAY_AUTHORIZATION_SECONDS": "600",
    "GATEWAY_SIGNATURE_SECONDS": "60",
    "GATEWAY_HOLD_SECONDS": "60",
    "GATEWAY_GAS_BATCHES_MIN": "1",
    "GATEWAY_LEDGER_FEE_BASIS_POINTS": "100",
    "GATEWAY_WEBHOOK_SCHEMES": "https,http",
    "GATEWAY_WEBHOOK_NETWORKS": "127.0.0.0/8,::1",
    "GATEWAY_SMTP_URL": "smtp+plain://127.0.0.1:2525",
    "GATEWAY_EMAIL_FROM": "Example Pay <no-reply@pay.example>",
    "GATEWAY_VAPID_PRIVATE_KEY": "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94",
    "GATEWAY_VAPID_SUBJECT": "mailto:ops@pay.example",
}

#: The settings of another start, whose values are known when it runs.
OF_ONES_OWN = {
    *("GATEWAY_DATABASE_URL", "GATEWAY_RPC_URL", "GATEWAY_RELAYER_KEY_FILE"),
    *("GATEWAY_CONFIG_FILE", "GATEWAY_DATABASE_URL_FILE", "GATEWAY_RPC_URL_FILE", "GATEWAY_SMTP_URL_FILE"),
    "GATEWAY_VAPID_PRIVATE_KEY_FILE",
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """PostgreSQL runs as another user, who must be able to pass."""
    made = Path(tempfile.mkdtemp(prefix="gateway-test-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
async def own_database(server: Postgres) -> AsyncIterator[str]:
    async with fresh_database(server.dsn) as url:
        yield url


def test_every_setting_is_started_off_its_default() -> None:
    defaults = {name: default for name, default, _ in SETTINGS}
    assert EMBEDDED.keys() | OF_ONES_OWN == defaults.keys()
    assert [name for name, value in EMBEDDED.items() if value == defaults[name]] == []


def test_it_starts_with_other_assets_and_every_other_setting_and_takes_its_tour(folder: Path) -> None:
    (folder / "keys").mkdir(mode=0o700)
    said = up_and_down(folder, **EMBEDDED)
    assert "@alice paid @bob 12.50 GBP: settled by the ledger" in said
    assert "@alice paid @shop 20.000000 GBPX: settled by the chain" in said
    after = [line.split() for line in said.splitlines() if line.split()[:2] == ["@alice", "after"]]
    assert after == [["@alice", "after", "1237.38", "230.000000"]], "with a fee of 0.12"
    for path in ("keys/master", "keys/root", "elsewhere/toured.json"):
        assert (folder / path).exists(), path
    assert not (folder / ".gateway").exists()


async def test_on_a_database_and_a_chain_of_ones_own_nothing_is_made_unless_asked_for(
    folder: Path, own_database: str
) -> None:
    key = os.urandom(32)
    relayers = folder / "relayers"
    relayers.touch(mode=0o600)
    relayers.write_text(key.hex() + "\n")
    settings = {
        "GATEWAY_DATABASE_URL": own_database,
        "GATEWAY_RELAYER_KEY_FILE": str(relayers),
        "GATEWAY_PORT": "0",
        "GATEWAY_CURRENCIES": "JPY",
        "GATEWAY_TOKENS": "JPYX:JPY:0",
        "GATEWAY_SMTP_URL": "smtp://gateway:not-a-secret@127.0.0.1:2525",
        "GATEWAY_EMAIL_FROM": "no-reply@pay.example",
        "GATEWAY_VAPID_PRIVATE_KEY": EMBEDDED["GATEWAY_VAPID_PRIVATE_KEY"],
    }
    with running_anvil(folder / "chain", "--chain-id", "4242", mining="--block-time=0.3") as chain:
        chain.rpc("anvil_setBalance", RelayerSigner(key).address, hex(10**20))
        settings["GATEWAY_RPC_URL"] = chain.url
        said = up_and_down(folder, **settings)
        assert "took the tour" not in said
        assert await rows(own_database) == {"wallet": 0, "bank_movement": 0}
        said = up_and_down(folder, "--tour", **in_files(folder, settings))
        assert "@alice paid @bob 1250 JPY: settled by the ledger" in said
        assert "@alice paid @shop 2000 JPYX: settled by the chain" in said

        others = settings | {"GATEWAY_CURRENCIES": "EUR", "GATEWAY_TOKENS": "EURX:EUR:6"}
        assert "EURX" not in gateway(folder, "migrate", **others)
        found = json.loads(gateway(folder, "reconcile", "--json", **others))
        assert {one["asset"]: one["supply"] for one in found["totals"]} == {"EURX": "0.000000", "JPYX": "25000"}
        assert found["differences"] == [], "what was taken out of the settings is reconciled all the same"


def in_files(folder: Path, settings: dict[str, str]) -> dict[str, str]:
    """The same settings in a configuration file, and those that are secret in a file each."""
    lines, found = [], {"GATEWAY_CONFIG_FILE": "gateway.toml"}
    for name, value in settings.items():
        if name in SECRETS:
            (folder / name).write_text(f"{value}\n")
            found[f"{name}_FILE"] = name
        else:
            lines.append(f'{name.removeprefix("GATEWAY_").lower()} = "{value}"')
    (folder / "gateway.toml").write_text("\n".join(lines))
    return found


async def rows(url: str) -> dict[str, int]:
    tables = ("wallet", "bank_movement")
    async with connect(url, connections=1) as database, database.reading() as connection:
        return {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in tables}
