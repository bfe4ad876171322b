"""What the terminal at the other end can show, as far as the environment tells. Pure.

Nothing is asked of the terminal itself: an answer takes a journey over the link, and some never come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Depth = Literal["true", "256", "16", "none"]
Within = Literal["", "tmux", "screen"]

_NO_COLOURS = ("vt100", "vt102", "vt220", "vt320", "dumb", "unknown")
_NO_UNICODE = ("linux", "vt100", "vt102", "vt220", "vt320", "ansi", "dumb", "cons25", "sun", "wyse")
_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")  # what Python itself sets LC_CTYPE to where the locale is C (PEP 538)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """`depth` is how many colours; without `unicode` only ASCII is drawn; `within` is what stands between."""

    depth: Depth = "true"
    unicode: bool = True
    within: Within = ""


def read_terminal(environ: Mapping[str, str], *, ascii_only: bool | None = None) -> Terminal:
    """The terminal of an environment. `ascii_only` decides where it is not None."""
    within = _within(environ)
    return Terminal(
        depth=_depth(environ), unicode=_unicode(environ) if ascii_only is None else not ascii_only, within=within
    )


def _depth(environ: Mapping[str, str]) -> Depth:
    """As no-color.org and the terminals have it: NO_COLOR, COLORTERM, then the name."""
    name = environ.get("TERM", "").lower()
    if environ.get("NO_COLOR") or name in _NO_COLOURS or name.endswith(("-mono", "-m")):
        return "none"
    if environ.get("TEXTUAL_COLOR_SYSTEM") == "truecolor":  # a browser's terminal, whose TERM is another's
        return "true"
    if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit") or name.endswith("-direct"):
        return "true"
    return "256" if "256color" in name or "kitty" in name else "16"


def _unicode(environ: Mapping[str, str]) -> bool:
    """The console of the kernel speaks UTF-8, but has no glyphs for most of what we draw."""
    if environ.get("TERM", "").lower().partition("-")[0] in _NO_UNICODE and "TEXTUAL_DRIVER" not in environ:
        return False
    if not environ.get("LC_ALL") and environ.get("LC_CTYPE") in _COERCED and environ.get("LANG") in ("C", "POSIX"):
        return False
    locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or ""
    return "utf-8" in locale.lower() or "utf8" in locale.lower() or "TEXTUAL_DRIVER" in environ


def _within(environ: Mapping[str, str]) -> Within:
    name = environ.get("TERM", "")
    if environ.get("TMUX") or name.startswith("tmux"):
        return "tmux"
    return "screen" if environ.get("STY") or name.startswith("screen") else ""
