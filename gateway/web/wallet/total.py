"""A wallet's total in a currency: the currency itself, and the tokens that it backs, one to one.

Other currencies are not added: the gateway has no exchange rates.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from gateway.api.wallets.shapes import BalanceView
from gateway.http.services import Services
from gateway.identity.wallet import Wallet
from gateway.ledger import account, ledger
from gateway.money import Asset, Money
from gateway.web.reader import Reader, exactly

#: The period of the chart.
DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Total:
    """Amounts are decimal strings of the currency `code`; `line` is an SVG path in 100 by 100, or empty."""

    code: str
    currency: str
    amount: str
    bank: str
    digital: str
    bank_share: int
    before: str
    line: str
    others: Sequence[str]


async def total_of(
    services: Services, wallet: Wallet, balances: Sequence[BalanceView], wanted: str | None, reader: Reader
) -> Total:
    """The total in the currency `wanted`, if the wallet can hold it; otherwise in the first currency with a balance."""
    groups = _groups(services)
    with_money = [code for code, members in groups.items() if _sum(balances, members)]
    code = wanted if wanted in groups else (with_money or list(groups))[0]
    members = groups[code]
    bank = _sum(balances, [one for one in members if one.kind == "fiat"])
    digital = _sum(balances, [one for one in members if one.kind == "token"])
    amount = _exact_sum([bank, digital])
    points = [*await _past(services, wallet, members, reader), amount]
    shown = {*with_money, code}
    return Total(
        code=code,
        currency=reader.currency(code)[0],
        amount=f"{amount:f}",
        bank=f"{bank:f}",
        digital=f"{digital:f}" if digital else "",
        bank_share=round(98 * bank / amount) if amount else 0,
        before=f"{points[0]:f}",
        line=_line(points) if len(set(points)) > 2 else "",  # otherwise there is nothing to show yet
        others=[one for one in groups if one in shown] if len(shown) > 1 else [],
    )


def _groups(services: Services) -> dict[str, list[Asset]]:
    """Each currency with the tokens that it backs."""
    assets = services.settings.assets.spendable()
    groups: dict[str, list[Asset]] = {one.code: [one] for one in assets if one.kind == "fiat"}
    for one in assets:
        if one.kind == "token":
            groups.setdefault(str(one.backing), []).append(one)
    return groups


def _sum(balances: Sequence[BalanceView], members: Sequence[Asset]) -> Decimal:
    codes = {one.code for one in members}
    return _exact_sum(Decimal(one.posted) for one in balances if one.asset in codes)


def _exact_sum(amounts: Iterable[Decimal]) -> Decimal:
    with exactly():
        return sum(amounts, Decimal(0))


async def _past(services: Services, wallet: Wallet, members: Sequence[Asset], reader: Reader) -> list[Decimal]:
    """The posted balances of these assets' accounts at the end of each of the days before today."""
    days = [reader.now - timedelta(days=DAYS - day) for day in range(DAYS)]
    asked = [(account.wallet(wallet.handle, one), at) for at in days for one in members]
    async with services.database.reading() as connection:
        found = await ledger.last_before(connection, asked)
    amounts = [Decimal(Money(units, one).amount) for (_, units), one in zip(found, [*members] * DAYS, strict=True)]
    each = len(members)
    return [_exact_sum(amounts[day * each : (day + 1) * each]) for day in range(DAYS)]


def _line(points: Sequence[Decimal]) -> str:
    """The path of a line through the points, the lowest at 92 and the highest at 8."""
    low, high = min(points), max(points)
    spread = (high - low) or Decimal(1)
    step = Decimal(100) / (len(points) - 1)
    at = [(step * place, 92 - 84 * (one - low) / spread) for place, one in enumerate(points)]
    return "M" + " L".join(f"{x:.2f} {y:.2f}" for x, y in at)
