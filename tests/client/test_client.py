"""The client against a gateway on a port: what it returns, what it raises, and what it repeats."""

import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.client import AsyncClient, Client, NoAnswer, OutcomeUnknown, ProblemError, Retry
from tests.api.conftest import Api, Person
from tests.api.test_stream import Gateway
from tests.client.conftest import NEVER, EitherClient, between, either_client, problem
from tests.running import ROOT

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

Kind = type[Client] | type[AsyncClient]

ONE = ("@bob", "1.00", "EUR")

IN_PROGRESS = problem(409, "idempotency_key_in_progress", headers="Retry-After: 0\r\n")
UNAVAILABLE = problem(503, "unavailable", headers="Retry-After: 0\r\n")
PROXY_502 = b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\nContent-Length: 4\r\n\r\noops"


async def payments(api: Api) -> int:
    return (await api.counts())["payment"]


async def test_every_call_does_what_it_says(kind: Kind, gateway: Gateway, api: Api, alice: Person, bob: Person) -> None:
    async with (
        either_client(kind, gateway.url, alice.api_key) as at_alice,
        either_client(kind, gateway.url, bob.api_key) as at_bob,
    ):
        alices, bobs = at_alice.client, at_bob.client
        await at_alice.call(alices.bank.deposit, "5.00", "EUR")
        await at_alice.call(alices.bank.withdraw, "4.00", "EUR")
        preview = await at_alice.call(alices.payments.preview, *ONE)
        assert (preview.route.rail, preview.available_after) == ("ledger", "100.00")
        paid = await at_alice.call(alices.payments.create, *ONE, memo="lunch", reference="o-1", metadata={"n": 1})
        assert (paid.state, paid.from_, paid.to, paid.memo) == ("settled", "@alice", "@bob", "lunch")
        assert (paid.reference, paid.metadata) == ("o-1", {"n": 1})
        assert await at_alice.call(alices.payments.get, paid.id) == paid

        held = [await at_alice.call(alices.payments.create, *ONE, capture=False) for _ in range(2)]
        assert (await at_bob.call(bobs.payments.capture, held[0].id, "0.40")).captured == "0.40"
        assert (await at_bob.call(bobs.payments.void, held[1].id)).state == "voided"
        refund = await at_bob.call(bobs.payments.refund, paid.id, "0.25", reference="r-1")
        assert (refund.amount, refund.refund_of, refund.reference) == ("0.25", paid.id, "r-1")

        (euros,) = (one for one in (await at_bob.call(bobs.wallet.get)).balances if one.asset == "EUR")
        assert euros.posted == "1.15"
        entries = await at_bob.all(bobs.wallet.entries("EUR", page_size=1))
        assert [entry.balance for entry in entries] == ["1.15", "1.40", "1.00"]
        span = {"since": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
        (month,) = (await at_bob.call(bobs.wallet.statement, **span, asset="EUR")).accounts
        assert (month.opening, month.paid_in, month.paid_out, month.closing) == ("0.00", "1.40", "0.25", "1.15")
        listed = await at_alice.all(alices.payments.list(page_size=2))
        assert [one.id for one in listed] == [refund.id, held[1].id, held[0].id, paid.id]
        assert [one.id for one in await at_alice.all(alices.payments.list(state="voided"))] == [held[1].id]
        assert [one.id for one in await at_alice.all(alices.payments.list(payer="@bob"))] == [refund.id]

        told = await at_alice.all(alices.events.list(of_object=paid.id))
        assert [(one.type, one.data.id) for one in told] == [("payment.settled", paid.id)]
        forth = await at_alice.all(alices.events.list(page_size=2))
        back = await at_alice.all(alices.events.list(page_size=2, order="newest_first"))
        assert len(forth) > 4
        assert forth == back[::-1]

        conversion = await at_alice.call(alices.bank.deposit, "10.00", "USD")
        assert conversion.state == "settled"
        conversion = await at_alice.call(alices.bank.convert, "10.00", "USD", "USDX")
        assert (await at_alice.call(alices.bank.conversion, conversion.id)) == conversion


async def test_handles_are_found_and_claimed_without_a_key(kind: Kind, gateway: Gateway, alice: Person) -> None:
    async with either_client(kind, gateway.url, None) as face:
        assert (await face.call(face.client.handles.get, "@alice")).wallet_id == alice.wallet_id
        key = "gw_test_key_that_is_made_here"
        claimed = await face.call(face.client.handles.claim, "carol", hashlib.sha256(key.encode()).hexdigest())
        assert (claimed.handle, claimed.api_key) == ("carol", None)


async def test_both_clients_return_and_raise_the_same(gateway: Gateway, alice: Person, bob: Person) -> None:
    for _ in range(3):
        await alice.pay("@bob", "1.00 EUR")
    found: list[Any] = []
    for kind in (Client, AsyncClient):
        async with either_client(kind, gateway.url, alice.api_key) as face:
            client = face.client
            repeated = await face.call(client.payments.create, *ONE, idempotency_key="the-same")
            with pytest.raises(ProblemError) as refused:
                await face.call(client.payments.create, "@bob", "1.001", "EUR")
            refusal = {name: value for name, value in vars(refused.value).items() if name != "request_id"}
            del refusal["idempotency_key"]
            lists = [await face.all(client.payments.list(page_size=2)), await face.all(client.events.list(page_size=2))]
            found.append((repeated, refusal, await face.call(client.wallet.get), *lists))
    assert found[0] == found[1]


async def test_a_problem_has_its_code_and_its_values(kind: Kind, gateway: Gateway, alice: Person, bob: Person) -> None:
    async with either_client(kind, gateway.url, alice.api_key) as face:
        with pytest.raises(ProblemError) as refused:
            await face.call(face.client.payments.create, "@bob", "900.00", "EUR", idempotency_key="too-much")
    problem = refused.value
    assert (problem.code, problem.status, problem.retryable) == ("insufficient_funds", 409, True)
    values = {"account": "wallet:alice:EUR", "holder": "@alice", "asked": "900.00", "available": "100.00"}
    assert problem.values == values
    assert str(problem).startswith("@alice has 100.00 EUR available, and 900.00 EUR is needed: use a smaller amount")
    assert problem.idempotency_key == "too-much"
    assert problem.request_id


@pytest.mark.parametrize(
    "fates",
    [
        *(["lose"], ["drop"], ["lose", "lose", "drop"], [UNAVAILABLE], [IN_PROGRESS, IN_PROGRESS], ["lose", PROXY_502]),
        [problem(429, "too_many_tries", headers="Retry-After: 0\r\n"), "lose", UNAVAILABLE, "drop"],
    ],
)
async def test_a_payment_is_repeated_with_its_key_and_paid_once(
    kind: Kind, fates: list[str | bytes], gateway: Gateway, api: Api, alice: Person, bob: Person
) -> None:
    async with between(gateway, fates) as (way, url), either_client(kind, url, alice.api_key) as face:
        paid = await face.call(face.client.payments.create, *ONE)
        assert len(way.keys) == len(fates) + 1
        assert len(set(way.keys)) == 1
        await face.call(face.client.payments.create, *ONE, idempotency_key="order-17")
        assert way.keys[-1] == "order-17" != way.keys[0]
    assert paid.state == "settled"
    assert await payments(api) == 2
    assert (await alice.balance("EUR"))[0] == "98.00"


async def test_an_outcome_that_stays_unknown_tells_the_key_that_settles_it(
    kind: Kind, gateway: Gateway, api: Api, alice: Person, bob: Person
) -> None:
    async with between(gateway, ["lose"]) as (way, url), either_client(kind, url, alice.api_key, NEVER) as face:
        with pytest.raises(OutcomeUnknown) as lost:
            await face.call(face.client.payments.create, *ONE)
        assert [lost.value.key] == way.keys
        assert f"idempotency_key='{lost.value.key}'" in str(lost.value)
        paid = await face.call(face.client.payments.create, *ONE, idempotency_key=lost.value.key)
    assert paid.state == "settled"
    assert await payments(api) == 1


@pytest.mark.parametrize(
    ("fates", "raised"),
    [
        (["lose", problem(401, "unauthenticated", retryable=False)], OutcomeUnknown),
        (["drop", problem(403, "forbidden", retryable=False)], OutcomeUnknown),
        (["lose", *[UNAVAILABLE] * 99], OutcomeUnknown),
        ([IN_PROGRESS] * 99, OutcomeUnknown),
        ([problem(500, "internal_error")] * 99, OutcomeUnknown),
        ([PROXY_502] * 99, OutcomeUnknown),
        (["drop", problem(409, "insufficient_funds")], ProblemError),
        ([problem(401, "unauthenticated", retryable=False)], ProblemError),
        ([UNAVAILABLE] * 99, ProblemError),
        ([problem(503, "in_recovery", headers="Retry-After: 3600\r\n")], ProblemError),
    ],
)
async def test_what_is_raised_says_whether_the_outcome_is_known(
    kind: Kind, fates: list[str | bytes], raised: type[Exception], gateway: Gateway, alice: Person, bob: Person
) -> None:
    soon = Retry(seconds=0.1, first_seconds=0.01, longest_seconds=0.02)
    async with between(gateway, fates) as (_, url), either_client(kind, url, alice.api_key, soon) as face:
        with pytest.raises(raised):
            await face.call(face.client.payments.create, *ONE)


async def test_nothing_moved_where_nobody_answered(kind: Kind) -> None:
    async with either_client(kind, "http://127.0.0.1:1", "key", NEVER) as face:
        with pytest.raises(NoAnswer, match=r"no gateway answers at http://127\.0\.0\.1:1 \(no connection\)"):
            await face.call(face.client.payments.create, *ONE)
    with pytest.raises(NoAnswer, match="it is not a URL"):
        kind("http://localhost:x", "key")


async def test_what_is_no_url_of_http_is_tried_once(kind: Kind) -> None:
    tries: list[str] = []

    def api_key() -> str:
        tries.append("asked for")
        return "gw_key"

    client = kind("ftp://127.0.0.1", api_key, retry=Retry(seconds=1.0, first_seconds=0.001, longest_seconds=0.01))
    face = EitherClient(client)
    with pytest.raises(NoAnswer, match=r"no gateway answers at ftp://127\.0\.0\.1 \(it is not a URL\)"):
        await face.call(client.wallet.get)
    await face.close()
    assert tries == ["asked for"]


async def test_certificates_are_loaded_for_tls_alone(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")

    async with either_client(kind, "http://127.0.0.1:1", "key", NEVER, trust_env=True):
        pass
    for url in ("https://127.0.0.1:1", "HTTPS://127.0.0.1:1"):
        with pytest.raises(FileNotFoundError):
            kind(url, "key", trust_env=True)


async def test_what_is_not_a_gateway_is_said_to_be_none(kind: Kind, gateway: Gateway, alice: Person) -> None:
    page = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\n\r\n<html>"
    async with between(gateway, [page, page]) as (_, url), either_client(kind, url, alice.api_key) as face:
        with pytest.raises(NoAnswer, match="something else, with status 200"):
            await face.call(face.client.wallet.get)
        with pytest.raises(OutcomeUnknown):
            await face.call(face.client.payments.create, *ONE)


async def test_what_cannot_be_repeated_is_not(kind: Kind, gateway: Gateway, api: Api) -> None:
    """A claim without a key of one's own would find the handle taken, by oneself."""
    kept = hashlib.sha256(b"kept").hexdigest()
    async with between(gateway, ["lose", "lose"]) as (way, url), either_client(kind, url, None) as face:
        with pytest.raises(NoAnswer, match="broke off"):
            await face.call(face.client.handles.claim, "dave")
        assert len(way.heads) == 1
        assert (await face.call(face.client.handles.claim, "erin", kept)).handle == "erin"
        assert len(way.heads) == 3
    assert (await api.counts())["wallet"] == 2


async def test_a_key_that_was_rotated_meanwhile_is_used_by_the_next_try(
    kind: Kind, gateway: Gateway, alice: Person, bob: Person
) -> None:
    keys = iter(["a-key-of-before", alice.api_key])
    async with between(gateway, ["drop"]) as (way, url), either_client(kind, url, lambda: next(keys)) as face:
        assert (await face.call(face.client.payments.create, *ONE)).state == "settled"
    assert [re.findall(r"^authorization: bearer (\S+)", head, re.I | re.M) for head in way.heads] == [
        ["a-key-of-before"],
        [alice.api_key],
    ]


async def test_questions_are_repeated(kind: Kind, gateway: Gateway, alice: Person) -> None:
    async with (
        between(gateway, ["drop", UNAVAILABLE, PROXY_502]) as (way, url),
        either_client(kind, url, alice.api_key) as face,
    ):
        assert (await face.call(face.client.wallet.get)).handle == "alice"
        assert len(way.heads) == 4


TYPED = """
from collections.abc import AsyncGenerator, Coroutine, Generator
from typing import Any, assert_type

from gateway.api.payments.shapes import PaymentView
from gateway.client import AsyncClient, Client, Event

blocking, awaiting = Client("", ""), AsyncClient("", "")
assert_type(blocking.payments.create("@bob", "1.00", "EUR", memo="x"), PaymentView)

_ = assert_type(awaiting.payments.create("@bob", "1.00", "EUR"), Coroutine[Any, Any, PaymentView])
assert_type(blocking.payments.list(state="held"), Generator[PaymentView, None, None])
assert_type(awaiting.events.stream(), AsyncGenerator[Event, None])
blocking.payments.create("@bob", 1.0, "EUR")  # type: ignore[arg-type]
awaiting.payments.list(sate="held")  # type: ignore[call-arg]
"""


def test_types_follow_from_the_client(tmp_path: Path) -> None:
    """And an argument that is none is an error: what is ignored in vain fails as well."""
    (tmp_path / "typed.py").write_text(TYPED)
    argv = [sys.executable, "-P", "-m", "mypy", "--strict", "--cache-dir", ROOT / ".mypy_cache", tmp_path / "typed.py"]
    ran = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
