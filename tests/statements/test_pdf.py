"""PDFs: what stands on the pages, and the process that makes them."""

import asyncio
import io
import re
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import msgspec
import psutil
import pytest
from pypdf import PdfReader

from gateway.statements.errors import TooManyPdfs
from gateway.statements.pdf.document import PdfAccount, PdfDocument, PdfLine
from gateway.statements.pdf.maker import PdfMaker
from tests.processes import HANG_SECONDS

pytestmark = pytest.mark.anyio

BEGINS = datetime(2026, 10, 31, 17, tzinfo=UTC)
MADE_AT = datetime(2026, 12, 1, 1, 30, tzinfo=UTC)


def document(*lines: PdfLine, locale: str = "en", asset: str = "EUR") -> PdfDocument:
    account = PdfAccount(asset, "0.00", "10.00", "2.50", "7.50", list(lines))
    days = date(2026, 11, 1), date(2026, 11, 30)
    return PdfDocument(locale, "Asia/Bangkok", "alice", *days, True, MADE_AT, [account])


def line(number: int = 0, memo: str | None = None, person: str | None = "@bob") -> PdfLine:
    return PdfLine(BEGINS + timedelta(minutes=number), "payment", person, memo, f"-{number}.50", f"{1000 + number}.25")


async def pages_of(of: PdfDocument) -> list[str]:
    reader = PdfReader(io.BytesIO(await PdfMaker().make(of)))
    assert {(round(page.mediabox.width), round(page.mediabox.height)) for page in reader.pages} == {(595, 842)}, "A4"
    return [page.extract_text() for page in reader.pages]


async def test_every_entry_is_there_in_order_with_the_balance_after_it() -> None:
    pages = await pages_of(document(*(line(number) for number in range(60))))
    text = "\n".join(pages)
    assert [int(found) for found in re.findall(r"-€(\d+)\.50", text)] == list(range(60))
    assert [int(found.replace(",", "")) for found in re.findall(r"€(1,\d+)\.25", text)] == list(range(1000, 1060))
    for place, page in enumerate(pages, 1):
        assert f"Page {place} of {len(pages)}" in page
        assert "@alice · November 2026" in page
        assert "Balance" in page
    for said in (
        "Opening balance",
        "€0.00",
        "€10.00",
        "€2.50",
        "€7.50",
        "Made at 1 December 2026, 08:30",
        "Nov 1, 2026",
    ):
        assert said in pages[0], said
    assert len(pages) > 2


async def test_a_thai_reader_has_thai_words_and_years() -> None:
    (page,) = await pages_of(document(line(), locale="th"))
    for said in ("รายการเดินบัญชี", "พฤศจิกายน 2569", "ยอดยกมา", "หน้า 1 จาก 1", "1 พ.ย. 2569"):
        assert said in page, said


async def test_a_vowel_above_a_tall_consonant_is_placed_beside_its_stem() -> None:
    """HarfBuzz takes another glyph of the same vowel above a consonant that is tall: so the file has two of it."""
    made = PdfReader(io.BytesIO(await PdfMaker().make(document(line(memo="ปั่นที่นั่น")))))
    fonts = made.pages[0]["/Resources"]["/Font"].get_object()  # type: ignore[index,union-attr]
    (thai,) = [one.get_object() for one in fonts.values() if "Thai" in str(one.get_object()["/BaseFont"])]
    letters = thai["/ToUnicode"].get_object().get_data().decode()
    assert letters.count("<0E31>") == 2, letters


@pytest.mark.parametrize("memo", ["🍜 日本 \u202e\x07\r\n=1+1", "o" * 280, "", "(\\) endstream endobj"])
async def test_what_others_wrote_is_text_and_fits(memo: str) -> None:
    (page,) = await pages_of(document(line(memo=memo, person="0x" + "7" * 40)))
    assert "0x" + "7" * 40 in page
    assert "\x07" not in page
    assert "\u202e" not in page


async def test_a_large_amount_of_a_token_is_all_there() -> None:
    great = "1" + "0" * 40 + "." + "0" * 17 + "1"
    account = PdfAccount("BIG", great, "0", "0", great, [PdfLine(BEGINS, "payment", "@bob", None, great, great)])
    of = document()
    of.accounts = [account]
    (page,) = await pages_of(of)
    assert page.replace(",", "").count(great) == 4


async def test_of_nothing_there_is_a_page_too() -> None:
    of = document()
    of.accounts = []
    assert "Nothing was there" in (await pages_of(of))[0]


async def test_its_process_ends_with_the_request_that_was_given_up() -> None:
    before = set(psutil.Process().children())
    making = asyncio.create_task(PdfMaker().make(document(*(line(number) for number in range(100_000)))))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):  # not enough to hand all of it over
            await asyncio.shield(making)
    (found,) = set(psutil.Process().children()) - before
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    gone, _ = psutil.wait_procs([found], timeout=HANG_SECONDS)
    assert gone == [found]


async def test_more_than_a_few_do_not_wait() -> None:
    maker, asked = PdfMaker(), [document(line()) for _ in range(9)]
    for number, of in enumerate(asked):
        of.handle = f"person_{number}"
    waiting = [asyncio.create_task(maker.make(of)) for of in asked]
    done, others = await asyncio.wait(waiting, return_when=asyncio.FIRST_EXCEPTION)
    (refused,) = [one for one in done if one.exception()]
    assert isinstance(refused.exception(), TooManyPdfs)
    for one in others:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_one_wallet_does_not_take_the_places_of_all() -> None:
    maker, others = PdfMaker(), document(line())
    others.handle = "bob"
    waiting = [asyncio.create_task(maker.make(document(line()))) for _ in range(3)]
    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_EXCEPTION)
    assert [type(one.exception()) for one in done if one.exception()] == [TooManyPdfs]
    assert (await maker.make(others)).startswith(b"%PDF")
    await asyncio.gather(*waiting, return_exceptions=True)
    assert (await maker.make(document(line()))).startswith(b"%PDF")


async def test_what_the_process_cannot_read_is_an_error_of_ours() -> None:
    of = document()
    of.time_zone = "Mars/Olympus"
    with pytest.raises(RuntimeError, match="no PDF was made"):
        await PdfMaker().make(of)


def test_its_process_imports_nothing_of_the_ledger_keys_chain_or_database() -> None:
    """It would take as long again as all that it needs."""
    code = "import sys, gateway.statements.pdf.process; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    imported = {".".join(name.split(".")[:2]) for name in ran.stdout.split()}
    assert "gateway.statements" in imported
    assert imported & {"gateway.ledger", "gateway.keys", "gateway.chain", "gateway.postgres", "asyncpg"} == set()


#: Runs the process as `SystemCallFilter=~@resources` of the systemd unit has it: setting a priority is refused (EPERM).
CONFINED = """
import ctypes, os, runpy, struct
number = {"x86_64": 141, "aarch64": 140}[os.uname().machine]  # setpriority(2)
filters = struct.pack("HBBI" * 4, 0x20, 0, 0, 0, 0x15, 0, 1, number, 0x06, 0, 0, 0x50001, 0x06, 0, 0, 0x7FFF0000)
code = ctypes.create_string_buffer(filters)
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 4, ctypes.addressof(code)))
prctl = ctypes.CDLL(None).prctl
assert prctl(38, 1, 0, 0, 0) == 0 and prctl(22, 2, program, 0, 0) == 0  # no new privileges; a filter (seccomp(2))
try:
    os.nice(1)
    raise SystemExit("the filter does not hold")
except PermissionError:
    runpy.run_module("gateway.statements.pdf.process", run_name="__main__")
"""


def test_where_no_priority_can_be_set_a_pdf_is_made_all_the_same() -> None:
    given = msgspec.json.encode(document(line()))
    made = subprocess.run([sys.executable, "-I", "-c", CONFINED], input=given, capture_output=True, check=False)
    assert (made.returncode, made.stdout[:5]) == (0, b"%PDF-"), made.stderr.decode()
