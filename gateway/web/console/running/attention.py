"""Matters that need attention, for the console's first page. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway.api.operators.running.shapes import GatewayHealthView, OperatorSolvencyPage
from gateway.web.console.running.states import check_message, check_name
from gateway.web.reader import Reader

#: Token payments that wait for this long need attention.
_LONG: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Matter:
    """One matter that needs attention, with the page that has the details."""

    icon: str
    title: str
    message: str
    href: str


def matters(health: GatewayHealthView, solvency: OperatorSolvencyPage, proposals: int, reader: Reader) -> list[Matter]:
    """The matters that need attention, the most serious first."""
    return [*_of_money(solvency, reader), *_of_health(health, reader), *_of_people(proposals, reader)]


def _of_money(solvency: OperatorSolvencyPage, reader: Reader) -> Iterator[Matter]:
    for one in solvency.frozen:
        title = reader.say("Withdrawals of {asset} are frozen", asset=one.asset)
        yield Matter("snow", title, reader.say("since {time}", time=reader.time(one.since)), "/console/withdrawals")
    for difference in solvency.differences:
        message = reader.say("{amount} do not agree with {where}", amount=difference.amount, where=difference.where)
        yield Matter("bank", difference.account, message, "/console/withdrawals")


def _of_health(health: GatewayHealthView, reader: Reader) -> Iterator[Matter]:
    say = reader.say
    for check in health.checks:
        if check.state != "ok":
            yield Matter("shield", check_name(check.name, reader), check_message(check, reader), "/console/health")
    stopped = health.relayers.stopped + health.relayers.refused
    if stopped:
        title = say("Relayers that send nothing: {number}", number=stopped)
        yield Matter("chain", title, say("They are stopped, or the node refuses them."), "/console/relayers")
    if health.relayers.low:
        title = say("Relayers low on gas money: {number}", number=health.relayers.low)
        yield Matter("chain", title, say("Send some to their addresses."), "/console/relayers")
    for queue in health.queued:
        if queue.oldest_at is not None and _age(queue.oldest_at, health.at) > _LONG:
            title = say("{asset} payments wait long", asset=queue.of)
            yield Matter("chain", title, say("since {time}", time=reader.time(queue.oldest_at)), "/console/relayers")
    failing = health.endpoints.failing
    if failing:
        title = say("Webhooks that fail: {number}", number=failing)
        yield Matter("bell", title, say("Nothing came through to them lately."), "/console/deliveries")


def _of_people(proposals: int, reader: Reader) -> Iterator[Matter]:
    if proposals:
        title = reader.say("Open proposals: {number}", number=proposals)
        yield Matter("person", title, reader.say("Another operator approves each."), "/console/proposals")


def _age(at: str, now: str) -> timedelta:
    return datetime.fromisoformat(now) - datetime.fromisoformat(at)
