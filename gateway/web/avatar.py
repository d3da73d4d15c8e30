"""The avatar of a name: a colour, a shape in a darker one, and initials, all derived from the name. Pure.

It depends on the name only, so that a person looks the same everywhere. Both colours are dark enough for white letters
(WCAG 2.2, 1.4.3): the lightness of each hue is computed from the contrast.
"""

import colorsys
import hashlib
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

#: The hues, in degrees, far enough apart to be distinguished; and the distance of the shape's hue from the
#: background's. There are no yellows, because one that is dark enough for white letters looks brown.
_HUES: Final = range(100, 361, 10)
_APART: Final = 20

#: The contrast of white with the background and with the shape; WCAG requires at least 4.5.
_GROUND: Final = 4.7
_SHAPE: Final = 7.0

#: Shapes as paths in a square of 44, which the page cuts to a circle. Each can be turned by quarters.
_SHAPES: Final = (
    "M0 22h44v22H0z",
    "M0 44L44 0v44z",
    "M34 -6a22 22 0 1 1 0 44a22 22 0 1 1 0-44z",
    "M0 12h44v20H0z",
    "M-2 30L30 -2h18L-2 48z",
    "M0 0h22v22h22v22H22V22H0z",
    "M0 28c8-8 14-8 22 0s14 8 22 0v16H0z",
    "M22 14L48 48H-4z",
    "M0 44a44 44 0 0 1 44-44v22a22 22 0 0 0-22 22z",
    "M6 6h14v14H6zM24 6h14v14H24zM6 24h14v14H6zM24 24h14v14H24z",
)


@dataclass(frozen=True, slots=True)
class Avatar:
    """Colours as `#rrggbb`, an SVG path in a square of 44, turned about its middle by `turn` degrees, and one or two
    letters.
    """

    ground: str
    colour: str
    shape: str
    turn: int
    letters: str


@lru_cache(maxsize=4_096)
def avatar_of(name: str) -> Avatar:
    """The avatar of a handle with its @, or of an address."""
    hue, shape, turn, *_ = hashlib.sha256(name.encode()).digest()
    ground = _HUES[hue % len(_HUES)]
    return Avatar(
        ground=_colour(ground, _GROUND),
        colour=_colour((ground + _APART) % 360, _SHAPE),
        shape=_SHAPES[shape % len(_SHAPES)],
        turn=turn % 4 * 90,
        letters=_letters(name),
    )


def _letters(name: str) -> str:
    """The first letters of a handle's first two words; of an address, the first hex digit."""
    if name.startswith("0x"):
        return name[2:3].upper()
    words = [word for word in name.removeprefix("@").split("_") if word]
    return "".join(word[0] for word in words[:2]).upper() or "?"


@cache
def _colour(hue: int, contrast: float) -> str:
    """The lightest colour of a hue with at least this contrast with white."""
    lightness = next(one for one in range(100, 0, -1) if contrast_of(_rgb(hue, one), (255, 255, 255)) >= contrast)
    return "#" + "".join(f"{one:02x}" for one in _rgb(hue, lightness))


def _rgb(hue: int, lightness: int) -> tuple[int, int, int]:
    red, green, blue = colorsys.hls_to_rgb(hue / 360, lightness / 100, 0.6)
    return round(red * 255), round(green * 255), round(blue * 255)


def contrast_of(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """The contrast of two colours, from 1 to 21 (WCAG 2.2, contrast ratio)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: tuple[int, int, int]) -> float:
    linear = [one / 255 / 12.92 if one <= 10 else ((one / 255 + 0.055) / 1.055) ** 2.4 for one in colour]
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))
