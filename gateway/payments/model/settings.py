"""Payment settings, and the registered kinds, in one value that every function of the package takes. Pure."""

from dataclasses import dataclass, field
from typing import Any

from gateway.money import Money
from gateway.payments.model.rail import Rail
from gateway.payments.model.rail_settings import RailSettings
from gateway.payments.model.route import Route
from gateway.payments.payees.resolver import PayeeResolver
from gateway.settlement.settles import Settles


@dataclass(frozen=True, slots=True)
class PaymentSettings(RailSettings):
    """`rails` and `payees` (the payee resolvers) are in the order in which they are tried; `settles` are the kinds of
    things that final blocks settle, in the order in which they lock their rows.
    """

    rails: tuple[Rail, ...] = field(kw_only=True)
    payees: tuple[PayeeResolver, ...] = field(kw_only=True)
    settles: tuple[Settles[Any], ...] = field(kw_only=True)

    def rail(self, name: str) -> Rail:
        """The rail with this name."""
        return next(rail for rail in self.rails if rail.name == name)

    def route(self, money: Money, outside: str | None) -> Route:
        """The route of `money` to a handle, or to `outside`, an address outside the gateway: on the first rail that
        carries it.

        Raises UnknownPayee for fiat to such an address: there is no account it could be put on.
        """
        for rail in self.rails:
            if (way := rail.quote(self, money, outside)) is not None:
                return way
        raise AssertionError(f"no rail carries {money.asset.code}, and no wallet holds it")
