"""Too many requests, and what they are answered with; who is not at it goes on."""

from collections.abc import AsyncIterator
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import httpx
import pytest

from gateway.http.proxies import Proxies
from gateway.identity.rate_limits import Limits, Rate, Rates
from gateway.money import Assets
from gateway.payments import batch
from gateway.postgres.pool import Database
from tests.api.browser import OWN, browsing
from tests.api.conftest import Api, code_of, opened

pytestmark = pytest.mark.anyio

MINUTE = timedelta(minutes=1)
RATES = Rates(sign_ups=Rate(4, timedelta(hours=1)), tries=Rate(5, MINUTE), requests=Rate(8, MINUTE))


@pytest.fixture
async def tight(database: Database, assets: Assets) -> AsyncIterator[Api]:
    """A gateway with narrow limits, behind a proxy that says who calls."""
    proxies = Proxies([ip_network("127.0.0.1")])
    async with opened(database, assets, limits=Limits(RATES), proxies=proxies) as api:
        yield api
        await told(api)


async def told(api: Api) -> None:
    """What was noted is told. The clock goes on by a second, which is when it would be."""
    limits, now = api.services.limits, api.services.clock()
    if limits._writing is not None:
        await limits._writing
    await limits._write_noted(api.services.database, now)


async def asked(api: Api, method: str, path: str, address: str, **more: Any) -> httpx.Response:
    answer = await api.call(method, path, headers={"X-Forwarded-For": address, **more.pop("headers", {})}, **more)
    await told(api)
    return answer


def held_off(answer: httpx.Response, kind: str) -> bool:
    """Whether it says to wait, and for how long, and for what."""
    if answer.status_code != 429:
        return False
    assert code_of(answer) == (429, "too_many_tries")
    problem = answer.json()
    assert (problem["kind"], problem["retryable"]) == (kind, True)
    assert answer.headers["retry-after"] == str(problem["seconds"])
    return True


async def test_handles_are_claimed_by_an_address_so_often_and_no_more(tight: Api) -> None:
    answers = [await asked(tight, "POST", "/v1/handles", "192.0.2.1", json={"handle": f"walker{n}"}) for n in range(7)]
    assert [held_off(answer, "sign-ups") for answer in answers] == [False] * 4 + [True] * 3
    assert (await asked(tight, "POST", "/v1/handles", "192.0.2.2", json={"handle": "other"})).status_code == 201


async def test_whoever_tries_handles_one_after_the_other_is_slowed(tight: Api) -> None:
    answers = [await asked(tight, "GET", f"/v1/handles/walker{n}", "192.0.2.1") for n in range(8)]
    assert [answer.status_code for answer in answers] == [404] * 6 + [429] * 2
    assert held_off(answers[-1], "look-ups")
    assert (await asked(tight, "GET", "/v1/handles/walker1", "192.0.2.2")).status_code == 404


async def test_a_caller_who_tries_names_is_slowed_wherever_it_calls_from(tight: Api) -> None:
    alice = await tight.person("alice", "10.00 EUR")
    body = {"to": "@nobody", "amount": "1.00", "asset": "EUR"}
    answers = [
        await asked(tight, "POST", "/v1/payments/preview", f"192.0.2.{n}", json=body, headers=alice.bearer)
        for n in range(7)
    ]
    assert [answer.status_code for answer in answers] == [404] * 6 + [429]
    assert held_off(answers[-1], "guesses")


async def test_keys_that_are_none_are_slowed_and_the_right_one_is_not(tight: Api) -> None:
    alice = await tight.person("alice")
    wrong = {"Authorization": "Bearer gw_wrong"}
    answers = [await asked(tight, "GET", "/v1/wallet", "192.0.2.1", headers=wrong) for _ in range(8)]
    assert [answer.status_code for answer in answers] == [401] * 6 + [429] * 2
    assert held_off(answers[-1], "guesses")
    paid = [
        await asked(
            tight,
            "POST",
            "/v1/payments",
            "192.0.2.1",
            json={"to": "@b", "amount": "1.00", "asset": "EUR"},
            headers={**wrong, "Idempotency-Key": "one"},
        )
    ]
    assert held_off(paid[0], "guesses")
    assert (await asked(tight, "GET", "/v1/wallet", "192.0.2.1", headers=alice.bearer)).status_code == 200


async def test_a_caller_sends_so_many_requests_payments_among_them(tight: Api) -> None:
    alice, bob = await tight.person("alice", "10.00 EUR"), await tight.person("bob")
    answers = []
    for _ in range(10):
        answers.append(await alice.pay("@bob", "1.00 EUR"))
        await told(tight)
    states = [answer.status_code for answer in answers]
    paid = states.count(201)
    assert states == [201] * paid + [429] * (10 - paid)
    assert RATES.requests.maximum - 2 <= paid <= RATES.requests.maximum  # the deposit was one of them
    assert held_off(answers[-1], "requests")
    assert (await bob.get("/v1/wallet")).status_code == 200
    tight.clock.ahead += MINUTE
    assert (await alice.pay("@bob", "1.00 EUR")).status_code == 201


async def test_signing_in_is_tried_so_often_by_an_address_and_to_a_handle(tight: Api) -> None:
    await tight.person("alice")
    path, body = "/v1/sessions/ethereum/challenge", {"handle": "alice"}
    answers = [await asked(tight, "POST", path, "192.0.2.1", json=body) for _ in range(7)]
    assert [held_off(answer, "sign-ins") for answer in answers] == [False] * 5 + [True] * 2

    crowd = [await asked(tight, "POST", path, f"198.51.100.{n}", json=body) for n in range(50)]
    assert [held_off(answer, "sign-ins") for answer in crowd] == [False] * 45 + [True] * 5


async def test_an_address_that_a_client_made_up_is_not_what_counts(database: Database, assets: Assets) -> None:
    async with opened(database, assets, limits=Limits(RATES)) as api:
        answers = [
            await asked(api, "POST", "/v1/handles", f"192.0.2.{n}", json={"handle": f"walker{n}"}) for n in range(6)
        ]
        assert [held_off(answer, "sign-ups") for answer in answers] == [False] * 4 + [True] * 2


async def test_names_are_tried_by_no_other_way_either_and_a_right_one_is_not_told_apart(tight: Api) -> None:
    """By a batch, by whom a policy trusts, and, once there were too many, also where the name is somebody's."""
    alice = await tight.person("alice", "10.00 EUR")
    await tight.person("bob")
    lines = [{"to": f"@nobody{n}", "amount": "0.01", "asset": "EUR"} for n in range(6)]
    assert {one["status"] for one in (await alice.post("/v1/payments/batch", lines)).json()} == {404}
    await told(tight)

    for path, body in (
        ("/v1/payments/preview", {"to": "@bob", "amount": "0.01", "asset": "EUR"}),
        ("/v1/payments", {"to": "@bob", "amount": "0.01", "asset": "EUR"}),
        ("/v1/payments/batch", lines),
    ):
        assert held_off(await alice.post(path, body), "guesses"), path
    assert (await alice.get("/v1/wallet")).status_code == 200
    tight.clock.ahead += MINUTE
    assert (await alice.pay("@bob", "0.01 EUR")).status_code == 201


async def test_lines_after_too_many_wrong_names_are_not_read(
    database: Database, assets: Assets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "AT_ONCE", 2)
    async with opened(database, assets, limits=Limits(RATES)) as api:
        alice = await api.person("alice", "10.00 EUR")
        lines = [{"to": f"@nobody{n}", "amount": "0.01", "asset": "EUR"} for n in range(40)]
        seen = [one["status"] for one in (await alice.post("/v1/payments/batch", lines)).json()]
    assert set(seen) == {404, 429}
    assert seen == sorted(seen)
    assert seen.count(404) <= 4 * RATES.tries.maximum


async def test_requests_that_are_refused_count_as_well(tight: Api) -> None:
    alice, _ = await tight.person("alice"), await tight.person("bob")
    states = []
    for _ in range(12):
        states.append((await alice.pay("@bob", "1.00 EUR")).status_code)
        await told(tight)
    assert (states[0], states[-1]) == (409, 429)
    assert states.count(409) <= RATES.requests.maximum + 1


async def test_payments_in_a_session_count_as_its_wallets_requests(tight: Api) -> None:
    """Those that the policy lets through, which are paid before anybody knows whose session it is."""
    await tight.person("bob")
    _, _, browser = await browsing(tight, "alice", "10.00 EUR")
    async with tight.services.database.transaction() as connection:
        await connection.execute("UPDATE policy SET approve_new_payee = false, new_device_hours = 0")

    answers = []
    for n in range(11):
        body = {"to": "@bob", "amount": "0.01", "asset": "EUR"}
        headers = {**OWN, "Idempotency-Key": f"{n}"}
        answers.append(await browser.call("POST", "/v1/payments", headers=headers, json=body))
        await told(tight)

    assert [answer.status_code for answer in answers[:8]] == [201] * 8
    assert [held_off(answer, "requests") for answer in answers] == [False] * 9 + [True] * 2
