"""Statements: the opening balance of a period, each entry with the balance after it, and the closing balance."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from litestar import Request, Response

from gateway.api.wallets.statements import period_asked, summaries_of
from gateway.clock import rfc3339
from gateway.errors import GatewayError, InvalidRequest
from gateway.http.services import Services
from gateway.identity.wallet import Wallet
from gateway.statements import statement
from gateway.statements.period import Period
from gateway.statements.statement import Line, Summary, reference_of
from gateway.statements.texts import Texts
from gateway.web.owned import answer, own_page, reader_for
from gateway.web.problems import why_of
from gateway.web.reader import Reader

#: How many past months can be chosen; any other period can be entered.
_MONTHS: Final = 24

#: How many entries of an asset the page shows: the files have all of them.
_SHOWN: Final = 200


@own_page("/statements")
async def statements_page(request: Request[Any, Any, Any], services: Services, caller: Wallet) -> Response[bytes]:
    """The statement of a `month`, or of the days `from` and `until`, of one `asset` or of all. One day alone is enough:
    it is then to today, or from the first day of the month of `until`.
    """
    reader, asked = reader_for(request), request.query_params
    filters = {name: asked.get(name, "").strip() for name in ("month", "from", "until", "asset")}
    of_days = bool(filters["from"] or filters["until"])
    if not of_days:
        filters["month"] = filters["month"] or reader.months(1)[0]
    else:
        _fill_in(filters, reader)
    accounts, period, problem = list[_Account](), None, ""
    try:
        period = _period(filters, of_days, reader)
        for one in await summaries_of(services, caller, period, filters["asset"] or None):
            async with services.database.reading() as connection:
                lines = await statement.lines(
                    connection, services.settings.assets, caller.handle, one, max(one.after, one.last - _SHOWN), _SHOWN
                )
            accounts.append(_Account.of(one, lines, reader))
    except GatewayError as error:
        problem = why_of(error, reader)
    return answer(
        request,
        "wallet/statements.html",
        422 if problem else 200,
        me=caller.handle,
        filters=filters,
        of_days=of_days,
        problem=problem,
        period=_in_words(filters, of_days, period, reader) if period else "",
        accounts=accounts,
        months=reader.months(_MONTHS),
        assets=[one.code for one in services.settings.assets.spendable()],
        lasts=period is not None and period.ends > reader.now,
        file=_file(filters, period) if period else "",
    )


@dataclass(frozen=True, slots=True)
class _Account:
    """One asset as it is shown. `left_out` entries at the beginning of the period are only in the files."""

    summary: Summary
    rows: list["_Row"]
    left_out: int

    @classmethod
    def of(cls, summary: Summary, lines: list[Line], reader: Reader) -> "_Account":
        return cls(summary, [_Row.of(one, reader) for one in lines], summary.entries - len(lines))


@dataclass(frozen=True, slots=True)
class _Row:
    """An entry as it is shown: its kind if it is not a payment, its amount, and the balance after it."""

    what: str
    person: str | None
    memo: str | None
    at: str
    link: str
    is_in: bool
    amount: str
    balance: str

    @classmethod
    def of(cls, line: Line, reader: Reader) -> "_Row":
        entry = line.entry
        paid = entry.purpose in ("payment", "refund")
        return cls(
            what="" if entry.purpose == "payment" else Texts(reader.locale).kind(entry.purpose),
            person=line.person,
            memo=line.memo,
            at=rfc3339(entry.posted_at),
            link=f"/payments/{reference_of(entry)}" if paid else "",
            is_in=line.change.units > 0,
            amount=entry.amount.amount,
            balance=entry.balance.amount,
        )


def _fill_in(filters: dict[str, str], reader: Reader) -> None:
    """The other day, where one is given. What is no date stays, for the period to refuse it."""
    filters["until"] = filters["until"] or max(reader.today, filters["from"])
    filters["from"] = filters["from"] or f"{filters['until'][:8]}01"


def _period(filters: dict[str, str], of_days: bool, reader: Reader) -> Period:
    if not of_days:
        return period_asked(filters["month"], None, None, reader.time_zone)
    begins, ends = reader.begin_of(filters["from"]), reader.end_of(filters["until"])
    if begins is None or ends is None or filters["from"] > filters["until"]:
        raise InvalidRequest("days", "choose a first day, and a last one that is not before it")
    return period_asked(None, begins, ends, reader.time_zone)


def _in_words(filters: dict[str, str], of_days: bool, period: Period, reader: Reader) -> str:
    if not of_days:
        return reader.month(filters["month"])
    return f"{reader.date(rfc3339(period.begins))} – {reader.date(f'{period.days[1].isoformat()}T12:00:00+00:00')}"


def _file(filters: dict[str, str], period: Period) -> str:
    """The query of the same statement as a file."""
    of = {"from": rfc3339(period.begins), "until": rfc3339(period.ends)}
    return urlencode({**of, "time_zone": period.time_zone, **({"asset": filters["asset"]} if filters["asset"] else {})})
