"""What each role of an operator may do, and that nobody does more: the calls are tried, and the table is not asked."""

import pytest

from gateway.audit import log as audit
from gateway.errors import Forbidden, InvalidRequest, NotFound
from gateway.operators import operators, proposals, roles, sign_in
from gateway.operators.errors import OperatorSignedOut
from gateway.operators.operators import Operator
from gateway.operators.roles import Role, Task
from tests.api.browser import OWN, browsing, challenge_in, cookie_of, signed
from tests.api.conftest import Api, code_of
from tests.api.test_operators import AT_MACHINE, operator

pytestmark = pytest.mark.anyio

LIMIT = {"asset": "EUR", "payment": "10.00", "day": "15.00"}
CORRECTION = {"debit": "wallet:alice:EUR", "credit": "bank:EUR", "amount": "1.00", "asset": "EUR"}

#: What a proposal of each kind is sent, of a gateway where all of it can be proposed but repairs after a restore.
ASKED = {
    "wallet.freeze": {"handle": "alice"},
    "wallet.unfreeze": {"handle": "alice"},
    "wallet.limit": {"handle": "alice", "limit": LIMIT},
    "recovery.confirm": {},
    "handle.return": {"handle": "lost"},
    "ledger.correct": {"correction": CORRECTION},
}

PROPOSED = {
    "read_only": set(),
    "support": {"wallet.freeze"},
    "finance": {"wallet.limit", "ledger.correct"},
    "security": {"wallet.freeze", "wallet.unfreeze", "wallet.limit", "recovery.confirm", "handle.return"},
}
APPROVED = {**PROPOSED, "support": set()}
DONE: dict[str, set[str]] = {
    "read_only": set(),
    "support": {"webhooks.redeliver"},
    "finance": {"withdrawals.unfreeze", "relayers.resume"},
    "security": set(),
}


@pytest.mark.parametrize("role", roles.ROLES)
async def test_a_role_proposes_its_kinds_and_no_other(api: Api, role: str) -> None:
    await browsing(api, "alice", "50.00 EUR")
    ann = await operator(api, "ann", role)
    for kind, fields in ASKED.items():
        answer = await ann.call("POST", "/proposals", {"kind": kind, "reason": "because", **fields})
        if kind in PROPOSED[role]:  # outside a recovery there is nothing to confirm or to return
            assert answer.status_code == (409 if kind in ("recovery.confirm", "handle.return") else 201), kind
        else:
            assert code_of(answer) == (403, "forbidden"), kind
            assert f"your role is {role}; an operator who proposes {kind} has the role " in answer.json()["detail"]


@pytest.mark.parametrize("role", roles.ROLES)
async def test_a_role_approves_its_kinds_and_no_other(api: Api, role: str) -> None:
    await browsing(api, "alice", "50.00 EUR")
    of_wallets, of_money = await operator(api, "sue", "security"), await operator(api, "flo", "finance")
    ann = await operator(api, "ann", role)
    for kind in ("wallet.freeze", "wallet.unfreeze", "wallet.limit", "ledger.correct"):
        proposer = of_money if kind == "ledger.correct" else of_wallets
        made = await proposer.call("POST", "/proposals", {"kind": kind, "reason": "because", **ASKED[kind]})
        id = made.json()["id"]
        asked = await ann.call("POST", f"/proposals/{id}/challenge")
        if kind in APPROVED[role]:
            answer = await ann.call("POST", f"/proposals/{id}/approve", signed(ann.key, challenge_in(asked)))
            assert answer.status_code == 200, answer.text
        else:
            assert code_of(asked) == (403, "forbidden"), kind


@pytest.mark.parametrize("role", roles.ROLES)
@pytest.mark.parametrize("task", roles.TASKS)
async def test_a_role_does_its_tasks_and_no_other(api: Api, role: Role, task: Task) -> None:
    ann = await signed_in_as(api, "ann", role)
    async with api.services.database.transaction() as connection:
        if task in DONE[role]:
            await operators.authorize(connection, ann, task)
        else:
            with pytest.raises(Forbidden, match=f"your role is {role}"):
                await operators.authorize(connection, ann, task)


async def test_a_role_that_was_taken_away_meanwhile_does_nothing_more(api: Api) -> None:
    """The role is read in the transaction that does it: what the request began with is not enough."""
    await api.person("alice")
    ann, ben = await operator(api, "ann"), await operator(api, "ben")
    before = await signed_in_as(api, "eve", "finance")
    frozen = (await ann.propose("wallet.freeze", "alice")).json()["id"]
    over_it = await ben.assertion(frozen)
    for name in ("ben", "eve"):
        await give(api, name, "read_only")

    assert code_of(await ben.call("POST", f"/proposals/{frozen}/approve", over_it)) == (403, "forbidden")
    assert code_of(await ben.propose("wallet.freeze", "alice")) == (403, "forbidden")
    async with api.services.database.transaction() as connection:
        with pytest.raises(Forbidden):
            await operators.authorize(connection, before, "relayers.resume")
        with pytest.raises(Forbidden):
            await proposals.propose(connection, before, "wallet.freeze", "alice", "because", None, api.clock())


async def test_what_somebody_proposed_is_not_approved_once_their_role_does_not_propose_it(api: Api) -> None:
    await api.person("alice")
    ann, ben = await operator(api, "ann"), await operator(api, "ben")
    id = (await ann.propose("wallet.freeze", "alice")).json()["id"]
    await give(api, "ann", "finance")
    refused = await ben.approve(id)
    assert code_of(refused) == (409, "state_conflict")
    assert "of ann, whose role has changed" in refused.json()["detail"]


async def test_a_role_is_given_at_the_machine_and_both_are_in_the_audit_log(api: Api) -> None:
    ann = await operator(api, "ann", "support")
    await give(api, "ann", "finance")
    started = await ann.sign_in()
    async with api.services.database.reading() as connection:
        (changed,) = await audit.read(connection, kind="operator.role_changed")
        (added,) = await audit.read(connection, kind="operator.added")
    assert started.json()["role"] == "finance"
    assert (changed.by, changed.details) == (AT_MACHINE, {"operator": "ann", "from": "support", "to": "finance"})
    assert added.details == {"operator": "ann", "role": "support"}


@pytest.mark.parametrize(("name", "role", "error"), [("ann", "boss", InvalidRequest), ("nobody", "finance", NotFound)])
async def test_what_is_no_role_or_nobody_is_refused(api: Api, name: str, role: str, error: type[Exception]) -> None:
    await operator(api, "ann", "support")
    with pytest.raises(error):
        await give(api, name, role)


async def test_the_database_knows_the_same_roles(api: Api) -> None:
    async with api.services.database.reading() as connection:
        there = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'operator_role_known'"
        said: str = await connection.fetchval(there)
    assert [one for one in said.split("'") if one.isidentifier() and one in roles.ROLES] == list(roles.ROLES)


async def test_a_browsers_session_is_in_a_cookie_alone_and_signing_out_takes_it_away(api: Api) -> None:
    ann = await operator(api, "ann", "support")
    asked = challenge_in(await api.call("POST", "/v1/operator/session/challenge"))
    started = await api.call("POST", "/v1/operator/session/cookie", json=signed(ann.key, asked), headers=OWN)
    headers = {"Cookie": cookie_of(started)}

    listed = await api.call("GET", "/v1/operator/proposals", headers=headers)
    forged = await api.call("DELETE", "/v1/operator/session", headers=headers)
    ended = await api.call("DELETE", "/v1/operator/session", headers={**headers, **OWN})
    after = await api.call("GET", "/v1/operator/proposals", headers=headers)

    assert started.json() == {"name": "ann", "role": "support", "seconds": 1800}
    assert started.headers["set-cookie"].partition("=")[0] == "operator"
    assert "HttpOnly" in started.headers["set-cookie"]
    assert (listed.status_code, code_of(forged)) == (200, (403, "forbidden"))
    assert (ended.status_code, "Max-Age=0" in ended.headers["set-cookie"]) == (200, True)
    assert code_of(after) == (401, "unauthenticated")


async def test_a_token_and_a_cookie_together_count_as_the_token(api: Api) -> None:
    ann = await operator(api, "ann")
    asked = challenge_in(await api.call("POST", "/v1/operator/session/challenge"))
    started = await api.call("POST", "/v1/operator/session/cookie", json=signed(ann.key, asked), headers=OWN)
    both = {"Cookie": cookie_of(started), "Authorization": "Bearer gop_guessed"}
    assert code_of(await api.call("GET", "/v1/operator/proposals", headers=both)) == (401, "unauthenticated")


async def give(api: Api, name: str, role: str) -> None:
    async with api.services.database.transaction() as connection:
        await operators.set_role(connection, name, role, AT_MACHINE, api.clock())


async def signed_in_as(api: Api, name: str, role: str) -> Operator:
    """As a call has them, once it is known who calls."""
    person = await operator(api, name, role)
    async with api.services.database.reading() as connection:
        return await sign_in.open(connection, person.token, api.clock())


async def test_a_revoked_operator_does_no_task(api: Api) -> None:
    ann = await signed_in_as(api, "ann", "finance")
    async with api.services.database.transaction() as connection:
        await operators.revoke(connection, "ann", AT_MACHINE, api.clock())
    async with api.services.database.transaction() as connection:
        with pytest.raises(OperatorSignedOut):
            await operators.authorize(connection, ann, "relayers.resume")
