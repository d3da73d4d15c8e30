"""What a handle may be, however it is typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.identity.errors import InvalidHandle
from gateway.identity.handle import fold, is_folded

HANDLES = st.from_regex(r"[a-z0-9_]{2,30}", fullmatch=True)


@given(handle=HANDLES)
def test_a_handle_folds_to_itself_with_or_without_its_sign(handle: str) -> None:
    assert fold(handle) == fold("@" + handle) == fold(f"  @{handle.upper()} ") == handle
    assert is_folded(handle)


@given(text=st.text())
def test_whatever_is_typed_folds_to_a_handle_or_is_refused(text: str) -> None:
    try:
        handle = fold(text)
    except InvalidHandle:
        return
    assert is_folded(handle)
    assert fold(handle) == handle


@pytest.mark.parametrize(
    ("typed", "handle"), [("＠Ａｌｉｃｅ", "alice"), ("ｘ＿１", "x_1"), ("Kelvin", "kelvin"), ("ﬁx", "fix")]
)
def test_other_forms_of_the_same_letters_are_the_same(typed: str, handle: str) -> None:
    assert fold(typed) == handle


@pytest.mark.parametrize(
    "typed", ["аlice", "alicе", "αlice", "ａlice\u0301", "ali\u200bce", "alıce", "a\u0000b", "ⓐⓑ\u20dd", "ſun"]
)
def test_letters_that_only_look_like_others_are_refused(typed: str) -> None:
    with pytest.raises(InvalidHandle):
        fold(typed)


@pytest.mark.parametrize("typed", ["", "@", "a", "a" * 31, "@@ab", "a b", "a-b", "a.b", "bob" + " " * 300 + "eve"])
def test_what_is_too_short_too_long_or_in_pieces_is_refused(typed: str) -> None:
    with pytest.raises(InvalidHandle) as refusal:
        fold(typed)
    assert len(str(refusal.value)) < 200
