"""Why a payment failed, in the reader's language."""

import re
from datetime import UTC, datetime

import pytest

from gateway.chain.token import failure
from gateway.chain.token.contract import slug
from gateway.web.failures import failure_of, failures_in
from gateway.web.language import LANGUAGES
from gateway.web.reader import Reader
from tests.running import ROOT

THAI, ENGLISH = (Reader(locale, "UTC", datetime(2026, 1, 1, tzinfo=UTC)) for locale in ("th", "en"))


def of_the_contract() -> set[str]:
    """What the contract says of an entry of a batch that it skips."""
    source = (ROOT / "contracts" / "src" / "Token.sol").read_text()
    named = re.findall(r"(?:_skip\(from, nonce, |return )(\w+)\.selector", source)
    assert {"ERC20InsufficientBalance", "MintTooLarge", "ERC3009InvalidSignature"} <= {*named}
    return {slug(name) for name in named}


@pytest.mark.parametrize("locale", LANGUAGES)
def test_every_failure_has_words_in_every_language(locale: str) -> None:
    assert failures_in(locale).keys() == failure.OF_GATEWAY | of_the_contract()
    assert all(failures_in(locale).values())


def test_no_failure_is_said_in_english_to_who_reads_thai() -> None:
    for code, text in failures_in("th").items():
        assert text != failures_in("en")[code]
        assert not re.search(r"[A-Za-z]", text), text


def test_a_code_without_words_is_told_as_a_refusal_and_never_shown() -> None:
    assert failure_of("unknown_a9059cbb", ENGLISH) == "The token's contract refused it."
    assert failure_of("unknown_a9059cbb", THAI) == "สัญญาของโทเคนปฏิเสธรายการนี้"


def test_every_code_of_the_gateway_is_listed() -> None:
    assert {value for name, value in vars(failure).items() if name.isupper() and isinstance(value, str)} == (
        failure.OF_GATEWAY
    )
