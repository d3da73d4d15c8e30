"""The charts: payments/s and p99 by concurrency, and the cost of a payment by the number of entries.

A point is the median of its legs, and the bar through it spans the lowest to the highest.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")  # draws into files; there need be no screen

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from benchmarks.compare import Spread
from benchmarks.legs import Leg

_COUNT = StrMethodFormatter("{x:,.0f}")
_INK, _FAINT = "#1f2933", "#d9dee4"
_LINES = {"payments": ("#0b6e99", "payments, each durable"), "an empty POST": ("#c2571a", "an empty Litestar POST")}


def concurrency(legs: Sequence[Leg], file: Path) -> bool:
    """Payments and empty POSTs at every number of connections there is; False where there are fewer than two."""
    levels = {who: sorted({leg.connections for leg in legs if leg.who == who}) for who in _LINES}
    if min(len(there) for there in levels.values()) < 2:
        return False
    figure, (rates, slowest) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    for who, (colour, name) in _LINES.items():
        at = {level: [leg for leg in legs if leg.who == who and leg.connections == level] for level in levels[who]}
        _line(rates, {level: [leg.rate for leg in some] for level, some in at.items()}, colour, name)
        _line(slowest, {level: [leg.p99_ms for leg in some] for level, some in at.items()}, colour, name)
    for axes, title in ((rates, "answered per second"), (slowest, "p99, milliseconds")):
        axes.set_xscale("log", base=2)
        axes.set_xticks(levels["payments"], [str(level) for level in levels["payments"]])
        axes.xaxis.set_minor_locator(NullLocator())
        _finish(axes, title, "connections")
    slowest.set_yscale("log")
    slowest.yaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
    slowest.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    slowest.yaxis.set_minor_locator(NullLocator())
    rates.yaxis.set_major_formatter(_COUNT)
    rates.set_ylim(bottom=0)
    rates.legend(frameon=False)
    figure.savefig(file, dpi=150)
    plt.close(figure)
    return True


def entries(legs: Sequence[Leg], counts: Mapping[str, int], file: Path) -> bool:
    """The cost of a payment in ledgers with more and more entries: `counts`, by leg."""
    at = {entries: [leg for leg in legs if leg.who == who] for who, entries in counts.items()}
    if not all(at.values()):
        return False
    figure, (rates, spent) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    colour, _ = _LINES["payments"]
    _line(rates, {count: [leg.rate for leg in some] for count, some in at.items()}, colour, "payments")
    _line(spent, {count: [leg.gateway_cpu_us for leg in some] for count, some in at.items()}, colour, "gateway")
    _line(spent, {count: [leg.postgres_cpu_us for leg in some] for count, some in at.items()}, "#5b3f8c", "PostgreSQL")
    for axes, title in ((rates, "payments per second, 64 connections"), (spent, "processor time per payment, µs")):
        axes.set_xscale("log")
        axes.set_xticks(list(at), [f"{count:,}" for count in at])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(_COUNT)
        axes.set_ylim(bottom=0)
        _finish(axes, title, "entries in the ledger before")
    spent.legend(frameon=False)
    figure.savefig(file, dpi=150)
    plt.close(figure)
    return True


def _line(axes: Axes, points: Mapping[int, Sequence[float]], colour: str, name: str) -> None:
    spreads = [Spread.of(values) for values in points.values()]
    medians = [spread.median for spread in spreads]
    bars = [
        [spread.median - spread.minimum for spread in spreads],
        [spread.maximum - spread.median for spread in spreads],
    ]
    axes.errorbar(list(points), medians, yerr=bars, color=colour, marker="o", markersize=4, elinewidth=1, label=name)


def _finish(axes: Axes, title: str, below: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, color=_INK)
    axes.set_xlabel(below, color=_INK)
    axes.grid(axis="y", color=_FAINT)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
