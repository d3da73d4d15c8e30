"""What a receipt says, and its PDF."""

import io
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace
from pypdf import PdfReader

from gateway.statements.pdf.maker import PdfMaker
from gateway.statements.receipt import Receipt

pytestmark = pytest.mark.anyio

AT = datetime(2026, 11, 30, 18, 30, tzinfo=UTC)
HASH = "0x" + "ab" * 32

PAID = Receipt(
    locale="en",
    time_zone="Asia/Bangkok",
    made_for="alice",
    made_at=AT,
    id="pay_01h455vb4pex5vsknk084sn02q",
    state="settled",
    from_="@alice",
    to="@shop",
    asset="EUR",
    amount="20.00",
    fee="0.20",
    refunded=None,
    refund_of=None,
    memo="socks",
    reference="order 1042",
    failure=None,
    created_at=AT,
    settled_at=AT,
    chain_id=None,
    tx_hash=None,
    block=None,
)


def said(of: Receipt) -> dict[str, str]:
    return {name: value.replace("\xa0", " ") for name, value, _ in of.facts()}


def test_it_says_who_paid_whom_how_much_and_for_what() -> None:
    assert (PAID.title(), PAID.warning(), PAID.total) == ("Receipt", "", "€20.00")
    assert said(PAID) == {
        "From": "@alice",
        "To": "@shop",
        "Amount": "€20.00",
        "Fee": "€0.20",
        "Amount and fee": "€20.20",
        "Date": "1 December 2026, 01:30 (GMT+07:00)",
        "State": "Settled",
        "Memo": "socks",
        "Reference": "order 1042",
        "Payment": PAID.id,
    }


def test_a_token_payments_receipt_names_the_chain_the_transaction_and_the_block() -> None:
    token = replace(PAID, asset="USDX", amount="20.000000", fee="0.000000", chain_id=1, tx_hash=HASH, block=1_573)
    on_chain = {"Network": "Ethereum", "Transaction": HASH, "Block": "1,573", "Fee": "none"}
    assert said(token) | on_chain == said(token)
    assert said(replace(token, chain_id=31337))["Network"] == "chain 31337"


@pytest.mark.parametrize("state", ["requires_confirmation", "held", "queued", "submitted", "failed", "voided"])
def test_one_of_a_payment_that_is_not_settled_says_that_it_proves_nothing(state: str) -> None:
    of = replace(PAID, state=state, settled_at=None)
    assert (of.title(), of.warning()) == ("Payment that is not settled", "This does not prove that anything was paid.")
    assert said(of)["State"] not in ("Settled", state)


def test_the_sum_of_a_large_amount_and_its_fee_is_exact() -> None:
    of = replace(PAID, asset="BIG", amount="1" + "0" * 40 + ".000001", fee="0.000001")
    assert said(of)["Amount and fee"].replace(",", "") == "1" + "0" * 40 + ".000002 BIG"


async def text_of(of: Receipt) -> str:
    reader = PdfReader(io.BytesIO(await PdfMaker().make(of)))
    return "\n".join(page.extract_text() for page in reader.pages).replace("\xa0", " ")


async def test_the_pdf_has_every_line() -> None:
    of = replace(PAID, tx_hash=HASH, chain_id=1, block=1_573, memo="o" * 280)
    text = await text_of(of)
    for one in ("Made at", "Page 1 of 1", *(word for fact in said(of).items() for word in fact if word != of.memo)):
        assert one in text, one
    assert text.count("o") > 280, "the whole memo"


async def test_a_thai_reader_has_thai_words_and_others_words_are_text() -> None:
    text = await text_of(replace(PAID, locale="th", memo="ขอบคุณ 🍜 \u202e\x07"))
    for one in ("หลักฐานการช", "ค่าธรรมเนียม", "2569"):
        assert one in text, one
    assert not {"\x07", "\u202e"} & set(text)


async def test_what_follows_thai_words_is_of_its_own_size() -> None:
    reader, sizes = PdfReader(io.BytesIO(await PdfMaker().make(replace(PAID, locale="th")))), dict[str, float]()
    reader.pages[0].extract_text(visitor_text=lambda text, _, __, ___, size: sizes.setdefault(text.strip(), size))
    assert (sizes["€20.00"], sizes["@alice"], sizes["order 1042"]) == (24, 10, 10)
