"""The totals of each token for the console, whether they add up, and a chart over time. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from gateway.api.operators.running.shapes import OperatorSolvencyPage, OperatorSolvencyView
from gateway.web.shown import is_some

#: The period of the chart.
DAYS: Final = 30

#: The shortest period of a useful chart.
_LEAST: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Total:
    """A token with its supply over time: an SVG path in 100 by 100, and marks where something differed. The chart is
    empty if there are not enough points yet.
    """

    token: OperatorSolvencyView
    is_reconciled: bool
    since: str
    line: str
    marks: str


def totals(page: OperatorSolvencyPage, now: datetime) -> list[Total]:
    """The totals of each token."""
    return [Total(one, is_reconciled(one, page), *_over_time(one, now)) for one in page.items]


def is_reconciled(token: OperatorSolvencyView, page: OperatorSolvencyPage) -> bool:
    """Whether there is no difference within the ledger, with the chain, or with the bank of the backing currency."""
    frozen = {one.asset for one in page.frozen}
    return not (is_some(token.difference) or token.differences or frozen & {token.asset, token.backing})


def _over_time(token: OperatorSolvencyView, now: datetime) -> tuple[str, str, str]:
    """The first point's time, the line and the marks."""
    if not token.points or now - datetime.fromisoformat(token.points[0].at) < _LEAST:
        return "", "", ""
    started = token.points[0].at
    at = [(_place(one.at, started, now), Decimal(one.supply)) for one in token.points]
    wrong = [one for one in token.points if is_some(one.difference) or is_some(one.unreconciled)]
    marks = " ".join(f"M{_place(one.at, started, now):.2f} 0 V100" for one in wrong)
    return started, _line([*at, (100.0, Decimal(token.supply))]), marks


def _line(points: Sequence[tuple[float, Decimal]]) -> str:
    """The path through the points, the lowest at 92 and the highest at 8."""
    low, high = min(amount for _, amount in points), max(amount for _, amount in points)
    spread = (high - low) or Decimal(1)
    return "M" + " L".join(f"{place:.2f} {92 - 84 * float((amount - low) / spread):.2f}" for place, amount in points)


def _place(at: str, started: str, now: datetime) -> float:
    """The position of a time on the chart: 0 at its beginning, 100 now."""
    first = datetime.fromisoformat(started)
    return 100 * ((datetime.fromisoformat(at) - first) / (now - first))
