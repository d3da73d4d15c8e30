"""Comparisons: medians, spreads, ratios, and whether targets are met. Pure.

Ours and theirs are measured in turns, so the n-th of ours goes with the n-th of theirs. `pairwise` has the ratio of
each such pair, which other load on the machine disturbs less than it does the two medians. `error` says how far the
median of those may be off by chance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Spread:
    """The median, the lowest and the highest of some numbers."""

    median: float
    minimum: float
    maximum: float

    @staticmethod
    def of(values: Sequence[float]) -> "Spread":
        return Spread(median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Target:
    """A target: `at_least`, or `below`."""

    at_least: float | None = None
    below: float | None = None

    def met_by(self, value: float) -> bool:
        return (self.at_least is None or value >= self.at_least) and (self.below is None or value < self.below)

    def __str__(self) -> str:
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"< {self.below:g}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was measured, in `unit`, and what it is compared with.

    With `theirs`, the target is for the ratio, and is met if both the ratio of the medians and the median of the
    pairwise ratios meet it. Without, it is for the median itself.
    """

    figure: str
    what: str
    unit: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...] = ()
    against: str = ""
    target: Target | None = None

    @property
    def ratio_of_medians(self) -> float | None:
        return median(self.ours) / median(self.theirs) if self.theirs else None

    @property
    def pairwise(self) -> tuple[float, ...]:
        return tuple(our / their for our, their in zip(self.ours, self.theirs, strict=True)) if self.theirs else ()

    @property
    def error(self) -> float | None:
        """The standard error of the median of the pairwise ratios; None of fewer than `_ROUNDS_MIN` pairs."""
        return ratio_error(self.ours, self.theirs) if self.theirs else None

    @property
    def met(self) -> bool | None:
        """None if there is no target."""
        if self.target is None:
            return None
        if self.ratio_of_medians is None:
            return self.target.met_by(median(self.ours))
        return self.target.met_by(self.ratio_of_medians) and self.target.met_by(median(self.pairwise))

    def plain(self) -> dict[str, object]:
        """Everything as plain values, for JSON."""
        return {
            "figure": self.figure,
            "what": self.what,
            "unit": self.unit,
            "ours": self.ours,
            "against": self.against,
            "theirs": self.theirs,
            "ratio_of_medians": self.ratio_of_medians,
            "pairwise_ratios": self.pairwise,
            "pairwise_error": self.error,
            "target": str(self.target) if self.target else None,
            "met": self.met,
        }


def ratio_error(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    """The standard error of the median of pairwise ratios; None of fewer than `_ROUNDS_MIN` pairs, of which too little
    is known. It is estimated from their median absolute deviation, as of a normal distribution, so a few rounds that
    something else disturbed do not count.
    """
    ratios = [our / their for our, their in zip(ours, theirs, strict=True)]
    if len(ratios) < _ROUNDS_MIN:
        return None
    middle = median(ratios)
    deviation = _OF_MAD * median(abs(ratio - middle) for ratio in ratios)
    return _OF_MEDIAN * deviation / len(ratios) ** 0.5


_ROUNDS_MIN = 5

#: Of a normal distribution: its standard deviation by its median absolute deviation, and the standard error of a median
#: by that of a mean.
_OF_MAD, _OF_MEDIAN = 1.4826, 1.2533


def microseconds_each(seconds: float, payments: int) -> float:
    """Microseconds per payment. Raises ValueError if there was none, since nothing was measured then."""
    if payments <= 0:
        raise ValueError("nothing was paid, so nothing can be said of each payment")
    return seconds * 1e6 / payments


_HEAD = ("figure", "what", "measured", "(range)", "against", "there", "(range)", "ratio", "pairwise", "aim", "")


def table(rows: Sequence[Row]) -> str:
    """The rows for people: medians, their spread, the ratio of the medians, and the median of the pairwise ratios with
    its standard error, where there are enough of them.
    """
    lines = [_HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    padded = ([cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines)
    return "\n".join("  ".join(line).rstrip() for line in padded)


def summary(rows: Sequence[Row], left_out: Mapping[str, str]) -> str:
    """All that was measured in one Markdown table: the medians, and the ratio of the medians; and below it what was not
    measured, by its name, and why.
    """
    lines = ["| figure | measured | against | ratio |", "| --- | --- | --- | --- |"]
    for row in rows:
        there = f"{row.against}, {number(median(row.theirs))} {row.unit}" if row.theirs else ""
        ratio = "" if row.ratio_of_medians is None else f"{row.ratio_of_medians:.2f}"
        lines.append(f"| {row.figure}: {row.what} | {number(median(row.ours))} {row.unit} | {there} | {ratio} |")
    lines += ["", "Left out:" if left_out else "Nothing was left out."]
    lines += [f"- {name}: {why}" for name, why in left_out.items()]
    return "\n".join(lines)


def _cells(row: Row) -> tuple[str, ...]:
    ours = Spread.of(row.ours)
    theirs = Spread.of(row.theirs) if row.theirs else None
    return (
        row.figure,
        row.what,
        f"{number(ours.median)} {row.unit}",
        f"({number(ours.minimum)} to {number(ours.maximum)})",
        row.against,
        number(theirs.median) if theirs else "",
        f"({number(theirs.minimum)} to {number(theirs.maximum)})" if theirs else "",
        f"{row.ratio_of_medians:.2f}" if row.ratio_of_medians is not None else "",
        _pairwise(row),
        str(row.target) if row.target else "",
        {True: "met", False: "NOT MET", None: ""}[row.met],
    )


def _pairwise(row: Row) -> str:
    if not row.pairwise:
        return ""
    error = f" ± {row.error:.2f}" if row.error is not None else ""
    return f"{median(row.pairwise):.2f}{error}"


def number(value: float) -> str:
    """Three or four digits that matter: 12,345 and 0.123."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"
