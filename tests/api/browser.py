"""People at a browser: they have an authenticator, sign in with it, and a cookie goes with what they ask."""

import base64
from typing import Any

import httpx

from tests.api.conftest import Api, Person
from tests.authenticator import Authenticator, base64url

#: What a browser says of a request that a page of the gateway's makes.
OWN = {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin", "User-Agent": "Firefox"}


def challenge_in(answer: httpx.Response) -> bytes:
    assert answer.status_code == 201, answer.text
    text = answer.json()["challenge"]
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def registered(by: "Person | Browser", key: Authenticator, name: str = "Laptop") -> httpx.Response:
    client_data, attestation = key.make(challenge_in(await by.post("/v1/passkeys/challenge", b"")))
    body = {"name": name, "client_data": base64url(client_data), "attestation": base64url(attestation)}
    return await by.post("/v1/passkeys", body)


def signed(key: Authenticator, challenge: bytes) -> dict[str, str]:
    names = ("credential_id", "client_data", "authenticator_data", "signature")
    return dict(zip(names, map(base64url, key.sign(challenge)), strict=True))


async def signed_in(api: Api, key: Authenticator, **headers: str) -> httpx.Response:
    challenge = challenge_in(await api.call("POST", "/v1/sessions/passkey/challenge"))
    return await api.call("POST", "/v1/sessions/passkey", json=signed(key, challenge), headers={**OWN, **headers})


def cookie_of(answer: httpx.Response) -> str:
    """What the browser sends from then on."""
    return str(answer.headers["set-cookie"].partition(";")[0])


class Browser:
    """Somebody signed in: their cookie goes with what they ask, and the next one replaces it."""

    def __init__(self, api: Api, started: httpx.Response) -> None:
        assert started.status_code == 201, started.text
        self.api, self.cookie, self.id = api, cookie_of(started), started.json()["id"]

    async def call(self, method: str, path: str, headers: dict[str, str] = OWN, **more: Any) -> httpx.Response:
        answer = await self.api.call(method, path, headers={**headers, "Cookie": self.cookie}, **more)
        if "set-cookie" in answer.headers:
            self.cookie = cookie_of(answer)
        return answer

    async def post(self, path: str, body: Any = b"") -> httpx.Response:
        """As a page of the gateway's does."""
        return await self.call("POST", path, **({"json": body} if body else {}))


async def browsing(api: Api, handle: str = "alice", *moneys: str) -> tuple[Person, Authenticator, Browser]:
    person, key = await api.person(handle, *moneys), Authenticator()
    await registered(person, key)
    return person, key, Browser(api, await signed_in(api, key))
