"""Every text in every language, with the same placeholders; amounts and times as people write them."""

import string
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import gateway.notifications
from gateway.events.log import LoggedEvent
from gateway.notifications.kinds import TYPES, notification_of
from gateway.notifications.texts import language
from gateway.notifications.texts.language import SOURCE, Language
from gateway.notifications.texts.messages import Reader, code_message, message
from gateway.notifications.vocabulary import LOCALES

AT = datetime(2030, 1, 31, 12, tzinfo=UTC)
OTHERS = [locale for locale in LOCALES if locale != SOURCE]

MONEY = {"from": "@alice", "to": "@bob", "amount": "10.00", "asset": "EUR", "tx_hash": "0x", "approval": ["policy"]}
FACTS: dict[str, dict[str, Any]] = {
    "payment.requires_confirmation": {**MONEY, "expires_at": "2030-01-31T12:15:00.000000Z"},
    "ledger.corrected": {**MONEY, "debit": "wallet:alice:EUR", "credit": "suspense:EUR", "reason": "because"},
    "request.declined": {**MONEY, "from": "@bob", "to": "@alice"},
    "session.started": {"session": "ses_1", "sign_in_method": "passkey"},
    "session.ended": {"session": "ses_1", "why": "stolen"},
    "api_key.created": {"key": "key_1", "name": "Shop", "scopes": ["read"]},
    "api_key.replaced": {"key": "key_1", "name": "Shop", "scopes": ["read"]},
    "wallet.bound": {"address": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"},
    "policy.changed": {"loosened": True},
    **{f"passkey.{verb}": {"passkey": "psk_1", "name": "Laptop"} for verb in ("added", "revoked", "stopped")},
    **{f"notification_address.{verb}": {"channel": "email"} for verb in ("added", "removed", "failed")},
}


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def in_code() -> set[str]:
    """Every text that is said somewhere."""
    folder = Path(gateway.notifications.__file__).parent
    found = {text for _, _, text, _, _ in extract_from_dir(folder, [("**.py", "python")], keywords={"say": None})}
    assert len(found) > 50
    return found


def catalogue(locale: str) -> Mapping[str, str]:
    po = files(language.__package__).joinpath("locale", locale, "LC_MESSAGES", "notifications.po")
    return {one.id: one.string for one in read_po(BytesIO(po.read_bytes()), locale, abort_invalid=True) if one.id}


@pytest.mark.parametrize("locale", OTHERS)
def test_every_text_is_translated_with_the_same_placeholders(locale: str) -> None:
    there = catalogue(locale)
    assert there.keys() == in_code()
    for text, translated in there.items():
        assert translated.strip() == translated != "", text
        assert placeholders(translated) == placeholders(text), text
        assert translated != text, text


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("kind", TYPES)
def test_every_event_that_people_are_told_of_has_words(kind: str, locale: str) -> None:
    event = LoggedEvent(7, kind, UUID(int=1), FACTS.get(kind, MONEY), AT, 1)
    told = notification_of(event, "alice")
    assert told is not None
    made = message(told, Reader("alice", Language(locale), "https://pay.example"), "https://pay.example/report#t")
    for text in (made.title, *made.lines, *made.footer, *(link.label for link in made.links)):
        assert text.strip() == text != ""
        assert "{" not in text
    if locale == "th":
        assert any("\u0e00" <= letter <= "\u0e7f" for letter in made.title)


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("session.ended", {"why": "signed_out"}),
        ("policy.changed", {"loosened": False}),
        ("payment.requires_confirmation", {"from": "@alice", "to": "@bob"}),
        ("payment.requires_confirmation", {**MONEY, "from": "@bob", "to": "@alice"}),
        ("payment.held", {**MONEY, "from": "@bob", "to": "@alice"}),
        ("payment.submitted", MONEY),
        ("request.created", {**MONEY, "from": "@bob", "to": "@alice"}),
        ("request.declined", {**MONEY, "from": "@alice", "to": "@bob"}),
        ("request.paid", MONEY),
        ("webhook.test", {}),
    ],
)
def test_nobody_is_told_of_the_rest(kind: str, payload: dict[str, Any]) -> None:
    assert notification_of(LoggedEvent(7, kind, UUID(int=1), payload, AT, 1), "alice") is None


@pytest.mark.parametrize(
    ("locale", "amount", "asset", "shown"),
    [
        ("en", "1234567.50", "EUR", "€1,234,567.50"),
        ("en", "1234.50", "THB", "THB\u00a01,234.50"),
        ("th", "1234.50", "THB", "฿1,234.50"),
        ("en", "1200", "JPY", "¥1,200"),
        ("en", "0.001", "KWD", "KWD\u00a00.001"),
        ("en", "1234.500000", "USDX", "1,234.50\u00a0USDX"),
        ("th", "0.000001", "USDX", "0.000001\u00a0USDX"),
        ("en", "115792089237316195423570985008687907853269984665640564039457.584007913129639935", "BIGX", None),
    ],
)
def test_an_amount_is_written_as_people_do_and_never_rounded(
    locale: str, amount: str, asset: str, shown: str | None
) -> None:
    written = Language(locale).amount(amount, asset)
    if shown is not None:
        assert written == shown
    digits = "".join(letter for letter in written if letter.isdigit() or letter == ".")
    assert digits.rstrip("0").rstrip(".") == (amount.rstrip("0").rstrip(".") if "." in amount else amount).rstrip("0")


@pytest.mark.parametrize(
    ("locale", "zone", "shown"),
    [
        ("en", "UTC", "31 January 2030, 12:00 (GMT+00:00)"),
        ("en", "Europe/Berlin", "31 January 2030, 13:00 (GMT+01:00)"),
        ("th", "Asia/Bangkok", "31 มกราคม พ.ศ. 2573, 19:00 น. (GMT+07:00)"),
    ],
)
def test_a_time_is_written_in_the_reader_s_zone(locale: str, zone: str, shown: str) -> None:
    assert Language(locale, zone).time(AT) == shown


def test_the_year_of_the_buddhist_era_is_that_of_the_reader_s_date() -> None:
    at = datetime(2030, 12, 31, 17, 30, tzinfo=UTC)
    assert Language("th", "Asia/Bangkok").time(at) == "1 มกราคม พ.ศ. 2574, 00:30 น. (GMT+07:00)"
    assert Language("th", "UTC").time(at) == "31 ธันวาคม พ.ศ. 2573, 17:30 น. (GMT+00:00)"


def test_other_people_s_words_write_no_screen_and_no_format() -> None:
    said = Language("en").say("A new key takes the place of the key “{name}”.", name="a\r\nBcc: x\u202e{handle}")
    assert said == "A new key takes the place of the key “a\\r\\nBcc: x\\u202e{handle}”."


def test_a_code_is_in_the_title_and_beside_it() -> None:
    made = code_message("ndl_1", "049320", Reader("alice", Language("th", "Asia/Bangkok"), "https://pay.example"), AT)
    assert "049320" in made.title
    assert (made.code, made.kind, made.unsubscribe_url) == ("049320", None, None)
