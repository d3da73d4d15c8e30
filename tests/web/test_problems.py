"""What an error says to people, in their language."""

import re
from datetime import UTC, datetime

import pytest

from gateway.errors import IdempotencyKeyInProgress, InvalidRequest, NotFound, kinds
from gateway.http.answer.problems import INTERNAL, PROBLEMS, problem_of
from gateway.ledger.errors import InsufficientFunds
from gateway.money import Asset, Money
from gateway.web.problems import sentence, texts_of, why_of
from gateway.web.reader import Reader
from tests.web.conftest import Site, Visitor

pytestmark = pytest.mark.anyio

#: Codes of requests that no page makes.
OF_PROGRAMS = {
    *("body_too_large", "idempotency_key_missing", "method_not_allowed", "nonce_taken", "precondition_failed"),
    "unsupported_media_type",
}

THAI, ENGLISH = (Reader(locale, "UTC", datetime(2026, 1, 1, tzinfo=UTC)) for locale in ("th", "en"))


def test_every_code_that_a_page_can_be_answered_has_words() -> None:
    codes = {problem.code for problem in (*PROBLEMS.values(), INTERNAL)}
    assert codes - texts_of("th").keys() == OF_PROGRAMS
    assert {key.partition(":")[0] for key in texts_of("th")} <= codes


def test_an_error_is_said_in_the_readers_language_and_in_english_with_its_values() -> None:
    eur = Asset("EUR", "fiat", 2)
    error = InsufficientFunds("wallet:alice:EUR", Money(500, eur), Money(100, eur))
    assert why_of(error, ENGLISH) == f"{error}."
    assert why_of(error, THAI) == "ยอดเงินไม่พอสำหรับรายการนี้"
    assert why_of(NotFound("such key"), ENGLISH) == "There is no such key."


def test_a_sentence_for_a_program_is_said_to_people_in_other_words() -> None:
    error = IdempotencyKeyInProgress("pay-1")
    assert "Idempotency-Key" in str(error)
    assert why_of(error, ENGLISH) == "It is under way already. Wait a moment and look again."
    assert why_of(error, THAI) == "กำลังดำเนินการอยู่แล้ว รอสักครู่แล้วดูอีกครั้ง"


def test_no_english_reader_is_told_of_headers_or_to_send_a_request() -> None:
    """Each error of a code that a page can be answered, but those that are all reason."""
    for kind in kinds():
        code = problem_of(kind.__new__(kind)).code
        if code in texts_of("th").keys() - texts_of("en").keys():
            assert not re.search(r"Idempotency-Key|Authorization|send the (same )?request|challenge", kind.message), (
                kind
            )


SENTENCES = {
    "there is no handle @bob": "There is no handle @bob.",
    "this machine's clock agrees": "This machine's clock agrees.",
    "payer and payee are both @bob: name another handle": "Payer and payee are both @bob: name another handle.",
    "@bob is taken; choose another handle": "@bob is taken; choose another handle.",
    "pay_01m8 is settled": "pay_01m8 is settled.",
    "127.0.0.1 is not a public address": "127.0.0.1 is not a public address.",
    "Try again!": "Try again!",
    "": "",
}


async def test_pages_and_their_scripts_say_an_error_as_the_same_sentence(site: Site, visitor: Visitor) -> None:
    await visitor.page.goto("/sign-in")
    said = (
        "async (of) => { const { why } = await import('/static/words.js'); return of.map((detail) => why({ detail })) }"
    )
    assert await visitor.page.evaluate(said, list(SENTENCES)) == list(SENTENCES.values())
    assert [sentence(text) for text in SENTENCES] == list(SENTENCES.values())


def test_a_kind_says_more_than_its_code_and_a_kind_without_words_what_its_code_says() -> None:
    memo, other = (why_of(InvalidRequest(kind, "it is too long"), THAI) for kind in ("memo", "nonsense"))
    assert memo == "บันทึกช่วยจำยาวได้ไม่เกิน 280 ตัวอักษร และต้องอยู่ในบรรทัดเดียว"
    assert other == "ข้อมูลที่กรอกไม่ถูกต้อง โปรดตรวจสอบ"
