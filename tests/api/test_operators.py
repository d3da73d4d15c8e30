"""Operators over HTTP: what one proposes another approves, once, with a passkey over what is proposed."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from gateway.audit import log as audit
from gateway.audit.log import By
from gateway.controls import wallet_freeze
from gateway.errors import InvalidRequest, NotFound, StateConflict
from gateway.operators import approvals, operators, proposals, sign_in
from tests.api.browser import browsing, challenge_in, signed
from tests.api.conftest import Api, code_of
from tests.authenticator import PRESENT, Authenticator, base64url

pytestmark = pytest.mark.anyio

AT_MACHINE = By("command", "root")


class Person:
    """An operator at their browser."""

    def __init__(self, api: Api, name: str, key: Authenticator, token: str = "") -> None:
        self.api, self.name, self.key, self.token = api, name, key, token

    async def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return await self.api.call(method, f"/v1/operator{path}", headers=headers, json=body)

    async def sign_in(self) -> httpx.Response:
        asked = challenge_in(await self.api.call("POST", "/v1/operator/session/challenge"))
        started = await self.api.call("POST", "/v1/operator/session", json=signed(self.key, asked))
        self.token = started.json().get("token", "")
        return started

    async def propose(
        self, kind: str, handle: str, reason: str = "reported as stolen", limit: dict[str, str] | None = None
    ) -> httpx.Response:
        asked = {"kind": kind, "handle": handle, "reason": reason} | ({"limit": limit} if limit else {})
        return await self.call("POST", "/proposals", asked)

    async def assertion(self, id: str) -> dict[str, str]:
        return signed(self.key, challenge_in(await self.call("POST", f"/proposals/{id}/challenge")))

    async def approve(self, id: str) -> httpx.Response:
        return await self.call("POST", f"/proposals/{id}/approve", await self.assertion(id))


async def code_for(api: Api, name: str, role: str = "security") -> str:
    async with api.services.database.transaction() as connection:
        return await operators.add(connection, name, role, AT_MACHINE, api.clock())


async def enrol(api: Api, name: str, code: str, key: Authenticator) -> httpx.Response:
    asked = challenge_in(await api.call("POST", "/v1/operator/enrolment/challenge", json={"name": name}))
    client_data, attestation = key.make(asked)
    body = {"name": name, "code": code, "client_data": base64url(client_data), "attestation": base64url(attestation)}
    return await api.call("POST", "/v1/operator/enrolment", json=body)


async def operator(api: Api, name: str, role: str = "security") -> Person:
    """Enrolled and signed in."""
    person = Person(api, name, Authenticator())
    assert (await enrol(api, name, await code_for(api, name, role), person.key)).status_code == 201
    assert (await person.sign_in()).status_code == 201
    return person


async def is_frozen(api: Api, handle: str) -> bool:
    async with api.services.database.reading() as connection:
        found: bool = await connection.fetchval("SELECT frozen_at IS NOT NULL FROM wallet WHERE handle = $1", handle)
        return found


async def audit_events(api: Api) -> list[tuple[str, str]]:
    """Kind and who did it, of what operators did and what wallets went through, in order."""
    async with api.services.database.reading() as connection:
        found = reversed(await audit.read(connection))
    return [
        (event.kind, event.by.id)
        for event in found
        if event.kind.startswith(("operator.", "wallet.frozen", "wallet.un"))
    ]


# ---- who they are ---------------------------------------------------------------------------------------------------


async def test_an_operator_enrols_with_a_code_of_the_machine_once_and_signs_in(api: Api) -> None:
    code, key = await code_for(api, "ann"), Authenticator()

    enrolled = await enrol(api, "ann", code, key)
    again = await enrol(api, "ann", code, Authenticator())
    started = await Person(api, "ann", key).sign_in()

    assert (enrolled.status_code, enrolled.json()["name"]) == (201, "ann")
    assert code_of(again) == (422, "invalid_passkey")
    assert (started.status_code, started.headers["cache-control"]) == (201, "no-store")
    assert await audit_events(api) == [
        ("operator.added", "root"),
        ("operator.enrolled", "ann"),
        ("operator.refused", ""),
        ("operator.signed_in", "ann"),
    ]


async def test_a_wrong_code_an_old_one_and_a_name_of_nobody_are_refused_alike(api: Api) -> None:
    code = await code_for(api, "ann")
    wrong = await enrol(api, "ann", code + "x", Authenticator())
    nobody = await enrol(api, "nobody", code, Authenticator())
    api.clock.ahead = operators.ENROLS_FOR
    late = await enrol(api, "ann", code, Authenticator())
    assert [code_of(one) for one in (wrong, nobody, late)] == [(422, "invalid_passkey")] * 3
    assert wrong.json()["detail"] == nobody.json()["detail"] == late.json()["detail"]
    assert [kind for kind, _ in await audit_events(api)] == ["operator.added"] + ["operator.refused"] * 3


async def test_a_passkey_that_does_not_verify_who_is_there_enrols_nobody(api: Api) -> None:
    refused = await enrol(api, "ann", await code_for(api, "ann"), Authenticator(flags=PRESENT))
    assert refused.json()["type"].endswith(":user_verification")


async def test_nobody_is_added_twice_or_under_a_name_that_is_none(api: Api) -> None:
    await operator(api, "ann")
    with pytest.raises(StateConflict):
        await code_for(api, "ann")
    for name in ("", "a", "Ann", "an n", "ann\n", "ä" * 4):
        with pytest.raises(InvalidRequest):
            await code_for(api, name)


async def test_no_wallets_key_or_session_is_an_operators_and_none_of_theirs_a_wallets(api: Api) -> None:
    alice, _, browser = await browsing(api)
    ann = await operator(api, "ann")
    as_operator = await alice.get("/v1/operator/proposals")
    assert code_of(as_operator) == (401, "unauthenticated")
    assert "operators sign in with their passkey" in as_operator.json()["detail"]
    assert code_of(await browser.call("GET", "/v1/operator/proposals")) == (401, "unauthenticated")
    as_wallet = await api.call("GET", "/v1/wallet", headers={"Authorization": f"Bearer {ann.token}"})
    assert code_of(as_wallet) == (401, "unauthenticated")
    assert code_of(await api.call("GET", "/v1/operator/proposals")) == (401, "unauthenticated")


async def test_a_session_ends_by_itself_and_by_signing_out(api: Api) -> None:
    ann, ben = await operator(api, "ann"), await operator(api, "ben")
    assert (await ben.call("DELETE", "/session")).status_code == 200
    assert code_of(await ben.call("GET", "/proposals")) == (401, "unauthenticated")
    api.clock.ahead = sign_in.SESSION
    assert code_of(await ann.call("GET", "/proposals")) == (401, "unauthenticated")


# ---- two together ---------------------------------------------------------------------------------------------------


async def test_a_freeze_is_in_force_when_it_is_proposed_and_stays_once_another_approves_it(api: Api) -> None:
    alice, ann, ben = await api.person("alice"), await operator(api, "ann"), await operator(api, "ben")

    proposed = await ann.propose("wallet.freeze", "@alice")
    at_once = await is_frozen(api, "alice")
    listed = (await ben.call("GET", "/proposals")).json()["items"]
    approved = await ben.approve(proposed.json()["id"])
    await wait_past(api, proposals.PROPOSED_FOR)

    assert (proposed.status_code, at_once, listed) == (201, True, [proposed.json()])
    assert (approved.status_code, approved.json()["approved_by"]) == (200, "ben")
    assert await is_frozen(api, "alice")
    assert [one["type"] for one in (await alice.get("/v1/events")).json()["items"]][1:] == ["wallet.frozen"] * 2
    assert (await audit_events(api))[-4:] == [
        ("wallet.frozen", "ann"),
        ("operator.proposed", "ann"),
        ("operator.approved", "ben"),
        ("wallet.frozen", "ben"),
    ]


async def test_nothing_leaves_a_frozen_wallet_while_what_comes_in_goes_on(api: Api) -> None:
    alice, bob = await api.person("alice", "20.00 EUR", "20.00 USD"), await api.person("bob", "5.00 EUR")
    held = (await alice.pay("@bob", "3.00 EUR", capture=False)).json()["id"]
    ann, ben = await operator(api, "ann"), await operator(api, "ben")
    await ann.propose("wallet.freeze", "@alice")

    refused = [
        await alice.pay("@bob", "1.00 EUR"),
        await alice.post(f"/v1/payments/{held}/capture", {}),
        await alice.post("/v1/withdrawals", {"amount": "1.00", "asset": "EUR"}),
        await alice.post("/v1/conversions", {"amount": "1.00", "asset": "USD", "to_asset": "USDX"}),
    ]
    batch = await alice.post("/v1/payments/batch", [{"to": "@bob", "amount": "1.00", "asset": "EUR"}])
    incoming = await bob.pay("@alice", "2.00 EUR")
    await ben.approve((await ann.propose("wallet.unfreeze", "@alice")).json()["id"])

    assert [code_of(one) for one in refused] == [(409, "wallet_frozen")] * 4
    assert [one["problem"]["code"] for one in batch.json()] == ["wallet_frozen"]
    assert incoming.status_code == 201
    assert (await alice.pay("@bob", "1.00 EUR")).status_code == 201


async def test_a_freeze_that_nobody_approves_expires_within_the_hour(api: Api) -> None:
    alice, ann = await api.person("alice"), await operator(api, "ann")
    await ann.propose("wallet.freeze", "alice")
    await wait_past(api, proposals.PROPOSED_FOR - timedelta(seconds=5))
    assert await is_frozen(api, "alice")
    await wait_past(api, proposals.PROPOSED_FOR)
    assert not await is_frozen(api, "alice")
    events = [one["type"] for one in (await alice.get("/v1/events")).json()["items"]]
    assert events[1:] == ["wallet.frozen", "wallet.freeze_expired"]


async def test_a_wallet_that_is_frozen_for_two_reasons_stays_so_when_one_expires(api: Api) -> None:
    await api.person("alice")
    ann = await operator(api, "ann")
    async with api.services.database.transaction() as connection:
        await approvals.break_glass(connection, "wallet.freeze", "alice", "stolen", AT_MACHINE, api.clock())
    await ann.propose("wallet.freeze", "alice")
    await wait_past(api, proposals.PROPOSED_FOR)
    assert await is_frozen(api, "alice")


async def test_nothing_is_unfrozen_before_another_operator_says_so(api: Api) -> None:
    await api.person("alice")
    ann, ben = await operator(api, "ann"), await operator(api, "ben")
    await ben.approve((await ann.propose("wallet.freeze", "alice")).json()["id"])
    proposed = (await ben.propose("wallet.unfreeze", "alice")).json()["id"]
    assert await is_frozen(api, "alice")
    assert (await ann.approve(proposed)).status_code == 200
    assert not await is_frozen(api, "alice")


async def test_nobody_approves_what_they_proposed_and_the_database_says_so_too(api: Api) -> None:
    await api.person("alice")
    ann = await operator(api, "ann")
    id = (await ann.propose("wallet.freeze", "alice")).json()["id"]
    assert code_of(await ann.call("POST", f"/proposals/{id}/challenge")) == (403, "forbidden")
    with pytest.raises(Exception, match="proposal_four_eyes"):
        async with api.services.database.transaction() as connection:
            await connection.execute("UPDATE proposal SET approved_by = proposed_by, done_at = proposed_at")


async def test_an_approval_is_of_one_proposal_and_of_no_other(api: Api) -> None:
    for handle in ("alice", "bob"):
        await api.person(handle)
    ann, ben = await operator(api, "ann"), await operator(api, "ben")
    one, other = [(await ann.propose("wallet.freeze", handle)).json()["id"] for handle in ("alice", "bob")]

    refused = await ben.call("POST", f"/proposals/{other}/approve", await ben.assertion(one))

    assert code_of(refused) == (422, "invalid_passkey")
    assert refused.json()["type"].endswith(":details")


async def test_an_approval_is_not_replayed_and_not_of_anothers_passkey(api: Api) -> None:
    await api.person("alice")
    ann, ben, eve = [await operator(api, name) for name in ("ann", "ben", "eve")]
    id = (await ann.propose("wallet.freeze", "alice")).json()["id"]
    of_eve = signed(eve.key, challenge_in(await ben.call("POST", f"/proposals/{id}/challenge")))
    assert code_of(await ben.call("POST", f"/proposals/{id}/approve", of_eve)) == (422, "invalid_passkey")
    assertion = await ben.assertion(id)
    assert (await ben.call("POST", f"/proposals/{id}/approve", assertion)).status_code == 200
    assert code_of(await ben.call("POST", f"/proposals/{id}/approve", assertion)) == (422, "invalid_passkey")
    assert code_of(await ben.approve(id)) == (409, "state_conflict")


async def test_two_who_approve_at_once_do_it_once(api: Api) -> None:
    await api.person("alice")
    ann, ben, eve = [await operator(api, name) for name in ("ann", "ben", "eve")]
    id = (await ann.propose("wallet.freeze", "alice")).json()["id"]
    asked = [(who, await who.assertion(id)) for who in (ben, eve)]
    answers = await asyncio.gather(*(who.call("POST", f"/proposals/{id}/approve", one) for who, one in asked))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert [kind for kind, _ in await audit_events(api)].count("operator.approved") == 1


async def test_a_proposal_expires(api: Api) -> None:
    await api.person("alice")
    ann, ben = await operator(api, "ann"), await operator(api, "ben")
    id = (await ann.propose("wallet.freeze", "alice")).json()["id"]
    api.clock.ahead = proposals.PROPOSED_FOR
    await ben.sign_in()
    assert (await ben.call("GET", "/proposals")).json()["items"] == []
    assert code_of(await ben.approve(id)) == (409, "state_conflict")


async def test_a_revoked_operator_does_nothing_more_and_what_they_proposed_is_not_approved(api: Api) -> None:
    await api.person("alice")
    ann, ben = await operator(api, "ann"), await operator(api, "ben")
    id = (await ann.propose("wallet.freeze", "alice")).json()["id"]
    async with api.services.database.transaction() as connection:
        await operators.revoke(connection, "ann", AT_MACHINE, api.clock())

    assert code_of(await ann.propose("wallet.freeze", "alice")) == (401, "unauthenticated")
    assert code_of(await ann.sign_in()) == (422, "invalid_passkey")
    assert (await ben.call("GET", "/proposals")).json()["items"] == []
    assert code_of(await ben.approve(id)) == (409, "state_conflict")
    with pytest.raises(NotFound):
        async with api.services.database.transaction() as connection:
            await operators.revoke(connection, "ann", AT_MACHINE, api.clock())


async def test_a_cloned_passkey_of_an_operators_signs_nothing(api: Api) -> None:
    ann = await operator(api, "ann")
    ann.key.sign_count = 0
    assert (await ann.sign_in()).json()["type"].endswith(":cloned")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"kind": "wallet.empty", "handle": "alice", "reason": "x"}, (400, "invalid_request")),
        ({"kind": "wallet.freeze", "handle": "nobody_here", "reason": "x"}, (404, "unknown_handle")),
        ({"kind": "wallet.freeze", "handle": "alice", "reason": ""}, (400, "invalid_request")),
        ({"kind": "wallet.freeze", "handle": "alice", "reason": "x" * 201}, (400, "invalid_request")),
        ({"kind": "wallet.freeze", "handle": "alice", "reason": "\u001b[2J"}, (400, "invalid_request")),
    ],
)
async def test_what_is_no_proposal_is_refused(api: Api, body: dict[str, str], code: tuple[int, str]) -> None:
    await api.person("alice")
    ann = await operator(api, "ann")
    assert code_of(await ann.call("POST", "/proposals", body)) == code
    assert not await is_frozen(api, "alice")


# ---- one person at the machine --------------------------------------------------------------------------------------


async def test_break_glass_does_it_alone_and_every_log_says_so(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    await api.person("alice")
    async with api.services.database.transaction() as connection:
        await approvals.break_glass(connection, "wallet.freeze", "@alice", "nobody is in", AT_MACHINE, api.clock())
    assert await is_frozen(api, "alice")
    assert "break-glass: wallet.freeze of @alice by root alone: nobody is in" in caplog.text
    assert ("operator.break_glass", "root") in await audit_events(api)
    async with api.services.database.reading() as connection:
        assert await connection.fetchval("SELECT count(*) FROM event WHERE kind = 'operator.break_glass'") == 1
    async with api.services.database.transaction() as connection:
        await approvals.break_glass(connection, "wallet.unfreeze", "@alice", "all is well", AT_MACHINE, api.clock())
    assert not await is_frozen(api, "alice")


async def test_what_is_not_frozen_is_not_unfrozen_and_nothing_is_written_down(api: Api) -> None:
    await api.person("alice")
    with pytest.raises(StateConflict):
        async with api.services.database.transaction() as connection:
            await approvals.break_glass(connection, "wallet.unfreeze", "alice", "x", AT_MACHINE, api.clock())
    assert await audit_events(api) == []


async def test_a_code_that_was_replaced_enrols_nobody(api: Api) -> None:
    old, new = await code_for(api, "ann"), await code_for(api, "ann")
    assert code_of(await enrol(api, "ann", old, Authenticator())) == (422, "invalid_passkey")
    assert (await enrol(api, "ann", new, Authenticator())).status_code == 201


async def wait_past(api: Api, ahead: timedelta) -> None:
    """What the worker does, so much later."""
    async with api.services.database.transaction() as connection:
        await wallet_freeze.end_expired(connection, api.clock() + ahead)


@pytest.mark.parametrize("name", ["", "Ann", "a" * 60_000, "a\u0000", "a b", "é" * 5])
async def test_who_says_to_be_an_operator_writes_nothing_of_their_own_into_the_log(api: Api, name: str) -> None:
    body = {"name": name, "code": "x", "client_data": "e30", "attestation": "e30"}
    assert code_of(await api.call("POST", "/v1/operator/enrolment", json=body)) == (400, "invalid_request")
    assert code_of(await api.call("POST", "/v1/operator/enrolment/challenge", json={"name": name})) == (
        400,
        "invalid_request",
    )
    assert await audit_events(api) == []


async def test_two_who_approve_what_the_other_proposed_at_the_same_moment_do_not_wait_in_a_ring(api: Api) -> None:
    ann, ben = await operator(api, "ann"), await operator(api, "ben")
    for n in range(6):
        await api.person(f"one{n}x")
        await api.person(f"two{n}x")
        of_ann = (await ann.propose("wallet.freeze", f"one{n}x")).json()["id"]
        of_ben = (await ben.propose("wallet.freeze", f"two{n}x")).json()["id"]
        by_ann, by_ben = await ann.assertion(of_ben), await ben.assertion(of_ann)
        answers = await asyncio.gather(
            ann.call("POST", f"/proposals/{of_ben}/approve", by_ann),
            ben.call("POST", f"/proposals/{of_ann}/approve", by_ben),
        )
        assert [answer.status_code for answer in answers] == [200, 200]


async def test_an_operators_call_whose_condition_does_not_hold_does_nothing(api: Api) -> None:
    ann = await operator(api, "ann")
    await api.person("thief")
    asked = {"kind": "wallet.freeze", "handle": "thief", "reason": "reported as stolen"}

    answer = await api.call(
        "POST",
        "/v1/operator/proposals",
        headers={"Authorization": f"Bearer {ann.token}", "If-Match": '"x"'},
        json=asked,
    )

    assert code_of(answer) == (412, "precondition_failed")
    assert not await is_frozen(api, "thief")
