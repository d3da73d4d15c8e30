"""The database's rule of what looks alike, compared with the data of UTS 39 (confusables.txt), all of Unicode."""

import re
import sys
import unicodedata
from itertools import product
from string import ascii_lowercase, digits

import pytest
from confusable_homoglyphs import confusables

from gateway.identity.errors import InvalidHandle
from gateway.identity.handle import fold
from gateway.postgres.pool import Database

pytestmark = pytest.mark.anyio

LETTERS = ascii_lowercase + digits + "_"


def alike(letter: str) -> set[str]:
    """What UTS 39 says a letter can be taken for, among texts of ASCII."""
    found = confusables.is_confusable(letter, greedy=True, preferred_aliases=[]) or [{"homoglyphs": []}]
    return {one["c"] for one in found[0]["homoglyphs"] if one["c"].isascii()}


async def skeletons(database: Database, texts: list[str]) -> list[str]:
    async with database.reading() as connection:
        rows = await connection.fetch(
            "SELECT confusable_skeleton(text) AS skeleton FROM unnest($1::text[]) AS text", texts
        )
    return [row["skeleton"] for row in rows]


async def test_what_the_standard_says_looks_alike_has_one_look_in_every_case(database: Database) -> None:
    pairs = {
        (letter, like.lower())
        for letter in LETTERS
        for spelled in (letter, letter.upper())
        for like in alike(spelled)
        if set(like.lower()) <= set(LETTERS)
    }
    assert {("0", "o"), ("i", "l"), ("1", "l"), ("m", "rn")} <= pairs
    ones, others = [await skeletons(database, list(side)) for side in zip(*sorted(pairs), strict=True)]
    assert ones == others


async def test_no_other_two_letters_have_one_look(database: Database) -> None:
    shown = dict(zip(LETTERS, await skeletons(database, list(LETTERS)), strict=True))
    same = {frozenset(pair) for pair in product(LETTERS, repeat=2) if shown[pair[0]] == shown[pair[1]]}
    groups = {frozenset(two) for two in ("0o", "1l", "il", "1i")} | {frozenset(one) for one in LETTERS}
    assert same == groups
    assert await skeletons(database, ["vv", "v_v", "_a__b_"]) == [shown["w"], shown["w"], "ab"]


async def test_every_sign_that_is_taken_for_a_letter_looks_like_that_letter(database: Database) -> None:
    """Whatever folds to letters of handles, and looks like others to the standard, is refused."""
    checked: list[tuple[str, str, str]] = []
    for code in range(128, sys.maxunicode + 1):
        sign = chr(code)
        if not re.fullmatch(r"[a-z0-9_]+", unicodedata.normalize("NFKC", sign).casefold()):
            continue
        try:
            folded = fold(f"a{sign}b")[1:-1]
        except InvalidHandle:
            assert sign == "\u017f", f"{sign!r} is refused and looks like nothing else"
            continue
        checked += [(sign, folded, like.lower()) for like in alike(sign)]
    assert len(checked) > 800
    signs, folded_, likes = (list(column) for column in zip(*checked, strict=True))
    ones, others = await skeletons(database, folded_), await skeletons(database, likes)
    assert [sign for sign, one, other in zip(signs, ones, others, strict=True) if one != other] == []
