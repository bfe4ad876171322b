"""What every query and its answer are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

R = TypeVar("R")
MOST_ROWS = 1_000  # of a page


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """Rows, where the next ones start, and the event id the answer stands at.

    `total` counts all rows of a question that was asked with an `offset`. `since` is the instant from which on rows are
    known, where that is later than what was asked for, as in a recording; 0 elsewhere.
    """

    rows: tuple[R, ...]
    next: str | None = None
    as_of: str = ""
    total: int | None = None
    since: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    row: ClassVar[type] = dict


class Paged:
    """Stands before `Query` among the bases of one whose answer is a page of `limit` rows, `MOST_ROWS` at most."""

    __slots__ = ()
    limit: int
