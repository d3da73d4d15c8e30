"""Addresses: confirmed before anything is sent to them, seen by nobody, and gone when they are removed."""

import json
import logging
from datetime import timedelta
from typing import Any

import pytest

from gateway.events import log
from gateway.notifications import address
from tests.api.browser import Browser, registered, signed_in
from tests.api.conftest import Api, Person, code_of
from tests.authenticator import Authenticator
from tests.notifications.conftest import Workers, asked, code_in, confirmed, removed
from tests.notifications.mail_server import MailServer

pytestmark = pytest.mark.anyio

MAIL, SECOND = "alice.private@example.com", "alice.second@example.org"


async def confirm(of: Person, id: str, code: str) -> Any:
    return await of.post(f"/v1/notifications/addresses/{id}/confirmation", {"code": code})


async def listed(of: Person) -> list[tuple[str, str]]:
    items = (await of.get("/v1/notifications/addresses")).json()["items"]
    return [(one["address"], one["state"]) for one in items]


async def everything(api: Api) -> str:
    """All that the database has, as a dump would show it."""
    async with api.services.database.reading() as connection:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        rows = [
            row["said"]
            for table in tables
            for row in await connection.fetch(f"SELECT row_to_json(t)::text AS said FROM {table['tablename']} AS t")
        ]
    return "\n".join(rows)


async def test_an_address_is_used_once_its_code_has_come_back(
    workers: Workers, mails: MailServer, alice: Person
) -> None:
    waits = await asked(alice, MAIL)
    await alice.receive("1.00 EUR")
    await workers.deliver()
    (code,) = mails.mails
    assert code.to == [MAIL]
    assert "@alice" in code.text

    assert (await confirm(alice, waits["id"], code_in(mails, MAIL))).json()["state"] == "confirmed"
    await alice.receive("2.00 EUR")
    await workers.deliver()
    assert [one.subject for one in mails.mails[1:]] == ["€2.00 came in from the bank"]
    assert await listed(alice) == [("a…@example.com", "confirmed")]


async def test_a_code_is_good_for_five_tries_and_fifteen_minutes(
    api: Api, workers: Workers, mails: MailServer, alice: Person
) -> None:
    id = (await asked(alice, MAIL))["id"]
    await workers.deliver()
    right = code_in(mails, MAIL)
    wrong = f"{(int(right) + 1) % 10**6:06}"
    for _ in range(address.CODE_TRIES):
        refused = await confirm(alice, id, wrong)
        assert (*code_of(refused), refused.json()["kind"]) == (422, "invalid_code", "wrong")
    refused = await confirm(alice, id, right)
    assert refused.json()["kind"] == "too_many_tries"

    assert (await asked(alice, MAIL))["id"] == id
    await workers.deliver()
    assert code_in(mails, MAIL) != right
    api.clock.ahead += address.CODE_GOOD_FOR
    assert (await confirm(alice, id, code_in(mails, MAIL))).json()["kind"] == "expired"
    assert await listed(alice) == [("a…@example.com", "pending")]


async def test_a_code_that_was_used_is_kept_nowhere(workers: Workers, mails: MailServer, alice: Person) -> None:
    found = await confirmed(alice, workers, mails, MAIL)
    again = await confirm(alice, found["id"], "anything")
    assert (again.status_code, again.json()["state"]) == (200, "confirmed"), "it is confirmed, whatever is said now"


async def test_a_removed_address_is_deleted_as_soon_as_it_was_told(
    api: Api, workers: Workers, mails: MailServer, alice: Person
) -> None:
    id = (await confirmed(alice, workers, mails, MAIL))["id"]
    await alice.receive("1.00 EUR")
    await alice.post("/v1/keys", {"name": "Thief", "scopes": ["read"]})
    assert (await removed(alice, id)).status_code == 200
    assert await listed(alice) == []
    assert code_of(await removed(alice, id)) == (404, "not_found")
    await alice.post("/v1/keys", {"name": "After", "scopes": ["read"]})
    await workers.deliver()
    await workers.deliver()

    told = {one.subject: one.text for one in mails.to(MAIL)}
    assert told.keys() == {"An API key was created", "A notification address was removed"}
    assert "“Thief”" in told["An API key was created"]
    async with api.services.database.reading() as connection:
        assert await connection.fetchval("SELECT count(*) FROM notification_address") == 0


async def test_one_that_was_never_confirmed_is_deleted_at_once_and_gets_no_code(
    api: Api, workers: Workers, mails: MailServer, alice: Person
) -> None:
    await removed(alice, (await asked(alice, MAIL))["id"])
    await workers.deliver()
    assert mails.tried == []
    async with api.services.database.reading() as connection:
        assert await connection.fetchval("SELECT count(*) FROM notification_address") == 0


async def test_those_that_were_there_before_are_told_of_another_and_of_its_end(
    workers: Workers, mails: MailServer, alice: Person
) -> None:
    await confirmed(alice, workers, mails, MAIL)
    second = await confirmed(alice, workers, mails, SECOND)
    await workers.deliver()
    assert [(one.to, one.subject) for one in mails.mails] == [([MAIL], "A notification address was added")]
    mails.mails.clear()

    await removed(alice, second["id"])
    await workers.deliver()
    assert {one.to[0] for one in mails.mails} == {MAIL, SECOND}
    assert {one.subject for one in mails.mails} == {"A notification address was removed"}


async def test_an_address_and_its_code_are_in_no_log_event_or_error_nor_readable_in_the_database(
    api: Api, workers: Workers, mails: MailServer, alice: Person, bob: Person, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for chatty in ("httpcore", "httpx", "mail.log", "aiosmtpd"):  # the test's own client and server
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    waits = await asked(alice, MAIL)
    await workers.deliver()
    code = code_in(mails, MAIL)
    said = [(await confirm(alice, waits["id"], "000000" if code != "000000" else "111111")).text]

    async def full(to: str) -> str | None:
        return f"450 4.2.0 <{to}> is busy"

    async def none(to: str) -> str | None:
        return f"550 5.1.1 <{to}> is nobody here"

    secrets = [MAIL, "alice.private", code]
    assert [one for one in secrets if one in await everything(api)] == []
    await confirm(alice, waits["id"], code)
    mails.recipient = full
    await alice.pay("@bob", "1.00 EUR")
    await workers.deliver()
    mails.recipient = none
    await workers.later(seconds=30)
    assert await listed(alice) == [("a…@example.com", "failed")]
    for path in ("/v1/notifications", "/v1/notifications/addresses", "/v1/events?limit=200"):
        said.append((await alice.get(path)).text)
    said += [await everything(api), caplog.text]
    assert [one for one in (MAIL, "alice.private") if any(one in text for text in said)] == []
    assert code not in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        "alice",
        "alice@localhost",
        "@example.com",
        "alice@",
        "a b@example.com",
        "alice@example.com\r\nBcc: mallory@example.com",
        "alice@example.com\nRCPT TO:<mallory@example.com>",
        "alice@example.com>,<mallory@example.com",
        "alice@exa\u0000mple.com",
        "alïce@example.com",
        "alice@exämple.com",
        "alice@-example.com",
        "alice@example..com",
        ".alice@example.com",
        "alice@[127.0.0.1]",
        '"alice"@example.com',
        "a" * 65 + "@example.com",
        "a@" + "b" * 63 + "." + "c" * 63 + "." + "d" * 63 + "." + "e" * 63 + ".com",
        "",
    ],
)
async def test_what_is_no_address_is_refused(
    text: str, api: Api, workers: Workers, mails: MailServer, alice: Person
) -> None:
    body = {"channel": "email", "address": text}
    refused = await alice.post("/v1/notifications/addresses", body)
    assert code_of(refused) == (400, "invalid_request")
    assert "name@example.com" in refused.json()["detail"]
    await workers.deliver()
    assert mails.tried == []


@pytest.mark.parametrize(
    ("field", "value"),
    [("channel", "pigeon"), ("locale", "tlh"), ("time_zone", "Mars/Olympus"), ("time_zone", "../../etc/passwd")],
)
async def test_what_there_is_not_is_refused_with_what_there_is(field: str, value: str, alice: Person) -> None:
    body = {"channel": "email", "address": MAIL} | {field: value}
    refused = await alice.post("/v1/notifications/addresses", body)
    assert code_of(refused) == (400, "invalid_request")
    assert refused.json()["type"].endswith(field)


async def test_only_the_owner_adds_and_removes_addresses(
    api: Api, workers: Workers, mails: MailServer, alice: Person
) -> None:
    found = await confirmed(alice, workers, mails, MAIL)
    made = (await alice.post("/v1/keys", {"name": "All", "scopes": ["read", "pay", "webhooks"]})).json()
    program = Person(api, "alice", made["api_key"], alice.wallet_id, alice.address)
    key = Authenticator()
    await registered(alice, key)
    browser = Browser(api, await signed_in(api, key))

    body = {"channel": "email", "address": SECOND}
    for one in (program, alice):
        assert code_of(await one.post("/v1/notifications/addresses", body)) == (403, "forbidden")
        assert code_of(await removed(one, found["id"])) == (403, "forbidden")
    assert (await browser.post("/v1/notifications/addresses", body)).status_code == 201
    api.clock.ahead += timedelta(minutes=30)
    for method, path in (("POST", "/v1/notifications/addresses"), ("PUT", "/v1/notifications/preferences")):
        stale = await browser.call(method, path, json=body if method == "POST" else {"modes": []})
        assert code_of(stale) == (403, "forbidden"), "a session of half an hour ago"
    assert (await program.get("/v1/notifications/addresses")).json()["items"][1]["address"] == "a…@example.com"


async def test_no_more_than_ten_codes_are_sent_for_a_wallet_in_an_hour(
    workers: Workers, mails: MailServer, alice: Person
) -> None:
    for number in range(10):
        await asked(alice, f"victim{number % 2}@example.com")
    refused = await alice.post("/v1/notifications/addresses", {"channel": "email", "address": "victim@example.com"})
    assert code_of(refused) == (429, "too_many_tries")
    await workers.deliver()
    assert len(mails.tried) == 2, "the newest code of each"


async def test_an_address_that_nobody_confirmed_is_forgotten(api: Api, workers: Workers, alice: Person) -> None:
    await asked(alice, MAIL)
    api.clock.ahead += timedelta(days=2)
    await workers.another().forget()
    assert await listed(alice) == []


async def test_the_events_say_the_channel_and_not_the_address(
    api: Api, workers: Workers, mails: MailServer, alice: Person
) -> None:
    found = await confirmed(alice, workers, mails, MAIL)
    events = (await alice.get("/v1/events?type=notification_address.*")).json()["items"]
    assert [(one["type"], one["data"]) for one in events] == [
        (
            "notification_address.added",
            {"object": "notification_address", "id": found["id"], "channel": "email", "reason": None},
        )
    ]
    async with api.services.database.reading() as connection:
        assert json.dumps(MAIL) not in await everything(api)
        assert await log.last(connection) > 0
