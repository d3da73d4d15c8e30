"""What an error says to people who read no English."""

from datetime import UTC, datetime

from gateway.errors import InvalidRequest
from gateway.http.answer.problems import INTERNAL, PROBLEMS
from gateway.ledger.errors import InsufficientFunds
from gateway.money import Asset, Money
from gateway.web.problems import texts_of, why_of
from gateway.web.reader import Reader

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
    assert why_of(error, ENGLISH) == str(error)
    assert why_of(error, THAI) == "ยอดเงินไม่พอสำหรับรายการนี้"


def test_a_kind_says_more_than_its_code_and_a_kind_without_words_what_its_code_says() -> None:
    memo, other = (why_of(InvalidRequest(kind, "it is too long"), THAI) for kind in ("memo", "nonsense"))
    assert memo == "บันทึกช่วยจำยาวได้ไม่เกิน 280 ตัวอักษร และต้องอยู่ในบรรทัดเดียว"
    assert other == "ข้อมูลที่กรอกไม่ถูกต้อง โปรดตรวจสอบ"
