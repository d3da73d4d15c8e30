"""What a payment's timeline tells of notices: their kinds and channels, and no address."""

import pytest

from tests.api.conftest import Api, Person
from tests.api.test_operators import operator
from tests.notifications.conftest import Workers, confirmed
from tests.notifications.mail_server import MailServer

pytestmark = pytest.mark.anyio


async def test_notices_of_a_payment_are_told_by_kind_and_channel_and_never_where_to(
    api: Api, workers: Workers, mails: MailServer, alice: Person, bob: Person
) -> None:
    ann = await operator(api, "ann")
    await confirmed(bob, workers, mails, "bob@example.com")
    paid = (await alice.pay("@bob", "10.00 EUR")).json()
    await workers.deliver()

    found = (await ann.call("GET", f"/payments/{paid['id']}")).json()

    (told,) = [step["details"] for step in found["steps"] if step["kind"] == "notified"]
    assert (told["channels"], told["sent"], told["pending"], told["failed"]) == (["email"], 1, 0, 0)
    assert len(told["kinds"]) == 1
    assert "bob@example.com" not in str(found)
