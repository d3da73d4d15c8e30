"""What a passkey signs is what the page showed: the page makes the challenge from its own words, in a real browser.

The gateway asks for an approval of these details and is answered over those; here both are said side by side.
"""

from typing import Any

import pytest

from gateway.api.identity.shapes import AssertionRequest
from gateway.api.identity.sign_in import assertion_of
from gateway.identity import wallet
from gateway.identity.errors import InvalidPasskey
from gateway.identity.sign_in import passkey
from gateway.identity.sign_in.challenge import PasskeyChallenge
from gateway.identity.sign_in.passkey import Passkey
from gateway.identity.sign_in.passkey_verification import Party, to_base64
from gateway.ids import WalletId, show
from tests.factory import NOW
from tests.web.conftest import Site, Visitor
from tests.web.people import owner

pytestmark = pytest.mark.anyio

PURPOSE = "a test's approval"
MEANT = ["@bob", "12.50", "EUR", "ledger"]

#: What a page of ours does with the details that it shows.
SIGN = """async ([purpose, wallet, shown, nonce, rpId]) => {
    const { bytesOf, challengeOf, sign } = await import("/static/passkey.js");
    return sign(await challengeOf(purpose, wallet, shown, bytesOf(nonce)), rpId);
}"""


async def ask(site: Site, of: WalletId) -> PasskeyChallenge:
    party = Party("localhost", site.url)
    async with site.api.services.database.transaction() as connection:
        return await passkey.create_challenge(connection, party, of, PURPOSE, MEANT, NOW)


async def signed(visitor: Visitor, of: WalletId, asked: PasskeyChallenge, shown: list[str]) -> Any:
    wallet_id, nonce = show("wal", of), to_base64(asked.nonce)
    return await visitor.page.evaluate(SIGN, [PURPOSE, wallet_id, shown, nonce, asked.party.id])


async def verify(site: Site, of: WalletId, answer: Any) -> Passkey:
    async with site.api.services.database.transaction() as connection:
        return await passkey.verify(connection, of, PURPOSE, MEANT, assertion_of(AssertionRequest(**answer)), NOW)


async def wallet_of(site: Site, handle: str) -> WalletId:
    async with site.api.services.database.reading() as connection:
        return (await wallet.by_handle(connection, handle)).id


async def test_a_page_that_shows_what_is_meant_has_it_approved(site: Site, visitor: Visitor) -> None:
    await owner(visitor, site)
    await visitor.page.goto("/sign-in")
    alice = await wallet_of(site, "alice")
    asked = await ask(site, alice)

    used = await verify(site, alice, await signed(visitor, alice, asked, MEANT))

    assert (used.wallet, used.name) == (alice, "Test laptop")


@pytest.mark.parametrize("altered", [["@bob", "1250", "EUR", "ledger"], ["@eve", "12.50", "EUR", "ledger"]])
async def test_a_page_that_alters_the_amount_or_the_payee_has_nothing_approved(
    site: Site, visitor: Visitor, altered: list[str]
) -> None:
    await owner(visitor, site)
    await visitor.page.goto("/sign-in")
    alice = await wallet_of(site, "alice")
    asked = await ask(site, alice)

    with pytest.raises(InvalidPasskey) as refused:
        await verify(site, alice, await signed(visitor, alice, asked, altered))

    assert refused.value.kind == "challenge"
    await verify(site, alice, await signed(visitor, alice, asked, MEANT))
