"""Three themes: dark for most, light for light terminals, high contrast for tired or differing eyes.

Tones are roles, not colours: good is told from bad by blue-green against orange-red and, always, by a glyph.
"""

from __future__ import annotations

from collections.abc import Mapping

from rich.style import Style
from textual.theme import Theme

_DARK = {
    "ground": "#0e1216", "raised": "#161c22", "cursor": "#213243", "plain": "#c9d1d9", "strong": "#f0f4f8",
    "dim": "#76818c", "head": "#8fb3d9", "accent": "#6cb6ff", "ok": "#4fc08d", "warn": "#e3b341", "bad": "#ff7b6b",
    "gauge": "#5794c9", "track": "#333d47", "key": "#8fb3d9", "bar": "#161c22",
}  # fmt: skip
_LIGHT = {
    "ground": "#fbfbf8", "raised": "#efeee9", "cursor": "#d3e3f5", "plain": "#24292f", "strong": "#000000",
    "dim": "#687078", "head": "#1f5f99", "accent": "#0b62b8", "ok": "#12724a", "warn": "#8a5a00", "bad": "#b3261e",
    "gauge": "#2f77b5", "track": "#c6c9cc", "key": "#1f5f99", "bar": "#e6e8ea",
}  # fmt: skip
_CONTRAST = {
    "ground": "#000000", "raised": "#000000", "cursor": "#003a75", "plain": "#ffffff", "strong": "#ffffff",
    "dim": "#c8c8c8", "head": "#ffff66", "accent": "#66ccff", "ok": "#33ffaa", "warn": "#ffcc00", "bad": "#ff8066",
    "gauge": "#66ccff", "track": "#777777", "key": "#ffff66", "bar": "#222222",
}  # fmt: skip
_COLOURS: Mapping[str, Mapping[str, str]] = {"dark": _DARK, "light": _LIGHT, "contrast": _CONTRAST}
_BOLD = frozenset({"strong", "head", "key"})

NAMES = tuple(_COLOURS)


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
    )
