"""One PostgreSQL for the whole run, and for every test that asks for one a database as new, and an anvil as new.

All of it is real: the server is the embedded one with fsync on, started once in a temporary folder.
"""

import gc
import hashlib
import inspect
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import hypothesis
import pytest

import gateway
from gateway.chain.node import HttpNode
from gateway.chain.token.contract import Contract
from gateway.config.environment import from_environment
from gateway.embedded.children import Children
from gateway.embedded.postgres import SETTINGS, Postgres
from gateway.identity.sign_in import recovery_codes
from gateway.keys.vault import Vault
from gateway.ledger import ledger
from gateway.money import Assets
from gateway.postgres.migration import migrate
from gateway.postgres.pool import Database, connect
from tests.anvils import Chain, SharedAnvil, shared_anvil
from tests.databases import execute, fresh_database, keeping_connections, name_of, named
from tests.factory import Town
from tests.processes import heed_ctrl_c, limited
from tests.reused import ReusedDatabases
from tests.running import ROOT, end_shared_up
from tests.slow import is_slow, rank
from tests.temporary import use_memory

#: The assets that tests use: those of the default configuration.
ASSETS: Assets = from_environment({}).assets

SCHEMA = Path(gateway.__file__).parent / "schema"

#: A checkpoint, and the end of a database, look through all of it. To look through a quarter of the memory, which the
#: gateway gives it, takes longer than all else that they do.
SMALL = {"shared_buffers": "128MB"}

heed_ctrl_c()

# Python keeps what it has compiled, and pytest what it has made of assertions, beside each module. To make it again
# takes each process of tests three seconds, and each gateway that they start a fifth of its start.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# As in the gateway's own processes: what tests are made of stays, and to look through it takes a tenth of their time.
gc.set_threshold(50_000, 20, 50)

# To hash the ten recovery codes of somebody who signs up takes half a second of a processor. Tests hash them at a
# thousandth of the cost; tests/identity/test_recovery_codes.py holds the real one.
recovery_codes._N = 2**4

#: The folder of this run, in the first of its processes.
_FOLDER = pytest.StashKey[Path | None]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--seeds", type=int, metavar="NUMBER", help="how many seeds each seeded test runs; else as many as it says"
    )

    parser.addoption(
        "--pictures",
        metavar="FOLDER",
        default=ROOT / ".pictures",
        help="where tests/web puts a picture of each page, instead of .pictures",
    )
    parser.addoption("--fast", action="store_true", help="leave out the tests that take longest (tests/slow.py)")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if config.getoption("--fast") and is_slow(collection_path) else None


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "seeds(count): run with `seed` from 1 to count, or to what --seeds says")
    config.stash[_FOLDER] = folder = use_memory()
    if folder is not None and config.option.basetemp is None:
        config.option.basetemp = str(folder / "t")  # the path of a socket may have 107 bytes, so pytest adds no more
    hypothesis.settings.register_profile("limited by pytest alone", deadline=None)
    hypothesis.settings.load_profile("limited by pytest alone")


def pytest_collection_finish() -> None:
    """Leave what is there now, modules and thousands of tests, out of each collection of garbage."""
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Stop the `up` that tests share (running.py) before a folder of tests that do not want it."""
    yield
    if nextitem is None:
        end_shared_up()
    elif (folder := nextitem.path.parent) != item.path.parent:
        beside = (other for other in item.session.items if other.path.parent == folder)
        if not any("up" in getattr(other, "fixturenames", ()) for other in beside):
            end_shared_up()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Leave the files of a run that failed for whoever wants to see why."""
    end_shared_up()  # that of a test which was interrupted
    if exitstatus == pytest.ExitCode.TESTS_FAILED:
        session.config.stash[_FOLDER] = None


def pytest_unconfigure(config: pytest.Config) -> None:
    if folder := config.stash[_FOLDER]:
        shutil.rmtree(folder)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if marker := metafunc.definition.get_closest_marker("seeds"):
        metafunc.parametrize("seed", seeds(metafunc.config, marker.args[0]))


def seeds(config: pytest.Config, count: int) -> range:
    """The seeds that a test runs which runs so many in the ordinary suite."""
    return range(1, (config.getoption("--seeds") or count) + 1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give each coroutine a limit of its own, a little before pytest-timeout's. The slowest come first where several
    processes share the tests.
    """
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: rank(item.path))
    for item in items:
        if isinstance(item, pytest.Function):
            marker = item.get_closest_marker("timeout")
            seconds = 0.9 * float(marker.args[0] if marker else item.config.getini("timeout"))
            example = getattr(item.obj, "hypothesis", None)
            if inspect.iscoroutinefunction(item.obj):
                item.obj = limited(item.obj, seconds)
            elif example and inspect.iscoroutinefunction(example.inner_test):
                example.inner_test = limited(example.inner_test, seconds)


@dataclass(frozen=True)
class Running:
    """A server that somebody else started and stops."""

    dsn: str


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """One event loop for the whole run, the one that the gateway runs on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def assets() -> Assets:
    return ASSETS


@pytest.fixture(scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Postgres | Running]:
    """The PostgreSQL server of this run, or the one that TEST_POSTGRES_URL names (scripts/mutate)."""
    if url := os.environ.get("TEST_POSTGRES_URL"):
        yield Running(url)
        return
    home = tmp_path_factory.mktemp("server")
    children = await Children.claim(home)
    postgres = Postgres(home, children, SETTINGS | SMALL)
    await postgres.start()
    try:
        async with keeping_connections(postgres.dsn):
            yield postgres
    finally:
        await postgres.stop()
        await children.release()


@pytest.fixture(scope="session")
async def template(server: Postgres) -> str:
    """A migrated database that others are copied from: faster than migrating each."""
    return await make_template(server.dsn)


async def make_template(dsn: str) -> str:
    written = b"".join(path.read_bytes() for path in sorted(SCHEMA.glob("*.sql")))
    name = f"template_{hashlib.sha256(written).hexdigest()[:16]}"
    async with connect(dsn, connections=1) as database, database.reading() as connection:
        if await connection.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name):
            return name
    await execute(dsn, f"CREATE DATABASE {name}")
    async with connect(named(dsn, name), connections=1) as database:
        await migrate(database)
        async with database.transaction() as connection:
            await ledger.declare(connection, ASSETS)
    return name


@pytest.fixture(scope="session")
async def databases(server: Postgres) -> AsyncIterator[ReusedDatabases]:
    """Those that tests have one after the other."""
    databases = ReusedDatabases(server.dsn)
    yield databases
    await databases.close()


@pytest.fixture
async def lent(
    request: pytest.FixtureRequest, server: Postgres, databases: ReusedDatabases, template: str
) -> AsyncIterator[tuple[str, Database | None]]:
    """A migrated database of this test alone, which knows of the deployment where the test has it; its URL, and
    connections to it where the test asks for them.
    """
    deployed: Deployment | None = request.getfixturevalue("deployment") if _has_deployment(request) else None
    copied = deployed.template if deployed else template
    if "database" in request.fixturenames:
        async with databases.lent(copied) as lent:
            yield lent
    else:
        async with fresh_database(server.dsn, copied) as url:
            yield url, None


@pytest.fixture
def database_url(lent: tuple[str, Database | None]) -> str:
    """The URL of this test's database, to which nobody is connected but by `database`."""
    return lent[0]


@pytest.fixture
def database(lent: tuple[str, Database | None]) -> Database:
    """The same, connected: fifty connections, so that fifty races are fifty."""
    assert lent[1] is not None
    return lent[1]


@pytest.fixture
async def empty(server: Postgres) -> AsyncIterator[Database]:
    """A database that nobody has migrated."""
    async with _empty(server) as database:
        yield database


@pytest.fixture
async def other_empty(server: Postgres) -> AsyncIterator[Database]:
    """Another."""
    async with _empty(server) as database:
        yield database


@asynccontextmanager
async def _empty(server: Postgres) -> AsyncIterator[Database]:
    async with fresh_database(server.dsn) as url, connect(url, connections=10) as database:
        yield database


@pytest.fixture(scope="session")
def anvil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedAnvil]:
    """One anvil, for all tests that want a chain with nothing on it."""
    with shared_anvil(tmp_path_factory.mktemp("anvil")) as anvil:
        yield anvil


@dataclass(frozen=True)
class Deployment:
    """The tokens' contracts: on the chain that the anvil keeps, and in the template of a database."""

    anvil: SharedAnvil
    template: str
    contracts: dict[str, Contract]


@pytest.fixture(scope="session")
async def deployment(
    server: Postgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Deployment]:
    """What a gateway does at its first start, once for all tests that begin after it."""
    with shared_anvil(tmp_path_factory.mktemp("deployment")) as anvil:
        async with fresh_database(server.dsn, template) as url:
            async with connect(url, connections=1) as database, town_of(database, anvil.chain) as town:
                await town.deploy()
            anvil.keep()
            yield Deployment(anvil, name_of(url), town.settings.contracts)


def _has_deployment(request: pytest.FixtureRequest) -> bool:
    return "deployment" in request.fixturenames


@pytest.fixture
def chain(request: pytest.FixtureRequest) -> Chain:
    """An anvil that mines when the test says so: as new, or with the contracts where the test has the deployment."""
    if not _has_deployment(request):
        anvil: SharedAnvil = request.getfixturevalue("anvil")
        return anvil.take()
    deployed: Deployment = request.getfixturevalue("deployment")
    chain = deployed.anvil.take()
    chain.mine()  # a block of now
    return chain


@pytest.fixture
async def town(deployment: Deployment, database: Database, chain: Chain) -> AsyncIterator[Town]:
    """A gateway around this test's database and chain, its contracts deployed."""
    async with town_of(database, chain) as town:
        town.settings = replace(town.settings, contracts=deployment.contracts)
        yield town


@asynccontextmanager
async def town_of(database: Database, chain: Chain) -> AsyncIterator[Town]:
    node = HttpNode(chain.url)
    yield Town(database, chain, node, ASSETS, Vault(bytes(range(32)), root=bytes(range(32, 64))))
    await node.close()
