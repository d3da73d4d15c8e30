"""A database that is older than the chain: dumped with pg_dump, restored beside a chain that went on.

Nothing is paid twice on the chain, no address is lost, and two operators make the ledger add up again.
"""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from eth_abi.abi import encode
from eth_hash.auto import keccak

from gateway.audit import log as audit
from gateway.chain.node import HttpNode
from gateway.chain.token import message
from gateway.chain.token.message import Authorization
from gateway.clock import system_clock
from gateway.embedded.postgres import Postgres, binaries
from gateway.http.services import Services
from gateway.identity import wallet as wallets
from gateway.ids import read
from gateway.keys.vault import Vault
from gateway.payments.model.payment import State
from gateway.postgres.pool import Database, connect
from gateway.reconciliation import recovery, reread
from gateway.worker import jobs
from tests.api.conftest import Api, Hands, Person, amount, code_of
from tests.api.test_operators import Person as Operator
from tests.api.test_operators import operator
from tests.applications import application
from tests.conftest import ASSETS
from tests.databases import fresh_database, named
from tests.factory import Town
from tests.front import client_of
from tests.payments.test_undo_window import careful
from tests.processes import HANG_SECONDS, start

pytestmark = pytest.mark.anyio

#: The keys that the `town` has.
MASTER, ROOT = bytes(range(32)), bytes(range(32, 64))

#: Of nobody here.
OUTSIDE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


@dataclass
class Gateway:
    """A gateway over one database and the chain: its API, and its worker's steps."""

    town: Town
    api: Api
    operators: dict[str, tuple[Operator, Operator]] = field(default_factory=dict)

    async def two(self, kind: str) -> tuple[Operator, Operator]:
        """Two operators whose role this kind is for."""
        role = "finance" if kind == "ledger.correct" else "security"
        if role not in self.operators:
            ann, ben = [await operator(self.api, f"{name}_{role}", role) for name in ("ann", "ben")]
            self.operators[role] = (ann, ben)
        return self.operators[role]

    async def propose(self, asked: dict[str, Any]) -> httpx.Response:
        """What an operator proposes."""
        ann, _ = await self.two(asked["kind"])
        return await ann.call("POST", "/proposals", {"reason": "after the restore", **asked})

    async def approved(self, asked: dict[str, Any]) -> int:
        """What one operator proposes and the other approves; the answer's status."""
        proposed = await self.propose(asked)
        assert proposed.status_code == 201, proposed.text
        _, ben = await self.two(asked["kind"])
        return (await ben.approve(proposed.json()["id"])).status_code

    async def watch(self) -> None:
        worker = self.town.worker()
        while await jobs.watch.run(worker):
            pass

    async def tokens(self, handle: str) -> str:
        """What the ledger says that a wallet has."""
        async with self.town.database.reading() as connection:
            wallet = await wallets.by_handle(connection, handle)
        return str((await self.town.balance(wallet, "USDX")).money()[0])

    async def recovery(self) -> recovery.Recovery | None:
        async with self.town.database.reading() as connection:
            return await recovery.current(connection)

    async def audit_events(self, *kinds: str) -> list[str]:
        async with self.town.database.reading() as connection:
            return [event.kind for event in reversed(await audit.read(connection, limit=500)) if event.kind in kinds]

    def as_person(self, of: Person) -> Person:
        """Somebody, at this gateway."""
        return replace(of, api=self.api)


@asynccontextmanager
async def opened(town: Town) -> AsyncIterator[Gateway]:
    services = Services(town.database, town.settings, town.vault, Hands(), town.node)
    app = application(services)
    async with client_of(app) as client:
        yield Gateway(town, Api(services, Hands(), client))


@dataclass
class Copies:
    """Copies of databases, made and restored by PostgreSQL's own tools."""

    server: Postgres
    folder: Path
    stack: AsyncExitStack

    async def take(self, town: Town) -> Path:
        async with town.database.reading() as connection:
            name = await connection.fetchval("SELECT current_database()")
        file = self.folder / f"{name}.dump"
        await _run("pg_dump", "--format=custom", f"--file={file}", f"--dbname={named(self.server.dsn, name)}")
        return file

    async def restore(self, copy: Path, town: Town) -> Gateway:
        """The copy in a database of its own, and a gateway over that and the same chain."""
        url = await self.create()
        await _run("pg_restore", "--exit-on-error", f"--dbname={url}", str(copy))
        return await self.open(url, town)

    async def create(self) -> str:
        """An empty database."""
        return await self.stack.enter_async_context(fresh_database(self.server.dsn))

    async def open(self, url: str, town: Town) -> Gateway:
        database: Database = await self.stack.enter_async_context(connect(url, connections=10))
        vault = Vault(MASTER, root=ROOT)
        again = Town(database, town.chain, town.node, ASSETS, vault)
        again.settings, again.signers = town.settings, town.signers
        return await self.stack.enter_async_context(opened(again))


async def _run(tool: str, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(binaries() / tool, *arguments, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()


@pytest.fixture
async def copies(server: Postgres, tmp_path: Path) -> AsyncIterator[Copies]:
    async with AsyncExitStack() as stack:
        yield Copies(server, tmp_path, stack)


@pytest.fixture
async def before(town: Town) -> AsyncIterator[Gateway]:
    async with opened(town) as gateway:
        yield gateway


async def convert(who: Person, text: str, into: str, key: str) -> httpx.Response:
    return await who.post("/v1/conversions", {**amount(text), "to_asset": into}, key)


async def with_tokens(gateway: Gateway, handle: str, fiat: str, tokens: str) -> Person:
    """Somebody with fiat, some of which became tokens."""
    person = await gateway.api.person(handle, fiat)
    assert (await convert(person, tokens, "USDX", f"first-{handle}")).status_code == 202
    await gateway.town.settle()
    return person


def send_from(town: Town, stranger: str, to: str, units: int) -> None:
    """What somebody whose address is nobody's here sends by themselves."""
    data = keccak(b"transfer(address,uint256)")[:4] + encode(["address", "uint256"], [to, units])
    call = {"from": stranger, "to": town.settings.contracts["USDX"].address, "data": "0x" + data.hex()}
    town.chain.rpc("eth_sendTransaction", call)
    town.chain.mine(1 + town.FINALITY)


async def test_nothing_is_paid_twice_after_a_restore_and_two_operators_make_it_add_up(
    before: Gateway, copies: Copies
) -> None:
    town = before.town
    alice = await with_tokens(before, "alice", "100.00 USD", "50.00 USD")
    bob = await before.api.person("bob")
    held = (await alice.pay("@bob", "6.00 USDX", "hold-1", capture=False)).json()["id"]
    copy = await copies.take(town)

    # What the copy does not have: payments to a handle and to an address, two alike, a capture, a mint, a handle.
    carol = await before.api.person("carol")
    asked = {
        "one": ("@bob", "5.00 USDX"), "alike": ("@bob", "5.00 USDX"),
        "out": (OUTSIDE, "2.00 USDX"), "to-carol": ("@carol", "4.00 USDX"),
    }  # fmt: skip
    for key, (to, money) in asked.items():
        assert (await alice.pay(to, money, key)).status_code == 202
    assert (await alice.pay("@bob", "3.00 USD", "ledger")).status_code == 201
    assert (await bob.post(f"/v1/payments/{held}/capture", {}, "capture")).status_code == 200
    assert (await convert(alice, "25.00 USD", "USDX", "mint")).status_code == 202
    await town.settle()
    assert (await carol.pay("@bob", "1.00 USDX", "of-carol-too")).status_code == 202
    await town.settle()
    send_from(town, OUTSIDE, carol.address, 500_000)
    on_chain = {at: await town.on_chain(at) for at in (alice.address, bob.address, carol.address, OUTSIDE)}
    assert list(on_chain.values()) == ["53.000000 USDX", "17.000000 USDX", "3.500000 USDX", "1.500000 USDX"]

    # The restored database: nothing is sent before the ledger has read what the relayers did, and then it is in
    # recovery.
    after = await copies.restore(copy, town)
    alice, bob = after.as_person(alice), after.as_person(bob)
    early = await alice.pay("@bob", "1.00 USDX", "early")  # nobody knows yet, and its nonce is one that was used
    assert early.status_code == 202
    assert not await jobs.relay.run(after.town.worker())
    await after.watch()
    found = await after.recovery()
    assert found is not None
    assert found.read_at is None
    assert not await jobs.relay.run(after.town.worker())
    assert await after.audit_events("recovery.entered") == ["recovery.entered"]

    for refused in (
        await alice.pay("@bob", "1.00 USDX"),
        await alice.pay(OUTSIDE, "1.00 USDX"),
        await convert(alice, "1.00 USD", "USDX", "new"),
        await convert(alice, "1.00 USDX", "USD", "new"),
        await alice.post("/v1/withdrawals", amount("1.00 USD")),
        await bob.post(f"/v1/payments/{held}/capture", {}, "capture"),
        await after.api.call("POST", "/v1/handles", json={"handle": "dave"}),
    ):
        assert code_of(refused) == (503, "in_recovery")
    assert (await alice.pay("@bob", "3.00 USD", "ledger")).status_code == 201
    assert (await alice.get("/v1/wallet")).status_code == 200
    ready = (await after.api.call("GET", "/health/ready")).json()
    assert ready["recovery"].startswith("in recovery since ")

    assert code_of(await after.propose({"kind": "recovery.confirm"})) == (409, "state_conflict")  # not all is read
    assert await jobs.recover.run(after.town.worker())
    assert await after.approved({"kind": "recovery.confirm"}) == 200
    assert await after.recovery() is None
    assert await after.audit_events("recovery.read", "recovery.ended") == ["recovery.read", "recovery.ended"]

    # Every retry meets what the chain has, each time, and moves nothing.
    for _ in range(2):
        for key in ("one", "alike", "out"):
            to, money = asked[key]
            met = await alice.pay(to, money, key)
            assert code_of(met) == (409, "payment_restored"), (key, met.text)
        assert code_of(await bob.post(f"/v1/payments/{held}/capture", {}, "capture")) == (409, "payment_restored")
        assert code_of(await convert(alice, "25.00 USD", "USDX", "mint")) == (409, "payment_restored")
    assert (await alice.pay("@bob", "3.00 USD", "ledger")).headers["Idempotency-Replayed"] == "true"
    assert code_of(await alice.pay("@carol", "4.00 USDX", "to-carol")) == (404, "unknown_payee")

    # A handle that was lost is nobody's before operators give it back; then its address and its tokens are there.
    lost = await after.api.call("POST", "/v1/handles", json={"handle": "carol"})
    assert code_of(lost) == (409, "handle_taken")
    assert lost.json()["type"].endswith(":lost")
    assert await after.approved({"kind": "handle.return", "handle": "carol"}) == 200
    again = await after.api.person("carol")
    assert again.address == carol.address
    assert await jobs.recover.run(after.town.worker())
    assert await after.tokens("carol") == "3.500000 USDX"
    assert code_of(await alice.pay("@carol", "4.00 USDX", "to-carol")) == (409, "payment_restored")
    await after.town.settle()
    assert (await alice.get(f"/v1/payments/{early.json()['id']}")).json()["failure"] == "nonce_used_otherwise"
    assert {at: await town.on_chain(at) for at in on_chain} == on_chain

    # Reading the blocks again posts none of it a second time.
    settings, head = after.town.settings, town.chain.head()
    assert (await reread.reread(after.town.database, town.node, settings, 1, head - 1, town.clock)).posted == 0
    assert await after.tokens("carol") == "3.500000 USDX"

    # The mint stays doubled in value until two operators correct it.
    (short,) = await after.town.differences()
    assert "reserve:USD" in str(short)
    correction = {"debit": "wallet:alice:USD", "credit": "reserve:USD", "amount": "25.00", "asset": "USD"}
    assert await after.approved({"kind": "ledger.correct", "correction": correction}) == 200
    assert await after.town.differences() == []

    # What is new is paid, also where it is like something that was met.
    new = await alice.pay("@bob", "5.00 USDX", "new-one")
    assert new.status_code == 202, new.text
    assert code_of(await again.pay("@bob", "1.00 USDX", "of-carol-too")) == (409, "payment_restored")
    assert (await again.pay("@bob", "2.00 USDX", "of-carol")).status_code == 202
    await after.town.settle()
    assert await town.on_chain(bob.address) == "24.000000 USDX"
    assert await after.town.differences() == []


async def private_key(town: Town, of: Person) -> bytes:
    """What an owner has who exported the key of their wallet."""
    return town.vault.unsafe_decrypt(_id(of), await ciphertext(town, of))


def _id(of: Person) -> UUID:
    return read("wal", of.wallet_id)


async def own_authorization(town: Town, of: Person, to: str, value: int, nonce: int) -> None:
    """An authorization that the owner signs with the exported key, and a stranger relays."""
    contract = town.settings.contracts["USDX"]
    one = Authorization(uuid4(), "transfer", "USDX", of.address, to, value, nonce, 2**40, None, "gateway")
    signature = town.vault.sign(_id(of), of.address, await ciphertext(town, of), message.digest(contract, one))
    words = [of.address, to, value, 0, 2**40, nonce.to_bytes(32, "big"), signature]
    types = ["address", "address", "uint256", "uint256", "uint256", "bytes32", "bytes"]
    selector = keccak(b"transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)")[:4]
    stranger = town.chain.rpc("eth_accounts")[5]
    call = {"from": stranger, "to": contract.address, "data": "0x" + (selector + encode(types, words)).hex()}
    town.chain.rpc("eth_sendTransaction", call)
    town.chain.mine(1 + town.FINALITY)


async def ciphertext(town: Town, of: Person) -> bytes:
    async with town.database.reading() as connection:
        found: bytes = await connection.fetchval("SELECT ciphertext FROM encrypted_key WHERE wallet_id = $1", _id(of))
    return found


async def restored_too_old(before: Gateway, copies: Copies) -> tuple[Gateway, Person]:
    """A gateway whose database lacks one payment, of 5.00 USDX by alice to bob with the key `lost`."""
    alice = await with_tokens(before, "alice", "100.00 USD", "50.00 USD")
    await before.api.person("bob")
    copy = await copies.take(before.town)
    assert (await alice.pay("@bob", "5.00 USDX", "lost")).status_code == 202
    await before.town.settle()
    after = await copies.restore(copy, before.town)
    return after, after.as_person(alice)


async def test_a_retry_that_was_queued_before_anybody_knew_is_given_back(before: Gateway, copies: Copies) -> None:
    after, alice = await restored_too_old(before, copies)
    first = (await alice.pay("@bob", "1.00 USDX", "new")).json()["id"]  # it gets the nonce that was used
    retry = (await alice.pay("@bob", "5.00 USDX", "lost")).json()["id"]  # and this a fresh one

    await after.watch()
    assert await jobs.recover.run(after.town.worker())
    assert await after.approved({"kind": "recovery.confirm"}) == 200
    await after.town.settle()

    failures = [(await alice.get(f"/v1/payments/{id}")).json()["failure"] for id in (first, retry)]
    assert failures == ["nonce_used_otherwise", "paid_before_restore"]
    assert await after.tokens("alice") == "45.000000 USDX"
    assert await after.town.on_chain(alice.address) == "45.000000 USDX"
    assert (await alice.balance("USDX"))[2] == "45.000000"


async def test_what_could_still_be_undone_when_the_copy_was_made_is_not_sent_again(
    before: Gateway, copies: Copies
) -> None:
    alice, bob = await careful(before.town), await before.town.person("bob")
    payment = await before.town.pay(alice, "@bob", "4 USDX")
    copy = await copies.take(before.town)
    before.town.clock = lambda: system_clock() + timedelta(seconds=31)
    await jobs.expire.run(before.town.worker())
    await before.town.settle()
    assert await before.town.on_chain(bob.address) == "4.000000 USDX"

    after = await copies.restore(copy, before.town)
    after.town.clock = before.town.clock
    other = await after.town.pay(alice, "@bob", "1 USDX")
    after.town.clock = lambda: system_clock() + timedelta(seconds=62)
    await after.watch()
    await jobs.expire.run(after.town.worker())
    assert (await after.town.payment(other)).state is State.HELD  # it waits for the operators, and keeps nobody back
    await jobs.recover.run(after.town.worker())
    assert await after.approved({"kind": "recovery.confirm"}) == 200
    await jobs.expire.run(after.town.worker())
    await after.town.settle()

    assert (await after.town.payment(payment)).state is State.HELD
    await after.town.void(alice, payment)
    assert (await after.town.payment(other)).state is State.SETTLED
    assert await after.town.on_chain(bob.address) == "5.000000 USDX"
    assert await after.town.available(alice, "USDX") == await after.town.on_chain(alice.address) == "5.000000 USDX"


async def test_a_line_of_a_batch_meets_what_the_chain_has_and_the_others_are_paid(
    before: Gateway, copies: Copies
) -> None:
    after, alice = await restored_too_old(before, copies)
    await after.watch()
    await jobs.recover.run(after.town.worker())
    await after.approved({"kind": "recovery.confirm"})
    lines = [
        {"to": "@bob", **amount(f"{units} USDX"), "idempotency_key": f"line-{units}"} for units in ("5.00", "1.00")
    ]

    for whole in ("first", "second"):
        answer = (await alice.post("/v1/payments/batch", lines, whole)).json()
        assert [one["status"] for one in answer] == [409, 202], answer
        assert answer[0]["problem"]["code"] == "payment_restored"
    await after.town.settle()

    assert await after.town.on_chain(alice.address) == "44.000000 USDX"


async def test_a_gateway_that_starts_without_a_worker_finds_it_before_it_accepts_anything(
    before: Gateway, copies: Copies
) -> None:
    after, alice = await restored_too_old(before, copies)
    town = after.town
    finality, clock = town.FINALITY, town.clock

    found = [await recovery.detect(town.database, town.node, town.settings, finality, clock) for _ in range(2)]

    assert found[0] is not None
    assert found[0] == found[1]
    assert code_of(await alice.pay("@bob", "5.00 USDX", "lost")) == (503, "in_recovery")
    assert await recovery.detect(*(before.town.database, town.node, town.settings, finality, clock)) is None
    await after.watch()  # a worker that comes later reads on in the same recovery
    assert await after.audit_events("recovery.entered") == ["recovery.entered"]
    assert await jobs.recover.run(town.worker())


async def test_workers_that_find_it_together_enter_recovery_once(before: Gateway, copies: Copies) -> None:
    after, _ = await restored_too_old(before, copies)

    await asyncio.gather(*(after.watch() for _ in range(5)))

    assert await after.audit_events("recovery.entered") == ["recovery.entered"]
    async with after.town.database.reading() as connection:
        assert await connection.fetchval("SELECT count(*) FROM restored_payment") == 1


async def test_what_is_ordinary_raises_no_recovery(before: Gateway) -> None:
    """A key that was exported and is used without us, tokens sent past us, a worker that was killed between storing and
    sending, a relayer's key used for something else, blocks undone above the final one: none is a batch of ours.
    """
    town = before.town
    alice = await with_tokens(before, "alice", "100.00 USD", "50.00 USD")
    await before.api.person("bob")
    await own_authorization(town, alice, OUTSIDE, 1_000_000, nonce=0)
    await town.send_with(await private_key(town, alice), OUTSIDE, "1.00 USDX")
    town.chain.mine(1 + town.FINALITY)
    await before.watch()
    assert (await alice.pay("@bob", "1.00 USDX", "killed")).status_code == 202

    class Killed(Exception):
        pass

    class Deaf(HttpNode):
        async def send(self, raw: bytes) -> str | None:
            raise Killed

    with pytest.raises(Killed):
        await jobs.relay.run(town.worker(Deaf(town.chain.url)))
    town.chain.rpc("eth_sendTransaction", {"from": town.signers[0].address, "to": OUTSIDE, "value": "0x1"})
    town.chain.mine(1)
    town.chain.rpc("anvil_reorg", 1, [])
    town.chain.mine(1 + town.FINALITY)
    await before.watch()

    assert await recovery.detect(town.database, town.node, town.settings, town.FINALITY, town.clock) is None
    assert await before.recovery() is None
    assert await town.on_chain(OUTSIDE) == "2.000000 USDX"


async def test_the_page_about_restoring_does_what_it_says(
    before: Gateway, copies: Copies, database_url: str, tmp_path: Path
) -> None:
    """Every `sh` block of gateway/docs/operate/{backup,restore}.md, in order, with what happens between them."""
    backup, restore, look, confirm, give_back, reconcile, correct = blocks()
    home, url = Home(tmp_path / "home"), await copies.create()
    environment = {
        "GATEWAY_HOME": str(home.path),
        "GATEWAY_RPC_URL": before.town.chain.url,
        "HOME": str(tmp_path),
        "BACKUP": str(home.make("backup")),
        "KEYS": str(home.make("keys")),
        "RESTORED_DATABASE_URL": url,
        "PATH": f"{binaries()}:{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    alice = await with_tokens(before, "alice", "100.00 USD", "50.00 USD")
    await shell(backup, environment | {"GATEWAY_DATABASE_URL": database_url})
    carol = await before.api.person("carol")
    assert (await alice.pay("@carol", "5.00 USDX", "lost")).status_code == 202
    assert (await convert(alice, "25.00 USD", "USDX", "mint")).status_code == 202
    await before.town.settle()
    home.lose_keys()

    await shell(restore, environment | {"GATEWAY_DATABASE_URL": database_url})
    environment["GATEWAY_DATABASE_URL"] = url
    assert (await asyncio.to_thread(served_once, environment))["recovery"].startswith("in recovery since ")
    after = await copies.open(url, before.town)
    await after.watch()
    await jobs.recover.run(after.town.worker())

    assert "5.000000 USDX" in (shown := await shell(look, environment))
    assert carol.address in shown
    assert "token payments and claims go on" in await shell(confirm, environment)
    assert carol.address in await shell(give_back, environment)
    assert "reserve:USD" in await shell(reconcile, environment)
    assert "the mint in block 12 was lost" in (last := await shell(correct, environment))
    assert last.rstrip().endswith("no difference")


def blocks() -> list[str]:
    pages = Path(__file__).parents[2] / "gateway" / "docs" / "operate"
    text = "".join((pages / name).read_text() for name in ("backup.md", "restore.md"))
    found: list[str] = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return found


@dataclass
class Home:
    """A gateway's folder with its keys, those of the tests' vault."""

    path: Path

    def __post_init__(self) -> None:
        self.path.mkdir()
        for name, key in (("master", MASTER), ("root", ROOT)):
            (self.path / f"{name}.key").write_text(key.hex())
            (self.path / f"{name}.key").chmod(0o600)

    def make(self, name: str) -> Path:
        (self.path / name).mkdir()
        return self.path / name

    def lose_keys(self) -> None:
        for name in ("master", "root"):
            (self.path / f"{name}.key").unlink()


def served_once(environment: Mapping[str, str]) -> dict[str, Any]:
    """What `gateway serve` says of itself once it serves."""
    settings = {"GATEWAY_PORT": "0", "GATEWAY_FINALITY": str(Town.FINALITY)}
    serve = [sys.executable, "-P", "-m", "gateway", "serve"]
    with start(serve, env={**environment, **settings}, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().rpartition(" ")[2].strip()
            ready: dict[str, Any] = httpx.get(f"{url}/health/ready", trust_env=False, timeout=HANG_SECONDS).json()
            return ready
        finally:
            process.terminate()


async def shell(script: str, environment: Mapping[str, str]) -> str:
    """What the commands print. Each has to succeed."""
    process = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", script),
        env=dict(environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, said = await process.communicate()
    assert process.returncode == 0, f"{script}\n{out.decode()}\n{said.decode()}"
    return out.decode()
