"""What a handler is handed, and who is calling."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from litestar import Request
from litestar.handlers import HTTPRouteHandler

from gateway.access import api_key as api_keys
from gateway.access.credential import SCOPES, Credential
from gateway.chain.node import Node
from gateway.chain.signer import Vault
from gateway.clock import Clock
from gateway.errors import Unauthenticated
from gateway.payments.terms import Terms
from gateway.postgres import Database
from gateway.wallets.wallet import Wallet


@dataclass(frozen=True, slots=True)
class House:
    """Everything a request may need; built once, by hand, in `__main__`."""

    database: Database
    terms: Terms
    vault: Vault
    clock: Clock
    node: Node | None = None  #: For what only a chain can answer; all else does without.
    public_url: str = "http://127.0.0.1:8000"  #: Where people find this gateway: what they sign names it.


async def credential_of(request: Request[Any, Any, Any], house: House) -> Credential:
    """What the request's caller has shown, which is enough for its route. Raises Unauthenticated (RFC 6750) where it
    is nothing, and Forbidden where it is too little.
    """
    scheme, _, api_key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not api_key.strip():
        raise Unauthenticated
    async with house.database.reading() as connection:
        shown = await api_keys.authenticate(connection, api_key.strip())
    shown.check(request.route_handler.opt["needs"])
    return shown


async def caller_of(credential: Credential) -> Wallet:
    """The wallet that the caller acts for."""
    return credential.wallet


def check_needs(handlers: Iterable[HTTPRouteHandler]) -> None:
    """Each route says what it needs of its caller (`needs`, of credential.py): to be forgotten is no answer."""
    for handler in handlers:
        assert handler.opt.get("needs") in (*SCOPES, "nothing"), f"{handler.paths} needs what?"
