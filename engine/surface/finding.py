"""What the words of `ListDeliveries.find` mean, to the engine's database and to a face that holds the rows. Pure.

A row is looked through as SQLite's LIKE does: the letters of ASCII without their case, others as they are, so that of
these each usual spelling is looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from engine.surface.rows import DeliveryRow

FIELDS: Mapping[str, Callable[[DeliveryRow], str]] = MappingProxyType(
    {
        "state": lambda row: row.state,
        "fan": lambda row: row.fan_name or row.fan_id,
        "text": lambda row: row.text,
        "reason": lambda row: row.reason,
        "attempts": lambda row: str(row.attempts),
        "cost": lambda row: str(row.cost),
        "changed_at": lambda row: str(row.changed_at),
        "risk": lambda row: row.risk,
    }
)
LOOKED_AT = ("fan_id", "fan_name", "reason", "text")  # by a word that names no field, besides the state
_MOST = 20  # words of a question that count
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One of `find`: `text` is in a row, or `absent` from it; in one `field`, or in any that is looked at."""

    text: str
    field: str = ""
    absent: bool = False

    @property
    def spellings(self) -> tuple[str, ...]:
        """What is looked for, in order."""
        text = self.text
        return tuple(sorted({text} if text.isascii() else {text, text.lower(), text.upper(), text.capitalize()}))


def words(find: Sequence[str]) -> tuple[Word, ...]:
    """`word`, `-word` or `field:word`; what is not typed to its end says nothing."""
    return tuple(_word(term) for term in find[:_MOST] if term.strip("-"))


def matching(rows: Iterable[DeliveryRow], find: Sequence[str]) -> list[DeliveryRow]:
    """The rows that every word is true of, in their order."""
    found = list(rows)
    for word in words(find):
        spellings = tuple(map(_lower, word.spellings))
        found = [row for row in found if _holds(row, word, spellings) is not word.absent]
    return found


def narrower(find: Sequence[str], before: Sequence[str]) -> bool:
    """Is every row that `find` is true of certainly one that `before` was true of?"""
    given = words(find)
    return all(any(_implies(word, old) for word in given) for old in words(before))


def _word(term: str) -> Word:
    absent, text = term.startswith("-"), term.removeprefix("-")
    field, colon, rest = text.partition(":")
    if colon and rest and field in FIELDS:
        return Word(text=rest, field=field, absent=absent)
    return Word(text=text, absent=absent)


def _holds(row: DeliveryRow, word: Word, spellings: Sequence[str]) -> bool:
    if word.field:
        text = _lower(FIELDS[word.field](row))
        return any(spelling in text for spelling in spellings)
    if word.text.lower() in row.state:
        return True
    texts = [_lower(getattr(row, name)) for name in LOOKED_AT]
    return any(spelling in text for text in texts for spelling in spellings)


def _implies(word: Word, old: Word) -> bool:
    """Is the old word true of whatever the new one is true of? A longer word says more, a longer absent one less."""
    if (word.field, word.absent) != (old.field, old.absent):
        return False
    inner, outer = (word, old) if word.absent else (old, word)
    parts, wholes = (tuple(map(_lower, one.spellings)) for one in (inner, outer))
    return inner.text.lower() in outer.text.lower() and all(any(part in whole for part in parts) for whole in wholes)


def _lower(text: str) -> str:
    return text.lower() if text.isascii() else text.translate(_LOWER)
