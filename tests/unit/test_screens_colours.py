"""Every theme can be read, in every number of colours, and by eyes that see fewer of them."""

from __future__ import annotations

from itertools import combinations

import pytest
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.color import Color as TextualColor

from screens import theme as themes
from screens.shades import Shades, Triplet, contrast, nearest, of_256, shade
from screens.terminal import Depth

_AA = 4.5  # WCAG 2.2, 1.4.3
# What the sixteen look like where they are not configured: xterm's and the kernel console's (VGA).
_XTERM = [(0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205),
          (229, 229, 229), (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255),
          (0, 255, 255), (255, 255, 255)]  # fmt: skip
_VGA = [(0, 0, 0), (170, 0, 0), (0, 170, 0), (170, 85, 0), (0, 0, 170), (170, 0, 170), (0, 170, 170), (170, 170, 170),
        (85, 85, 85), (255, 85, 85), (85, 255, 85), (255, 255, 85), (85, 85, 255), (255, 85, 255), (85, 255, 255),
        (255, 255, 255)]  # fmt: skip
# How a dichromat sees linear RGB (Viénot, Brettel and Mollon 1999; tritanopia: Machado and others 2009).
_SEEN = {
    "protanopia": ((0.11238, 0.88762, 0.0), (0.11238, 0.88762, 0.0), (0.00401, -0.00401, 1.0)),
    "deuteranopia": ((0.29275, 0.70725, 0.0), (0.29275, 0.70725, 0.0), (-0.02234, 0.02234, 1.0)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)),
}


def rgb(colour: str) -> Triplet:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue


def texts(name: str) -> list[str]:
    return [tone for tone in themes.colours(name) if tone not in themes.GROUNDS]


@pytest.mark.parametrize("name", themes.NAMES)
@pytest.mark.parametrize("seen", [rgb, lambda colour: of_256(nearest(rgb(colour)))], ids=["true", "256"])
def test_every_tone_stands_out_from_every_ground(name: str, seen: object) -> None:
    assert callable(seen)
    colours = themes.colours(name)
    poor = {
        (tone, ground): round(found, 2)
        for tone in texts(name)
        for ground in themes.GROUNDS
        if (found := contrast(seen(colours[tone]), seen(colours[ground]))) < _AA
    }

    assert poor == {}
    assert all(contrast(seen(colours["ground"]), seen(colours[alarm])) >= _AA for alarm in ("bad", "warn"))


@pytest.mark.parametrize("name", themes.NAMES)
@pytest.mark.parametrize("palette", [_XTERM, _VGA], ids=["xterm", "console"])
def test_every_tone_stands_out_where_there_are_sixteen_colours(name: str, palette: list[Triplet]) -> None:
    """The chosen row is reversed there, so that its contrast is that of the row."""
    numbers = themes.sixteen(name)
    poor = {
        tone: round(found, 2)
        for tone in texts(name)
        for ground in ("ground", "raised", "bar")
        if (found := contrast(palette[numbers[tone]], palette[numbers[ground]])) < _AA
    }

    assert poor == {}


@pytest.mark.parametrize("eyes", list(_SEEN))
def test_good_and_bad_differ_for_every_eye_in_the_colour_blind_theme(eyes: str) -> None:
    colours = themes.colours("colour-blind")

    for one, two in combinations(("ok", "warn", "bad", "dim"), 2):
        assert _apart(_dichromat(colours[one], eyes), _dichromat(colours[two], eyes)) > 18, (one, two)


def test_the_colours_come_from_the_theme_in_sixteen() -> None:
    bad = shade(Style(color=themes.colours("dark")["bad"]), "16", "dark")

    assert bad.color == Color.from_ansi(9)


@pytest.mark.parametrize("depth", ["16", "none"])
def test_the_chosen_row_is_reversed_where_its_ground_cannot_be_told(depth: Depth) -> None:
    cursor = themes.tones("dark")["plain"] + themes.tones("dark")["cursor"]

    assert shade(cursor, depth, "dark").reverse


@pytest.mark.parametrize("name", themes.NAMES)
def test_without_colours_none_is_left_and_alarms_are_told_by_weight(name: str) -> None:
    tones = themes.tones(name)
    line = [Segment(tone, tones[tone] + Style(bgcolor=themes.colours(name)["bar"])) for tone in tones]

    found = {text: style for text, style, _ in Shades("none", name).apply(line, TextualColor(0, 0, 0)) if style}

    assert all(style.color is None and style.bgcolor is None for style in found.values())
    assert found["bad"].bold
    assert found["warn"].bold
    assert found["dim"].dim
    assert not found["plain"].bold
    assert not found["plain"].reverse
    banner = shade(tones["banner"], "none", name)
    assert banner.reverse
    assert banner.bold


def test_what_a_widget_of_textual_marks_is_marked_without_colours_too() -> None:
    """Its own blends of the theme's colours are in no table of ours."""
    marked = shade(Style(color="#0e1216", bgcolor="#5fa0e0"), "none", "dark")
    ordinary = shade(Style(color="#c9d1d9", bgcolor="#181f26"), "none", "dark")

    assert marked.reverse
    assert not ordinary.reverse


def test_links_and_other_meaning_of_a_style_stay() -> None:
    style = Style(color="#4fc08d", meta={"@click": ("app", "x", ())})

    assert shade(style, "256", "dark").meta == style.meta


def _linear(colour: str) -> list[float]:
    return [part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in rgb(colour)]


def _dichromat(colour: str, eyes: str) -> list[float]:
    linear = _linear(colour)
    return [
        min(1.0, max(0.0, sum(weight * part for weight, part in zip(row, linear, strict=True)))) for row in _SEEN[eyes]
    ]


def _apart(one: list[float], two: list[float]) -> float:
    """The distance of two colours in CIE L*a*b* (1976, D65)."""
    return sum((a - b) ** 2 for a, b in zip(_lab(one), _lab(two), strict=True)) ** 0.5


def _lab(linear: list[float]) -> tuple[float, float, float]:
    red, green, blue = linear
    x, y, z = (
        _curve(part)
        for part in (
            (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047,
            0.2126 * red + 0.7152 * green + 0.0722 * blue,
            (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883,
        )
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _curve(part: float) -> float:
    return float(part ** (1 / 3)) if part > 0.008856 else 7.787 * part + 16 / 116
