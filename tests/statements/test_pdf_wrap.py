"""Lines are broken where readers of the script expect it, and no letter is lost."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from gateway.statements.pdf.wrap import clusters, wrap


def wide(cluster: str) -> float:
    return float(sum(unicodedata.category(letter) not in ("Mn", "Me") for letter in cluster))


def test_a_line_is_broken_at_a_space_where_there_is_one() -> None:
    assert wrap("lunch and dinner", 10, wide, 4) == ["lunch and", "dinner"]
    assert wrap("lunch", 10, wide, 4) == ["lunch"]
    assert wrap("", 10, wide, 4) == []


def test_what_has_no_spaces_is_broken_between_clusters() -> None:
    assert list(clusters("ที่นี่เก่าน้ำ")) == ["ที่", "นี่", "เก่า", "น้ำ"]
    assert wrap("ที่นี่เก่าน้ำ", 3, wide, 9) == ["ที่นี่", "เก่า", "น้ำ"]


def test_what_is_too_long_ends_in_an_ellipsis() -> None:
    assert wrap("abcdefghij", 4, wide, 2) == ["abcd", "efg…"]


@given(st.text(st.sampled_from("กขนเแ ่้ิีำา…ab"), max_size=60), st.integers(4, 12))
def test_no_letter_is_lost_and_no_line_begins_with_a_vowel_or_a_tone(text: str, width: int) -> None:
    text = text.lstrip("่้ิีำา ")
    lines = wrap(text, width, wide, 99)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(line[0] not in "่้ิีำา" for line in lines if line)
