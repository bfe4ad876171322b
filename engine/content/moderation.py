"""The hard blocks that no operator can lift, and the words of a person in need. Pure; nothing leaves the process.

Rules find what is said plainly or disguised simply (look-alike letters, digits for letters, letters apart, invisible
signs, stretched words). They are the last net under a model that was told not to write such things, not a reader of
intentions: what they let through still needs the approval of a person where a campaign asks for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.content.blocks import CRISIS, FIGURES, WORDS, Category, Row
from engine.content.normalise import figures, readings

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
    """The gravest block that the text runs into, if any."""
    plain = figures(text)
    ways = readings(plain)
    found = next((row for row in WORDS if any(row.finds(way) for way in ways)), None)
    number = next((row for row in FIGURES if row.finds(plain)), None)
    grave = [row for row in (found, number) if row is not None]
    return _blocked(min(grave, key=lambda row: _ORDER[row.category])) if grave else ALLOWED


def is_crisis(text: str) -> bool:
    """Whether a fan's message speaks of wanting to die or of hurting themselves, so that a person must answer."""
    return any(CRISIS.search(way) for way in readings(figures(text)))


def _blocked(row: Row) -> Verdict:
    severity = Severity.HIGH if row.category in _HIGH else Severity.CRITICAL
    return Verdict(False, row.category.value, f"The text {row.reason}", severity)


_ORDER = {category: rank for rank, category in enumerate(Category)}
