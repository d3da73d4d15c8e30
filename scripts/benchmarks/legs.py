"""Rows of the table, made of legs that were measured in turns."""

from benchmarks.compare import Row, Target
from benchmarks.rig import Leg


def rate_row(figure: str, what: str, ours: list[Leg], theirs: list[Leg], against: str, target: Target | None) -> Row:
    rates = tuple(leg.rate for leg in ours), tuple(leg.rate for leg in theirs)
    return Row(figure, what, "/s", *rates, against, target)


def p99_row(figure: str, what: str, ours: list[Leg], theirs: list[Leg], against: str, target: Target | None) -> Row:
    slowest = tuple(leg.p99_ms for leg in ours), tuple(leg.p99_ms for leg in theirs)
    return Row(figure, what, "ms", *slowest, against, target)


def cpu_rows(figure: str, what: str, ours: list[Leg], theirs: list[Leg], against: str) -> list[Row]:
    """Processor time per payment, part by part; nothing is aimed at."""
    them = by_part(theirs)
    return [
        Row(figure, f"{part} CPU each, {what}", "µs", used, them[part] if min(them[part]) > 0 else (), against)
        for part, used in by_part(ours).items()
    ]


def by_part(legs: list[Leg]) -> dict[str, tuple[float, ...]]:
    return {
        "gateway": tuple(leg.gateway_cpu_us for leg in legs),
        "PostgreSQL": tuple(leg.postgres_cpu_us for leg in legs),
        "wrk": tuple(leg.wrk_cpu_us for leg in legs),
    }
