"""The theme's colours on terminals with fewer of them: 256, sixteen, or none at all.

Where there are none a state is told by its glyph and by bold and dim, and the chosen row, a banner or a field is
reversed. A mapping works on finished lines, so Textual's own widgets follow it too.
"""

from __future__ import annotations

from functools import lru_cache

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.color import Color as TextualColor
from textual.filter import LineFilter

from screens import theme as themes
from screens.terminal import Depth

Triplet = tuple[int, int, int]
_STEPS = (0, 95, 135, 175, 215, 255)  # of the colour cube, 16 to 231; 232 to 255 are greys
_STANDS_OUT = 1.6  # a ground this far from the theme's own is there to be seen


class Shades(LineFilter):
    """Turns a theme's true colours into what the terminal has."""

    def __init__(self, depth: Depth, theme: str) -> None:
        super().__init__(enabled=depth != "true")
        self._depth, self._theme = depth, theme

    def apply(self, segments: list[Segment], background: TextualColor) -> list[Segment]:
        depth, theme = self._depth, self._theme
        return [Segment(text, style and shade(style, depth, theme), control) for text, style, control in segments]


@lru_cache(maxsize=2_048)
def shade(style: Style, depth: Depth, theme: str) -> Style:
    """One style with the colours of a depth; links and other meaning stay."""
    if depth == "true":
        return style
    return {"256": _shade_256, "16": _shade_16, "none": _shade_none}[depth](style, theme)


def _shade_256(style: Style, theme: str) -> Style:
    def near(color: Color | None) -> Color | None:
        return Color.from_ansi(nearest(color.triplet)) if color is not None and color.triplet else color

    return _recoloured(style, near(style.color), near(style.bgcolor))


def _shade_16(style: Style, theme: str) -> Style:
    known = _numbers(theme)
    cursor = style.bgcolor is not None and _hex(style.bgcolor) == themes.colours(theme)["cursor"]
    ground = themes.sixteen(theme)["ground"]

    def near(color: Color | None, *, back: bool) -> int | None:
        if color is None or not color.triplet:
            return None
        number = known.get(_hex(color))
        if number is not None:
            return number
        if back:
            far = contrast(color.triplet, _triplet(themes.colours(theme)["ground"])) >= _STANDS_OUT
            return themes.sixteen(theme)["plain"] if far else ground
        return themes.sixteen(theme)["plain"]

    fore, back = near(style.color, back=False), ground if cursor else near(style.bgcolor, back=True)
    if fore is not None and fore == back:  # both fell on one colour: the text must be seen
        fore = ground if back != ground else themes.sixteen(theme)["plain"]
    new = _recoloured(
        style,
        None if fore is None else Color.from_ansi(fore),
        None if back is None else Color.from_ansi(back),
    )
    return new + Style(reverse=True) if cursor else new


def _shade_none(style: Style, theme: str) -> Style:
    colours = themes.colours(theme)
    fore = _hex(style.color) if style.color is not None else ""
    found = Style()
    if fore in (colours["dim"], colours["track"]):
        found = Style(dim=True)
    elif fore in (colours["bad"], colours["warn"]):
        found = Style(bold=True)
    if style.bgcolor is not None and _stands_out(style.bgcolor, theme):
        found += Style(reverse=not style.reverse, dim=False)
    return _recoloured(style, None, None) + found


def _stands_out(color: Color, theme: str) -> bool:
    colours = themes.colours(theme)
    if not color.triplet or _hex(color) == colours["cursor"]:
        return bool(color.triplet)
    return contrast(color.triplet, _triplet(colours["ground"])) >= _STANDS_OUT


def _recoloured(style: Style, fore: Color | None, back: Color | None) -> Style:
    """The style with other colours; None leaves the terminal's own."""
    new = style.without_color + Style.from_color(fore, back)
    return new + Style.from_meta(style.meta) if style.meta else new


@lru_cache(maxsize=8)
def _numbers(theme: str) -> dict[str, int]:
    numbers = themes.sixteen(theme)
    return {colour: numbers[tone] for tone, colour in themes.colours(theme).items() if tone in numbers}


def _hex(color: Color) -> str:
    return color.triplet.hex if color.triplet else ""


def _triplet(colour: str) -> Triplet:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


@lru_cache(maxsize=2_048)
def nearest(wanted: Triplet) -> int:
    """The number of the nearest of the 240 colours that every terminal with 256 agrees on."""
    cube = tuple(min(range(6), key=lambda at: abs(_STEPS[at] - part)) for part in wanted)
    grey = min(23, max(0, (sum(wanted) // 3 - 3) // 10))
    one = 16 + 36 * cube[0] + 6 * cube[1] + cube[2]
    return min((one, 232 + grey), key=lambda number: _distance(wanted, of_256(number)))


def of_256(number: int) -> Triplet:
    """What one of the upper 240 colours looks like."""
    if number >= 232:
        return (8 + 10 * (number - 232),) * 3
    at = number - 16
    return _STEPS[at // 36], _STEPS[at // 6 % 6], _STEPS[at % 6]


def _distance(one: Triplet, two: Triplet) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, two, strict=True))


def contrast(one: Triplet, two: Triplet) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2, relative luminance)."""
    darker, lighter = sorted((_luminance(one), _luminance(two)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Triplet) -> float:
    red, green, blue = (part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
