"""Rows of the table, made of legs that were measured in turns."""

from benchmarks.compare import Row, Target
from benchmarks.rig import Leg

_LEAST_PART = 0.01  #: Of ours.


def rate_row(figure: str, what: str, ours: list[Leg], theirs: list[Leg], against: str, target: Target | None) -> Row:
    rates = tuple(leg.rate for leg in ours), tuple(leg.rate for leg in theirs)
    return Row(figure, what, "/s", *rates, against, target)


def p99_row(figure: str, what: str, ours: list[Leg], theirs: list[Leg], against: str, target: Target | None) -> Row:
    slowest = tuple(leg.p99_ms for leg in ours), tuple(leg.p99_ms for leg in theirs)
    return Row(figure, what, "ms", *slowest, against, target)


def cpu_rows(figure: str, what: str, ours: list[Leg], theirs: list[Leg], against: str) -> list[Row]:
    """Processor time per payment, part by part; nothing is aimed at. There is no ratio to a side that does without this
    part, as an empty POST does without PostgreSQL, and has only what else goes on there.
    """
    them = by_part(theirs)
    return [
        Row(
            figure, f"{part} CPU each, {what}", "µs", used, them[part] if _takes_part(them[part], used) else (), against
        )
        for part, used in by_part(ours).items()
    ]


def whole_row(figure: str, what: str, ours: list[Leg], theirs: list[Leg], against: str) -> Row:
    """Processor time per payment of gateway and PostgreSQL together."""
    return Row(
        figure, f"CPU each, {what}", "µs", *(tuple(leg.cpu_us for leg in legs) for legs in (ours, theirs)), against
    )


def _takes_part(theirs: tuple[float, ...], ours: tuple[float, ...]) -> bool:
    return min(theirs) > _LEAST_PART * max(ours)


def by_part(legs: list[Leg]) -> dict[str, tuple[float, ...]]:
    return {
        "gateway": tuple(leg.gateway_cpu_us for leg in legs),
        "PostgreSQL": tuple(leg.postgres_cpu_us for leg in legs),
        "wrk": tuple(leg.wrk_cpu_us for leg in legs),
    }
