"""Statements of a period: balances and sums as JSON, every entry as CSV or PDF."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated, Final

from litestar import Response, get
from litestar.params import QueryParameter
from litestar.response import Stream

from gateway.api.pdf import PDF, Locale
from gateway.api.wallets.shapes import StatementView
from gateway.api.wallets.views import statement_view
from gateway.errors import InvalidRequest
from gateway.http.request.parameters import asset_parameter
from gateway.http.request.times import period_of, time_parameter
from gateway.http.services import Services
from gateway.identity.wallet import Wallet
from gateway.notifications.texts.language import check_time_zone
from gateway.statements import csv_file, statement
from gateway.statements.errors import StatementTooLong
from gateway.statements.pdf.document import PdfAccount, PdfDocument, PdfLine
from gateway.statements.pdf.maker import ENTRIES_MAX
from gateway.statements.period import Period, month_of
from gateway.statements.statement import Summary

CSV: Final = "text/csv"

Asset = Annotated[
    str | None, asset_parameter("The asset; without it, each that the wallet had or moved in the period.")
]
Month = Annotated[
    str | None,
    QueryParameter(
        description="A month in the time zone, instead of `from` and `until`.", schema_extra={"examples": ["2026-11"]}
    ),
]
From = Annotated[str | None, time_parameter("from", "Posted at this time (RFC 3339) or later.")]
Until = Annotated[str | None, time_parameter("until", "Posted before this time (RFC 3339).")]
TimeZone = Annotated[
    str,
    QueryParameter(
        description="The time zone in which a month begins at midnight, and a file shows times (IANA).",
        schema_extra={"examples": ["Asia/Bangkok"]},
    ),
]


@get("/v1/statement", tags=["Wallet"], summary="Get a statement", needs="read", problems=("unknown_asset",))
async def get_statement(
    services: Services,
    caller: Wallet,
    month: Month = None,
    from_: From = None,
    until: Until = None,
    time_zone: TimeZone = "UTC",
    asset: Asset = None,
) -> StatementView:
    """Returns the opening balances, the entries and the closing balances of a period, read at one moment. The entries
    are those of `GET /v1/entries` for the same period.
    """
    period = period_asked(month, from_, until, time_zone)
    return statement_view(caller, period, services.clock(), await summaries_of(services, caller, period, asset))


@get(
    "/v1/statement.csv",
    tags=["Wallet"],
    summary="Get a statement as CSV",
    needs="read",
    problems=("unknown_asset",),
    media_type=CSV,
)
async def get_statement_csv(
    services: Services,
    caller: Wallet,
    month: Month = None,
    from_: From = None,
    until: Until = None,
    time_zone: TimeZone = "UTC",
    asset: Asset = None,
) -> Stream:
    """Returns every entry of the period, oldest first, with its counterparty, its memo and the balance after it, as CSV
    (RFC 4180) in UTF-8 with a byte order mark. The first line of an asset has its `opening_balance`, the last its
    `closing_balance` (the current balance if the period has not ended): a file without it was cut off. Amounts have a
    decimal point and all decimals, and are negative if money went out. A cell that a spreadsheet would read as a
    formula begins with a quote.
    """
    period = period_asked(month, from_, until, time_zone)
    found = await summaries_of(services, caller, period, asset)
    lines = _csv(services, caller, period, found, services.clock())
    return Stream(lines, media_type=CSV, headers=_download(caller, period, "csv"))


@get(
    "/v1/statement.pdf",
    tags=["Wallet"],
    summary="Get a statement as PDF",
    needs="read",
    problems=("unknown_asset", "statement_too_long"),
    media_type=PDF,
)
async def get_statement_pdf(
    services: Services,
    caller: Wallet,
    month: Month = None,
    from_: From = None,
    until: Until = None,
    time_zone: TimeZone = "UTC",
    asset: Asset = None,
    language: Locale = "en",
) -> Response[bytes]:
    """Returns the period as a PDF on pages of A4: the same entries as in the CSV file, up to 2,000, with amounts and
    dates in the format of the language.
    """
    period = period_asked(month, from_, until, time_zone)
    found = await summaries_of(services, caller, period, asset)
    if (entries := sum(one.entries for one in found)) > ENTRIES_MAX:
        raise StatementTooLong(entries, ENTRIES_MAX)
    accounts = list[PdfAccount]()
    for one in found:
        pages = statement.all_lines(services.database, services.settings.assets, caller.handle, one)
        accounts.append(PdfAccount.of(one, [PdfLine.of(line) async for page in pages for line in page]))
    made = await services.pdfs.make(
        PdfDocument(*(language, time_zone, caller.handle, *period.days, period.is_month), services.clock(), accounts)
    )
    return Response(made, media_type=PDF, headers=_download(caller, period, "pdf"))


async def _csv(
    services: Services, caller: Wallet, period: Period, found: Sequence[Summary], now: datetime
) -> AsyncIterator[bytes]:
    yield csv_file.head()
    for one in found:
        yield csv_file.opening(period, one)
        async for page in statement.all_lines(services.database, services.settings.assets, caller.handle, one):
            yield csv_file.rows(period, page)
        yield csv_file.closing(period, one, now)


async def summaries_of(services: Services, caller: Wallet, period: Period, asset: str | None) -> list[Summary]:
    """The period of one asset, or of every asset that the wallet had or moved in it."""
    assets = services.settings.assets
    wanted = [assets.of_wallet(asset)] if asset is not None else assets.spendable()
    async with services.statement_slots.acquire(caller.handle), services.database.snapshot() as connection:
        found = await statement.summaries(connection, caller.handle, wanted, period)
    return [one for one in found if asset is not None or one.entries or one.closing.units]


def period_asked(month: str | None, begins: str | None, ends: str | None, time_zone: str) -> Period:
    """The period in the parameters. Raises InvalidRequest if there is none, or two."""
    check_time_zone(time_zone)
    if month is not None and begins is None and ends is None:
        return month_of(month, time_zone)
    first, last = period_of("from", begins, "until", ends)
    if month is not None or first is None or last is None:
        raise InvalidRequest("parameter", "say which period the statement is of: month, or from and until")
    return Period(first, last, time_zone)


def _download(caller: Wallet, period: Period, kind: str) -> dict[str, str]:
    """The headers of a file that a browser downloads (RFC 6266). Its name has only characters of handles, digits and
    hyphens.
    """
    name = f"statement-{caller.handle}-{period.name}.{kind}"
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
