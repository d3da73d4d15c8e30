"""The route of a payment: its rail, and why. Pure, so that a preview and a payment cannot differ. The rail is chosen by
`PaymentSettings.route` (settings.py), which takes the first rail with a quote.

Fiat moves in the ledger; a token moves on the chain, since the ledger only mirrors it. The reasons are sentences for
people; `finality` says when the payment can no longer be undone.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated, Literal, get_args

import msgspec

from gateway.money import Asset, Money

#: The rails that a caller can name: in a cap, a mandate, a filter.
RailName = Literal["ledger", "chain"]


class Route(msgspec.Struct, frozen=True):
    """The route of a payment. `fee` is a decimal string in the payment's asset."""

    rail: Annotated[str, msgspec.Meta(extra_json_schema={"enum": list(get_args(RailName))})]
    reasons: Annotated[tuple[str, ...], msgspec.Meta(description="Why this way, in sentences for people.")]
    fee: Annotated[str, msgspec.Meta(description="In the payment's asset.", examples=["0.00"])]
    finality: Annotated[str, msgspec.Meta(description="When the payment can no longer be undone, for people.")]
    expected_seconds: Annotated[float, msgspec.Meta(description="Until it is settled, as a rule; 0: at once.")]


def rail_of(asset: Asset) -> RailName:
    """The rail that payments of an asset take, for who counts them before they are routed."""
    return "chain" if asset.kind == "token" else "ledger"


def rails_of(assets: Iterable[Asset]) -> dict[str, RailName]:
    """The rail of every asset that wallets can hold, by code."""
    return {asset.code: rail_of(asset) for asset in assets if asset.kind != "native"}


@lru_cache(maxsize=1024)
def token_route(asset: Asset, outside: bool, expected_seconds: float) -> Route:
    """The route of every payment on the chain rail: of a token, and to an address outside the gateway or not."""
    where = "an address outside the gateway" if outside else "the payee's address"
    return Route(
        rail="chain",
        reasons=(
            f"{asset.code} is a token: it moves by its contract",
            f"it goes to {where}",
            "the operator pays the gas",
        ),
        fee=Money(0, asset).amount,
        finality="final when its block is",
        expected_seconds=expected_seconds,
    )


@lru_cache(maxsize=1024)
def ledger_route(fee: Money) -> Route:
    """The route of every payment on the ledger rail; it follows from the fee, and so from a payment's row."""
    return Route(
        rail="ledger",
        reasons=(f"{fee.asset.code} is fiat: it moves in the ledger", "payer and payee both have a wallet here"),
        fee=fee.amount,
        finality="final at once",
        expected_seconds=0.0,
    )


# ---- in a payment's row ---------------------------------------------------------------------------------------------


def stored(route: Route, fee: Money, outside: bool) -> str | None:
    """The stored part, as JSON, of the route of a payment with this fee. None: the route follows from the rest of the
    row. Of a chain route only the expected seconds do not follow, so that number is stored.
    """
    if route == ledger_route(fee):
        return None
    follows = route == token_route(fee.asset, outside, route.expected_seconds)
    return msgspec.json.encode(route.expected_seconds if follows else route).decode()


@lru_cache(maxsize=1024)
def restored(kept: str | None, fee: Money, outside: bool) -> Route:
    """The route of a payment, from the part of it that is `kept` in its row. There are few distinct routes, so they are
    cached.
    """
    if kept is None:
        return ledger_route(fee)
    found = msgspec.json.decode(kept, type=float | Route)
    return found if isinstance(found, Route) else token_route(fee.asset, outside, found)
