"""What `/` understands: words that must all be there, `-word` that must not, `column:word` for one column. Pure.

A column is named by how its title begins, and a colon in anything else is a part of the word. "Two words" in quotes are
one. Case does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Term:
    """One word of a filter. `column` is a number in the titles, None for the whole row."""

    word: str
    column: int | None = None
    absent: bool = False


def parse(text: str, titles: Sequence[str]) -> tuple[Term, ...]:
    """The terms of a filter over columns with these titles. What is not typed to its end filters nothing yet."""
    terms: list[Term] = []
    for part in re.findall(r'(?:[^\s"]|"[^"]*"?)+', text.casefold()):
        absent = part.startswith("-") and len(part) > 1
        term = _term(part[1:] if absent else part, titles)
        if term.word:
            terms.append(replace(term, absent=absent))
    return tuple(terms)


def _term(part: str, titles: Sequence[str]) -> Term:
    name, colon, word = part.partition(":")
    if colon and name and '"' not in name:
        for at, title in enumerate(titles):
            if title and title.casefold().replace(" ", "").startswith(name):
                return Term(word.replace('"', ""), at)
    return Term(part.replace('"', ""))


def matching(
    rows: Iterable[R], terms: Sequence[Term], words: Callable[[R], str], cell: Callable[[R, int], str]
) -> list[R]:
    """The rows that every term is true of. `words` is a row's text, `cell` that of one of its columns; casefolded."""
    found = list(rows)
    for term in sorted(terms, key=lambda term: term.column is not None):  # a column's text is dearer
        word, column, absent = term.word, term.column, term.absent
        if column is None:
            found = [row for row in found if (word in words(row)) is not absent]
        else:
            found = [row for row in found if (word in cell(row, column)) is not absent]
    return found
