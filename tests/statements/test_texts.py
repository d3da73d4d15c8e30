"""Every text of a statement in every language, with the same placeholders."""

from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir

import gateway.statements
from gateway.notifications.texts.language import SOURCE, catalogue
from gateway.notifications.vocabulary import LOCALES
from tests.web.test_texts import placeholders


def in_code() -> set[str]:
    folder = Path(gateway.statements.__file__).parent
    found = extract_from_dir(folder, [("**.py", "python")], keywords={"say": None}, strip_comment_tags=True)
    return {text for _, _, text, _, _ in found if isinstance(text, str)}


@pytest.mark.parametrize("locale", [one for one in LOCALES if one != SOURCE])
def test_every_text_is_translated_with_the_same_placeholders(locale: str) -> None:
    there = catalogue("gateway.statements", "statements", locale)
    assert there.keys() == in_code()
    for text, translated in there.items():
        assert translated.strip() == translated != "", text
        assert placeholders(translated) == placeholders(text), text
