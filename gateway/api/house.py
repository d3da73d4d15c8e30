"""What a handler is handed, and who is calling."""

from dataclasses import dataclass
from typing import Any

from litestar import Request

from gateway.chain.node import Node
from gateway.chain.signer import Vault
from gateway.clock import Clock
from gateway.errors import Unauthenticated
from gateway.payments.terms import Terms
from gateway.postgres import Database
from gateway.wallets import wallet
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


async def caller_of(request: Request[Any, Any, Any], house: House) -> Wallet:
    """The wallet that the request's API key speaks for. Raises Unauthenticated (RFC 6750)."""
    scheme, _, api_key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not api_key.strip():
        raise Unauthenticated
    async with house.database.reading() as connection:
        return await wallet.by_api_key(connection, api_key.strip())
