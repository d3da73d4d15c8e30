"""Links in notifications, opened by people who are not signed in."""

import pytest

from gateway.audit.log import ANYONE
from gateway.ids import WalletId, read
from gateway.notifications import address
from gateway.notifications.address import NewAddress
from gateway.notifications.channels.email import Email
from tests.api.conftest import Person, code_of
from tests.notifications.mail_server import MailServer
from tests.web.conftest import Site, Visitor

pytestmark = pytest.mark.anyio


async def paid(site: Site) -> tuple[Person, str]:
    """Somebody who has paid, and the payment's id."""
    alice = await site.person("alice", "50.00 EUR")
    await site.person("bob")
    return alice, (await alice.pay("@bob", "12.50 EUR")).json()["id"]


async def unsubscribe_token(site: Site, of: Person) -> str:
    services = site.api.services
    async with services.database.transaction() as connection:
        channel, wanted = Email(MailServer().server()), NewAddress("alice@example.com", "en", "UTC")
        wallet = WalletId(read("wal", of.wallet_id))
        added = await address.add(connection, services.vault, channel, wallet, wanted, ANYONE, services.clock())
    return added.unsubscribe


async def test_this_was_not_me_shows_the_payment_and_freezes_the_wallet_on_a_click_alone(
    site: Site, visitor: Visitor
) -> None:
    alice, payment = await paid(site)
    link = (await alice.post(f"/v1/payments/{payment}/report-unauthorized/link", b"")).json()["path"]
    await visitor.page.goto(f"/report#{link.rpartition('/')[2]}")
    await visitor.page.get_by_text("12.50 EUR to @bob").wait_for()
    assert (await alice.pay("@bob", "1.00 EUR")).status_code == 201, "to open it does nothing"

    await visitor.page.get_by_role("button", name="This wasn't me").click()
    await visitor.status("Your wallet is frozen")
    assert code_of(await alice.pay("@bob", "1.00 EUR")) == (409, "wallet_frozen")


async def test_messages_of_a_kind_stop_on_a_click_alone(site: Site, visitor: Visitor) -> None:
    alice, _ = await paid(site)
    await visitor.page.goto(f"/unsubscribe#{await unsubscribe_token(site, alice)}/money_in")
    await visitor.page.get_by_text("Money came in.").wait_for()
    before = (await alice.get("/v1/notifications/preferences")).json()
    assert {one["modes"]["email"] for one in before["kinds"]} == {"on"}

    await visitor.page.get_by_role("button", name="Stop messages").click()
    await visitor.status("Done.")
    after = (await alice.get("/v1/notifications/preferences")).json()["kinds"]
    assert [one["kind"] for one in after if one["modes"]["email"] == "off"] == ["money_in"]


@pytest.mark.parametrize(
    "path", ["/report", "/report#nm_gone", "/unsubscribe#gu_gone/money_in", "/unsubscribe#gu_gone"]
)
async def test_a_link_that_is_none_says_so(shared_visitor: Visitor, path: str) -> None:
    await shared_visitor.page.goto("about:blank")  # else the next one is a place in the same page
    await shared_visitor.page.goto(path)
    await shared_visitor.status("This link is not valid any more.")
    assert await shared_visitor.page.get_by_role("button").count() == 0
