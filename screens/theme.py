"""Four themes: dark for most, light for light terminals, contrast for tired eyes, colour-blind for eyes that see fewer
colours.

Tones are roles, not colours: good is told from bad by its hue and, always, by a glyph. Every tone stands out from every
ground by 4.5 : 1 at least (WCAG 2.2, 1.4.3), in true colour as well as in 256 and in 16 colours. The colours of
`colour-blind` come from Okabe and Ito, Color Universal Design (2008), lightened where the ground asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping

from rich.style import Style
from textual.theme import Theme

_DARK = {
    "ground": "#0e1216", "raised": "#161c22", "cursor": "#213243", "plain": "#c9d1d9", "strong": "#f0f4f8",
    "dim": "#949fab", "head": "#8fb3d9", "accent": "#6cb6ff", "ok": "#4fc08d", "warn": "#e3b341", "bad": "#ff7b6b",
    "gauge": "#7fb2dd", "track": "#949fab", "key": "#8fb3d9", "bar": "#161c22",
}  # fmt: skip
_LIGHT = {
    "ground": "#fbfbf8", "raised": "#efeee9", "cursor": "#d3e3f5", "plain": "#24292f", "strong": "#000000",
    "dim": "#555c63", "head": "#1f5f99", "accent": "#0b57a4", "ok": "#0a6640", "warn": "#6f4700", "bad": "#a8201a",
    "gauge": "#1d5f98", "track": "#555c63", "key": "#1f5f99", "bar": "#e6e8ea",
}  # fmt: skip
_CONTRAST = {
    "ground": "#000000", "raised": "#000000", "cursor": "#002b5c", "plain": "#ffffff", "strong": "#ffffff",
    "dim": "#d0d0d0", "head": "#ffff66", "accent": "#66ccff", "ok": "#33ffaa", "warn": "#ffcc00", "bad": "#ffa08a",
    "gauge": "#66ccff", "track": "#b8b8b8", "key": "#ffff66", "bar": "#222222",
}  # fmt: skip
_COLOUR_BLIND = {
    "ground": "#101418", "raised": "#182026", "cursor": "#22303e", "plain": "#d6dce2", "strong": "#ffffff",
    "dim": "#9aa4ae", "head": "#cc9fbd", "accent": "#cc9fbd", "ok": "#56b4e9", "warn": "#f0e442", "bad": "#ff8533",
    "gauge": "#2fb893", "track": "#949ea8", "key": "#cc9fbd", "bar": "#182026",
}  # fmt: skip
_COLOURS: Mapping[str, Mapping[str, str]] = {
    "dark": _DARK, "light": _LIGHT, "contrast": _CONTRAST, "colour-blind": _COLOUR_BLIND,
}  # fmt: skip

# The same roles where there are sixteen colours, whose looks the terminal decides: by the names of ANSI X3.64.
_ON_BLACK = {
    "ground": 0, "raised": 0, "bar": 0, "plain": 7, "strong": 15, "dim": 7, "head": 14, "accent": 14, "ok": 10,
    "warn": 11, "bad": 9, "gauge": 14, "track": 7, "key": 14,
}  # fmt: skip
_ON_WHITE = {
    "ground": 15, "raised": 15, "bar": 15, "plain": 0, "strong": 0, "dim": 0, "head": 4, "accent": 4, "ok": 4,
    "warn": 5, "bad": 1, "gauge": 4, "track": 0, "key": 4,
}  # fmt: skip
_SIXTEEN: Mapping[str, Mapping[str, int]] = {
    "dark": _ON_BLACK, "light": _ON_WHITE, "contrast": {**_ON_BLACK, "plain": 15, "dim": 15},
    "colour-blind": {**_ON_BLACK, "ok": 14, "gauge": 10, "head": 13, "accent": 13, "key": 13},
}  # fmt: skip
GROUNDS = frozenset({"ground", "raised", "bar", "cursor"})
_BOLD = frozenset({"strong", "head", "key"})

NAMES = tuple(_COLOURS)


def colours(name: str) -> Mapping[str, str]:
    """The colour of each role, as #rrggbb."""
    return _COLOURS[name]


def sixteen(name: str) -> Mapping[str, int]:
    """The number of each role among the sixteen ANSI colours. The cursor has none: it is shown by reversing."""
    return _SIXTEEN[name]


def tones(name: str) -> Mapping[str, Style]:
    """What each tone looks like in a theme. `banner` is the alarm bar; `cursor` lies under the chosen row."""
    colours = _COLOURS[name]
    styles = {tone: Style(color=colour, bold=tone in _BOLD or None) for tone, colour in colours.items()}
    styles["cursor"] = Style(bgcolor=colours["cursor"])
    styles["banner"] = Style(color=colours["ground"], bgcolor=colours["bad"], bold=True)
    styles["notice"] = Style(color=colours["ground"], bgcolor=colours["warn"], bold=True)
    styles["badly"] = Style(color=colours["bad"], bold=True)
    styles["chosen"] = Style(color=colours["strong"], bold=True, underline=True)
    return styles


def theme(name: str) -> Theme:
    """The same colours for Textual's own widgets."""
    colours = _COLOURS[name]
    return Theme(
        name=f"huntaze-{name}",
        primary=colours["accent"],
        secondary=colours["head"],
        accent=colours["accent"],
        foreground=colours["plain"],
        background=colours["ground"],
        surface=colours["raised"],
        panel=colours["bar"],
        success=colours["ok"],
        warning=colours["warn"],
        error=colours["bad"],
        dark=name != "light",
        variables={"dim": colours["dim"]},
    )
