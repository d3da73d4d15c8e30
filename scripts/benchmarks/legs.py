"""A leg, which is one measurement with wrk, and the rows of the table that legs measured in turns give."""

from dataclasses import dataclass

from benchmarks.compare import Row, Target

_LEAST_PART = 0.01  #: Of ours.


@dataclass(frozen=True)
class Leg:
    """One measurement: so many connections, each sending again as soon as it is answered. Times are in milliseconds, as
    wrk gives them: corrected for coordinated omission. Processor time is per payment that was not refused, measured
    until the gateways were idle again.
    """

    who: str
    connections: int
    seconds: float
    asked: int
    acknowledged: int
    refused: int
    broken: int  #: Connections that failed, and requests without an answer in time.
    first_refusal: str
    p50_ms: float
    p99_ms: float
    gateway_cpu_us: float
    postgres_cpu_us: float
    wrk_cpu_us: float

    @property
    def rate(self) -> float:
        """Payments per second."""
        return self.acknowledged / self.seconds

    @property
    def cpu_us(self) -> float:
        """Of gateway and PostgreSQL together, per payment."""
        return self.gateway_cpu_us + self.postgres_cpu_us

    @property
    def failures(self) -> int:
        return self.refused + self.broken


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
