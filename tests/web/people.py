"""People who are signed in at a browser, by the API: to sign up at the page takes a browser three seconds.

Their passkey is made in software and handed to the browser's authenticator, and the session's cookie to the browser.
How the pages do it, test_browser.py and test_sign_up.py see.
"""

from base64 import b64encode, urlsafe_b64decode
from dataclasses import dataclass
from typing import Any

import httpx
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.api.browser import OWN, challenge_in, cookie_of, signed_in
from tests.api.conftest import Person
from tests.authenticator import Authenticator, base64url
from tests.web.conftest import Site, Visitor

#: What their passkey is called.
DEVICE = "Test laptop"


@dataclass
class Owner(Person):
    """Somebody whose own browser is signed in, by this cookie."""

    cookie: str

    async def do(self, path: str, **body: Any) -> Any:
        """What their browser does at once after it has signed in: a POST, and what it is answered."""
        made = await self.api.call("POST", path, headers={**OWN, "Cookie": self.cookie}, json=body or None)
        assert made.status_code == 201, made.text
        return made.json()

    async def recovery_codes(self) -> list[str]:
        """New ones; to hash them takes half a second."""
        return list((await self.do("/v1/recovery-codes"))["codes"])


async def owner(visitor: Visitor, site: Site, handle: str = "alice", *moneys: str) -> Owner:
    """Somebody who has signed up with a passkey and has this much money. Their browser has no page open."""
    key = Authenticator()
    asked = await site.api.call("POST", "/v1/sign-ups/challenge", json={"handle": handle})
    body = {"handle": handle, "user_id": asked.json()["user_id"], "name": DEVICE, **made(key, asked)}
    started = await site.api.call("POST", "/v1/sign-ups", json=body, headers=OWN)
    await hand_over(visitor, site, key, asked, started)
    mine = started.json()
    one = Owner(site.api, handle, mine["api_key"], mine["wallet_id"], mine["address"], cookie_of(started))
    for money in moneys:
        await one.receive(money)
    return one


async def sign_in(visitor: Visitor, site: Site, person: Person) -> None:
    """Give somebody with an API key their first passkey, and sign them in with it."""
    key = Authenticator()
    asked = await person.post("/v1/passkeys/challenge", b"")
    assert (await person.post("/v1/passkeys", {"name": DEVICE, **made(key, asked)})).status_code == 201
    await hand_over(visitor, site, key, asked, await signed_in(site.api, key))


def made(key: Authenticator, asked: httpx.Response) -> dict[str, str]:
    client_data, attestation = key.make(challenge_in(asked))
    return {"client_data": base64url(client_data), "attestation": base64url(attestation)}


async def hand_over(
    visitor: Visitor, site: Site, key: Authenticator, asked: httpx.Response, started: httpx.Response
) -> None:
    """Give the browser the passkey that was made as `asked`, and the session that has begun."""
    assert started.status_code == 201, started.text
    private = key.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    user = asked.json()["user_id"]
    credential: dict[str, Any] = {
        "credentialId": b64encode(key.credential_id).decode(),
        "isResidentCredential": True,
        "rpId": key.rp_id,
        "privateKey": b64encode(private).decode(),
        "userHandle": b64encode(urlsafe_b64decode(user + "=" * (-len(user) % 4))).decode(),
        "signCount": key.sign_count,
    }
    added = {"authenticatorId": visitor.authenticator, "credential": credential}
    await visitor.devtools.send("WebAuthn.addCredential", added)
    name, _, value = cookie_of(started).partition("=")
    await visitor.page.context.add_cookies(
        [{"name": name, "value": value, "url": site.url, "httpOnly": True, "sameSite": "Strict"}]
    )
