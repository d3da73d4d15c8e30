"""What people are told of, when, and in which words."""

import pytest

from tests.api.conftest import Person
from tests.notifications.conftest import Workers, proved, states
from tests.notifications.mail_server import MailServer

pytestmark = pytest.mark.anyio


async def test_payer_and_payee_are_told_of_a_payment(
    workers: Workers, mails: MailServer, alice: Person, bob: Person
) -> None:
    await proved(alice, workers, mails, "alice@example.com")
    await proved(bob, workers, mails, "bob@example.com", locale="th", time_zone="Asia/Bangkok")

    await alice.pay("@bob", "10.00 EUR")
    await workers.deliver()

    (out,), (into,) = mails.to("alice@example.com"), mails.to("bob@example.com")
    assert out.subject == "You paid €10.00 to @bob"
    assert into.subject == "คุณได้รับ €10.00 จาก @alice"
    assert out.id == into.id
    assert await states(alice) == [("payment.settled", [("sent", None)])]
