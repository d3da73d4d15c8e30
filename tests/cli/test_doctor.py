"""gateway doctor: of each thing that an installation may lack, what is found and said."""

import os
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.cli.operate import operations
from gateway.cli.operate.doctor import machine
from gateway.cli.operate.doctor.doctor import DIAGNOSTICS, examine
from gateway.config.environment import from_environment
from gateway.embedded import postgres as embedded
from gateway.embedded.children import Children
from gateway.embedded.postgres import Postgres
from gateway.keys.signer import RelayerSigner
from gateway.notifications.push.vapid import to_base64
from gateway.postgres.pool import connect
from gateway.reconciliation import diagnosis
from gateway.reconciliation.diagnosis import Result
from tests.anvils import Chain, running_anvil
from tests.databases import fresh_database
from tests.notifications.mail_server import serving
from tests.replicas import replicated
from tests.running import Up
from tests.servers import read_only, stopped
from tests.test_clock import behind
from tests.webhooks.test_sender import certified

pytestmark = pytest.mark.anyio

#: The relayer's, which has all the money that it needs.
KEY = secrets.token_bytes(32)
RELAYER = RelayerSigner(KEY).address


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """A chain that makes blocks by itself."""
    with running_anvil(tmp_path_factory.mktemp("chain"), mining="--block-time=0.2") as chain:
        chain.rpc("anvil_setBalance", RELAYER, hex(10**20))
        yield chain


@dataclass
class Site:
    """An installation: its settings, and what doctor finds with them."""

    settings: dict[str, str] = field(default_factory=dict)

    async def found(self, *names: str, **settings: str) -> dict[str, Result]:
        found = await examine(self.settings | settings)
        assert [finding.name for finding in found] == list(DIAGNOSTICS)
        by_name = {finding.name: Result(finding.state, finding.message) for finding in found}
        return {name: by_name[name] for name in names} if names else by_name

    async def one(self, name: str, **settings: str) -> Result:
        return (await self.found(name, **settings))[name]

    async def prepare(self) -> "Site":
        await operations.migrate(from_environment(self.settings))
        await operations.deploy(from_environment(self.settings))
        return self


@pytest.fixture
async def empty_site(server: Postgres, node: Chain, tmp_path: Path) -> AsyncIterator[Site]:
    """A database that nobody has migrated, and a node."""
    relayer = tmp_path / "relayer.key"
    relayer.touch(0o600)
    relayer.write_text(KEY.hex())
    async with fresh_database(server.dsn) as url:
        yield Site(
            {
                "GATEWAY_HOME": str(tmp_path), "GATEWAY_DATABASE_URL": url, "GATEWAY_RPC_URL": node.url,
                "GATEWAY_RELAYER_KEY_FILE": str(relayer), "GATEWAY_FINALITY": "1",
                "GATEWAY_DATABASE_CONNECT_SECONDS": "0.5",
            }
        )  # fmt: skip


@pytest.fixture
async def site(empty_site: Site) -> Site:
    """Migrated and deployed, without a worker."""
    return await empty_site.prepare()


def states(found: dict[str, Result], but: Sequence[str] = ()) -> set[str]:
    return {result.state for name, result in found.items() if name not in but}


# ---- all is well ----------------------------------------------------------------------------------------------------

#: What depends on the machine of whoever runs the tests.
OF_THE_MACHINE = ("state folder", "database disk", "versions")


def test_where_everything_runs_nothing_fails_and_the_status_is_0(up: Up) -> None:
    ran, found = up.gateway("doctor"), up.json("doctor")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.endswith("\nnothing failed\n")
    assert [finding["name"] for finding in found["findings"]] == list(DIAGNOSTICS)
    others = [finding for finding in found["findings"] if finding["name"] not in OF_THE_MACHINE]
    assert [finding for finding in others if finding["state"] != "ok"] == []
    assert found["ok"] is True


async def test_an_installation_without_a_worker_lacks_that_alone(site: Site) -> None:
    found = await site.found()

    assert found.pop("worker") == Result(
        "failed", "no worker has ever run, so token payments wait: start 'gateway work'"
    )
    assert states(found, OF_THE_MACHINE) == {"ok"}, found
    assert found["database"].message.startswith("PostgreSQL 1")
    assert found["node"].message == "anvil/" + found["node"].message.split("/", 1)[1]
    assert found["node"].message.endswith(" answers for chain 31337")
    assert found["durability"].message == "fsync and full_page_writes are on, synchronous_commit is on"
    assert "1 run, 1 of them with keys here" in found["relayers"].message


async def test_nothing_is_changed(site: Site, server: Postgres) -> None:
    async def rows() -> object:
        async with connect(site.settings["GATEWAY_DATABASE_URL"], 1) as database, database.reading() as connection:
            return [dict(row) for row in await connection.fetch(_ROWS)]

    before = await rows()
    await site.found()
    assert await rows() == before


_ROWS = "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables ORDER BY relname"


# ---- settings -------------------------------------------------------------------------------------------------------


async def test_settings_that_cannot_be_read_are_told_and_the_rest_is_skipped(site: Site) -> None:
    found = await site.found(GATEWAY_PORT="x")
    versions = found.pop("versions")

    assert found.pop("settings") == Result("failed", "GATEWAY_PORT='x': set it to a whole number from 0 to 65535")
    assert versions.state != "skipped"
    assert states(found) == {"skipped"}
    assert found["state folder"].message == "it needs settings that can be read"


async def test_where_nothing_is_set_and_nothing_runs_both_are_said(tmp_path: Path) -> None:
    found = await Site({"GATEWAY_HOME": str(tmp_path)}).found("database", "node", "schema")

    assert found["database"].message.endswith("start scripts/up, or set GATEWAY_DATABASE_URL")
    assert found["node"].message.endswith("start scripts/up, or set GATEWAY_RPC_URL")
    assert [one.state for one in found.values()] == ["failed", "failed", "skipped"]


# ---- the database ---------------------------------------------------------------------------------------------------

OF_THE_DATABASE = ("database disk", "durability", "clock", "schema", "keys", "contracts", "relayers", "worker")


async def test_a_database_that_does_not_answer(site: Site, server: Postgres) -> None:
    with stopped(server):
        found = await site.found()

    assert found["database"].state == "failed"
    assert found["database"].message.startswith("the database does not answer: ")
    assert found["database"].message.endswith(": start it, or correct GATEWAY_DATABASE_URL")
    assert {found[name].state for name in (*OF_THE_DATABASE, "recovery", "checkpoints")} == {"skipped"}
    assert found["node"].state == "ok"


async def test_a_database_that_takes_no_writes(site: Site, server: Postgres) -> None:
    async with read_only(server):
        found = await site.found("database", "schema", "keys")

    assert found["database"].state == "failed"
    assert "answers, but nothing can be written to the database: it is read-only" in found["database"].message
    assert (found["schema"].state, found["keys"].state) == ("ok", "ok")


async def test_a_standby_in_recovery(tmp_path: Path) -> None:
    async with replicated() as servers:
        of_standby = Site({"GATEWAY_HOME": str(tmp_path), "GATEWAY_DATABASE_URL": servers.at(servers.standby_socket)})
        of_primary = Site({"GATEWAY_HOME": str(tmp_path), "GATEWAY_DATABASE_URL": servers.url})
        standby, primary = await of_standby.one("database"), await of_primary.found("database", "durability")

    assert standby.state == "failed"
    assert "is a standby in recovery, which takes no writes: name the primary" in standby.message
    assert primary["database"].state == "ok"
    assert primary["durability"].message.endswith("; commits wait for *")


async def test_a_server_that_may_lose_what_it_has_committed(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(embedded.SETTINGS, "fsync", "off")
    home = tmp_path_factory.mktemp("hasty")
    children = await Children.claim(home)
    hasty = Postgres(home, children)
    try:
        await hasty.start()
        found = await Site({"GATEWAY_HOME": str(home), "GATEWAY_DATABASE_URL": hasty.dsn}).one("durability")
        await hasty.stop()
    finally:
        await children.release()
    assert found.state == "failed"
    assert found.message.startswith(
        "the server has fsync off, so a crash of its machine may lose acknowledged payments"
    )


async def test_a_database_that_nobody_has_migrated(empty_site: Site) -> None:
    found = await empty_site.found("database", "schema", "keys", "contracts")

    assert found["database"].state == "ok"
    assert found["schema"] == Result("failed", "the database's schema is not up to date: run 'gateway migrate'")
    assert found["keys"] == found["contracts"] == Result("skipped", "it needs a database with its schema")


async def test_a_clock_that_is_wrong(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    behind(monkeypatch, timedelta(hours=1))
    found = await site.one("clock")

    assert found.state == "failed"
    assert found.message.startswith("this machine's clock is 3600.")
    assert found.message.endswith("s behind the database's, which is what counts: set it right (NTP)")


async def test_keys_of_another_database(site: Site, tmp_path: Path) -> None:
    other = tmp_path / "other.key"
    other.touch(0o600)
    other.write_text(secrets.token_hex(32))

    assert (await site.one("keys", GATEWAY_MASTER_KEY_FILE=str(other))).state == "failed"
    missing = await site.one("keys", GATEWAY_ROOT_KEY_FILE=str(tmp_path / "none"))
    assert (missing.state, "cannot be read" in missing.message) == ("failed", True)


# ---- the chain ------------------------------------------------------------------------------------------------------


async def test_a_node_that_does_not_answer(site: Site) -> None:
    found = await site.found(
        "node", "chain time", "finality", "contracts", "relayers", GATEWAY_RPC_URL="http://127.0.0.1:1"
    )

    assert found.pop("node").message.startswith("the Ethereum node does not answer: ")
    assert states(found) == {"skipped"}


async def test_another_chain_than_that_of_the_ledger(site: Site, tmp_path: Path) -> None:
    with running_anvil(tmp_path / "other", "--chain-id", "4242", mining="--block-time=0.2") as other:
        found = await site.one("contracts", GATEWAY_RPC_URL=other.url)

    assert found.state == "failed"
    assert "USDX is on chain 31337, and the node is of chain 4242" in found.message


async def test_a_token_that_was_not_deployed(empty_site: Site) -> None:
    await operations.migrate(from_environment(empty_site.settings))
    found = await empty_site.found("contracts", "relayers")

    assert found["contracts"] == Result("failed", "USDX has no contract: run 'gateway deploy'")
    assert found["relayers"] == Result("failed", "no relayer is known: run 'gateway deploy'")


async def test_a_node_whose_time_is_wrong_and_one_that_names_nothing_final(empty_site: Site, tmp_path: Path) -> None:
    with running_anvil(tmp_path / "other") as other:
        at_first = await empty_site.one("finality", GATEWAY_RPC_URL=other.url, GATEWAY_FINALITY="7")
        other.rpc("evm_increaseTime", 3600)
        other.mine()
        ahead = await empty_site.one("chain time", GATEWAY_RPC_URL=other.url)
    with running_anvil(tmp_path / "old", "--timestamp", "1700000000") as old:
        behind = await empty_site.one("chain time", GATEWAY_RPC_URL=old.url)

    assert at_first.state == "warning"
    assert at_first.message.startswith("no block is final yet. It is final with 7 blocks on top")
    assert (ahead.state, "s ahead of the database's time: set the clocks" in ahead.message) == ("failed", True)
    assert (behind.state, "s behind the database's time: see whether the node" in behind.message) == ("warning", True)


async def test_a_relayer_without_gas_money_or_without_a_key_here(site: Site, node: Chain) -> None:
    node.rpc("anvil_setBalance", RELAYER, "0x1")
    poor = await site.one("relayers")
    node.rpc("anvil_setBalance", RELAYER, hex(10**20))
    elsewhere = await site.one("relayers", GATEWAY_RELAYER_KEY_FILE="")

    assert poor == Result("failed", f"{RELAYER} is dry: send gas money to it, or see 'gateway relayers'")
    assert elsewhere.state == "warning"
    assert elsewhere.message.startswith("nothing can be relayed from this machine, which only a worker needs: ")


# ---- disks, versions, checkpoints -----------------------------------------------------------------------------------


async def test_a_disk_that_is_nearly_full(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    free = int(os.statvfs(site.settings["GATEWAY_HOME"]).f_bavail) * os.statvfs(site.settings["GATEWAY_HOME"]).f_frsize
    monkeypatch.setattr(machine, "_ROOM_WANTED", 2 * free)
    assert (await site.one("state folder")).state == "warning"
    monkeypatch.setattr(machine, "_ROOM_MIN", 2 * free)
    found = await site.found("state folder", "database disk")
    assert found["state folder"].state == "failed"
    assert "make room on the disk of" in found["state folder"].message
    assert found["database disk"].message.startswith("the database takes ")


async def test_other_libraries_than_those_that_are_locked(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("asyncpg==0.0.1 \\\n    --hash=sha256:00\nnot-installed==1.0 \\\n    --hash=sha256:00\n")
    monkeypatch.setattr(machine, "LOCK", lock)
    found = await site.one("versions")
    assert found.state == "warning"
    assert found.message.startswith(
        "other versions than those of requirements.lock are installed, run scripts/setup: asyncpg "
    )
    assert "not-installed" not in found.message

    lock.write_text("fontpkg-noto-sans-thai==2.2 \\\n    --hash=sha256:00\n")  # which calls itself 2.002
    found = await site.one("versions")
    assert (found.state, found.message.endswith("libraries as in requirements.lock")) == ("ok", True)

    lock.unlink()  # as where a wheel is installed
    found = await site.one("versions")
    assert (found.state, found.message.endswith("without a requirements.lock to compare the libraries with")) == (
        "ok",
        True,
    )


async def test_a_log_that_nobody_writes_checkpoints_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await site.one("checkpoints")).state == "ok", "what was deployed is not a minute old"
    monkeypatch.setattr(diagnosis, "_PENDING_LONG", timedelta())
    found = await site.one("checkpoints")
    assert found.state == "failed"
    assert found.message.endswith(", there is none: start 'gateway work'")


async def test_a_mail_server_is_asked_and_its_fault_is_said(empty_site: Site) -> None:
    nothing = await empty_site.one("e-mail")
    assert (nothing.state, "GATEWAY_SMTP_URL is not set" in nothing.message) == ("ok", True)
    async with serving() as mails:
        settings = {
            "GATEWAY_SMTP_URL": f"smtp+plain://127.0.0.1:{mails.port}",
            "GATEWAY_EMAIL_FROM": "no-reply@pay.example",
        }
        linked_here = await empty_site.one("e-mail", **settings)
        assert (linked_here.state, "GATEWAY_PUBLIC_URL is not set" in linked_here.message) == ("warning", True)
        no_https = await empty_site.one("e-mail", **settings, GATEWAY_PUBLIC_URL="http://pay.example")
        assert (no_https.state, "RFC 8058" in no_https.message) == ("warning", True)
        fine = await empty_site.one("e-mail", **settings, GATEWAY_PUBLIC_URL="https://pay.example")
        assert fine == Result("ok", f"127.0.0.1:{mails.port} takes e-mail from no-reply@pay.example")
        plain = settings | {"GATEWAY_SMTP_URL": f"smtp://user:secret@127.0.0.1:{mails.port}"}
        unencrypted = await empty_site.one("e-mail", **plain)
        assert (unencrypted.state, "STARTTLS" in unencrypted.message) == ("failed", True)
        assert "secret" not in unencrypted.message
    gone = await empty_site.one("e-mail", **settings)
    assert (gone.state, "no connection" in gone.message) == ("failed", True)


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # aiosmtpd's own advice
async def test_a_mail_server_s_starttls_is_tried(
    empty_site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server, _ = certified(tmp_path, "localhost")
    async with serving(server, starttls=True, password=("user", "right")) as mails:
        settings = {"GATEWAY_EMAIL_FROM": "no-reply@pay.example", "GATEWAY_PUBLIC_URL": "https://pay.example"}
        at = f"localhost:{mails.port}"
        unknown = await empty_site.one("e-mail", **settings, GATEWAY_SMTP_URL=f"smtp://user:right@{at}")
        assert (unknown.state, "its certificate is not valid" in unknown.message) == ("failed", True)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "localhost.pem"))
        fine = await empty_site.one("e-mail", **settings, GATEWAY_SMTP_URL=f"smtp://user:right@{at}")
        wrong = await empty_site.one("e-mail", **settings, GATEWAY_SMTP_URL=f"smtp://user:wrong@{at}")
    assert fine == Result("ok", f"{at} takes e-mail from no-reply@pay.example")
    assert (wrong.state, "refuses the user and password" in wrong.message) == ("failed", True)


async def test_the_key_of_push_messages_is_told_and_what_it_lacks(site: Site) -> None:
    here = await site.one("push messages")
    assert (here.state, "derived from the root key; browsers take them at localhost" in here.message) == ("ok", True)
    fine = await site.one("push messages", GATEWAY_PUBLIC_URL="https://pay.example")
    assert (fine.state, fine.message.endswith(", derived from the root key")) == ("ok", True)
    nobody = await site.one("push messages", GATEWAY_PUBLIC_URL="http://pay.example")
    assert (nobody.state, "GATEWAY_VAPID_SUBJECT is not set" in nobody.message) == ("warning", True)
    private = to_base64(bytes(31) + b"\1")
    given = await site.one("push messages", GATEWAY_VAPID_PRIVATE_KEY=private)
    assert "of GATEWAY_VAPID_PRIVATE_KEY" in given.message
    assert private not in given.message
    wrong = await site.found("settings", "push messages", GATEWAY_VAPID_PRIVATE_KEY="AAAA")
    assert wrong["settings"].state == "failed"
    assert wrong["push messages"] == Result("failed", wrong["settings"].message)


async def test_push_messages_need_the_keys_of_the_database(empty_site: Site) -> None:
    assert await empty_site.one("push messages") == Result("skipped", "it needs the keys of this database")
