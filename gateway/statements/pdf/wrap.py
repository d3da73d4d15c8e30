"""Break text into lines for a PDF: at spaces, or else between clusters, so that no vowel or tone is separated from its
consonant (Unicode Standard Annex 29; Thai has no spaces between words). Pure.
"""

import unicodedata
from collections.abc import Callable, Iterator
from typing import Final

#: Vowels that are written before the consonant they follow in speech, and letters that never begin a line.
_LEADING: Final = frozenset("เแโใไ")
_TRAILING: Final = frozenset("ะาำๅๆฯ")


def wrap(text: str, width: float, width_of: Callable[[str], float], maximum: int) -> list[str]:
    """Return the text in at most `maximum` lines of this width; the last one ends in … if there is more."""
    lines, line, used = list[str](), list[str](), 0.0
    for cluster in clusters(text):
        wide = width_of(cluster)
        if line and used + wide > width:
            if len(lines) == maximum - 1:
                while line and used + width_of("…") > width:
                    used -= width_of(line.pop())
                return [*lines, "".join(line).rstrip() + "…"]
            rest = list[str]()
            if " " in line and cluster != " ":
                at = len(line) - line[::-1].index(" ")
                line, rest = line[:at], line[at:]
            lines.append("".join(line).rstrip())
            line, used = rest, sum(map(width_of, rest))
        if line or cluster != " ":
            line.append(cluster)
            used += wide
    return [*lines, "".join(line)] if line else lines


def clusters(text: str) -> Iterator[str]:
    """Yield the clusters, which are never broken."""
    cluster = ""
    for letter in text:
        joins = unicodedata.category(letter) in ("Mn", "Me") or letter in _TRAILING or letter == "\u200d"
        if cluster and not joins and cluster[-1] not in _LEADING:
            yield cluster
            cluster = ""
        cluster += letter
    if cluster:
        yield cluster
