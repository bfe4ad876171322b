"""One block on words: when it is looked at, what it finds, and what spares a match."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Category(StrEnum):
    """What a block protects, the gravest first."""

    MINORS = "minors"
    NON_CONSENT = "non_consent"
    SELF_HARM = "self_harm"
    THREATS = "threats"
    DOXXING = "doxxing"
    PAYMENT = "payment"


@dataclass(frozen=True, slots=True)
class Row:
    """One block. `reason` completes *the text …* and quotes nothing of it: reasons travel in events."""

    category: Category
    reason: str
    on: frozenset[str]
    pattern: re.Pattern[str]
    spare: re.Pattern[str] | None = None

    def finds(self, reading: str, words: set[str]) -> bool:
        """Whether a reading, made of these words, says it."""
        if self.on.isdisjoint(words):
            return False
        return any(not self._spared(reading, match.start()) for match in self.pattern.finditer(reading))

    def nears(self, reading: str, words: set[str]) -> bool:
        """Whether a reading holds its words at all, spared or not."""
        return not self.on.isdisjoint(words) and self.pattern.search(reading) is not None

    def _spared(self, reading: str, at: int) -> bool:
        return self.spare is not None and self.spare.search(reading[max(0, at - _LOOK_BACK) : at]) is not None


_LOOK_BACK = 64  # characters before a match in which a spare is looked for


def row(category: Category, reason: str, on: str, *patterns: str, spare: str = "") -> Row:
    """A row from its words and patterns; up to four words may stand between a spare and the match."""
    return Row(
        category,
        reason,
        frozenset(on.split()),
        re.compile(rf"\b(?:{'|'.join(patterns)})\b"),
        re.compile(rf"\b(?:{spare}) (?:\w+ ){{0,4}}\Z") if spare else None,
    )


NO = "not|no|never|don t|won t|can t|without|stop|against|report|ban|ne|pas|jamais|aucune?|contre|interdite?s?"
NO += "|nunca|jamas|nada|nadie|contra|prohibid[oa]s?|nicht|nichts|keine?n?r?|nie|niemals|niemand|gegen|verboten|illegal"
NO += "|rien|personne|nothing|nobody|wouldn t|didn t|isn t|aren t"
