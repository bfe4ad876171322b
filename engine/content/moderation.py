"""The hard blocks that no operator can lift, and the words of a person in need. Pure; nothing leaves the process.

Rules find what is said plainly or disguised simply (look-alike letters, digits for letters, letters apart, invisible
signs, stretched words). They are the last net under a model that was told not to write such things, not a reader of
intentions: what they let through still needs the approval of a person where a campaign asks for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.content.blocks import BLOCKS, CRISIS, RUN_TOGETHER
from engine.content.figures import FIGURES
from engine.content.normalise import plain, readings
from engine.content.row import Category

__all__ = ["Category", "Severity", "Verdict", "check", "is_crisis"]


class Severity(StrEnum):
    """How grave a block is: whether a person should look into who wrote such a text."""

    HIGH = "high"
    CRITICAL = "critical"


_HIGH = frozenset({Category.DOXXING, Category.PAYMENT})


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a text may go out. `reason` is a sentence for the operator; it quotes nothing of the text."""

    allowed: bool
    category: str = ""  # one of Category, or empty
    reason: str = ""
    severity: Severity | None = None


ALLOWED = Verdict(allowed=True)


def check(text: str) -> Verdict:
    """Hold a text against every hard block."""
    letters = plain(text)
    ways = readings(letters)
    return _by_words(ways) or _by_figures(letters) or ALLOWED


def is_crisis(text: str) -> bool:
    """Whether a fan's message speaks of wanting to die or of hurting themselves, so that a person must answer."""
    return any(CRISIS.search(way) for way in readings(plain(text)))


def _by_words(ways: tuple[str, ...]) -> Verdict | None:
    for way in ways:
        words = set(way.split())
        for block in BLOCKS:
            if block.finds(way, words):
                return _blocked(block.category, block.reason)
        for category, reason, phrases in RUN_TOGETHER:
            if any(phrase in way for phrase in phrases):
                return _blocked(category, reason)
    return None


def _by_figures(letters: str) -> Verdict | None:
    found = next((figure for figure in FIGURES if figure.finds(letters)), None)
    return _blocked(found.category, found.reason) if found else None


def _blocked(category: Category, reason: str) -> Verdict:
    severity = Severity.HIGH if category in _HIGH else Severity.CRITICAL
    return Verdict(False, category.value, f"the text {reason}", severity)
