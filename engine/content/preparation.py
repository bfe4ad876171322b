"""The one way from a written text to one that may be sent: clean ▸ check ▸ bound ▸ disclose ▸ check."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from engine.content import moderation
from engine.content.disclosure import bound, disclose, line_of, withdraw
from engine.content.risk import NO_RISK, Risk, assess
from engine.content.settings import DISCLOSURE, ContentSettings
from engine.kernel.text import clean

EMPTY = "empty"

_QUOTES = {'"': '"', "“": "”", "„": "“", "«": "»", "‘": "’", "'": "'", "`": "`"}
_INVISIBLE = re.compile(r"[\s\u2800]+")  # blanks, and the braille cell without dots


@dataclass(frozen=True, slots=True)
class Prepared:
    """A text as it may go out. `digest` is the SHA-256 of its UTF-8, in hex: what an approval binds to.

    `risk` is what whoever approves it should know first.
    """

    text: str
    digest: str
    risk: Risk = NO_RISK


@dataclass(frozen=True, slots=True)
class Blocked:
    """A text that must not go out: `category` for the counts, `reason` for the operator."""

    category: str
    reason: str


def prepare(text: str, *, ai_written: bool, settings: ContentSettings) -> Prepared | Blocked:
    """Make a text ready to be approved, or say why it never will be.

    The hard blocks see the whole text and then what is left of it, so that neither a cut nor the disclosure can turn
    it into something they would refuse at the send.
    """
    line = line_of(settings.disclosure, DISCLOSURE, settings.longest)
    text = clean(text, newlines=True).strip()
    if ai_written:
        text = _unquoted(text)
    disclosed = ai_written and settings.disclose
    if not _INVISIBLE.sub("", withdraw(text, line) if disclosed else text):
        return Blocked(EMPTY, "the text is empty")
    final = disclose(text, line, settings.longest) if disclosed else bound(text, settings.longest)
    for version in dict.fromkeys((text, final)):
        verdict = moderation.check(version)
        if not verdict.allowed:
            return Blocked(verdict.category, verdict.reason)
    return Prepared(final, hashlib.sha256(final.encode()).hexdigest(), assess(final))


def screen(text: str) -> str:
    """Why a text must never go out, or empty: the hard blocks, once more at the send."""
    verdict = moderation.check(text)
    return "" if verdict.allowed else f"{verdict.category}: {verdict.reason}"


def _unquoted(text: str) -> str:
    """Without the quotation marks a model sets round its whole answer; marks inside the text stay."""
    while len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
        inside = text[1:-1]
        if text[0] in inside or text[-1] in inside:
            break
        text = inside.strip()
    return text
