"""A long list of which only the pages in sight are here; the engine filters and sorts it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar, overload

R = TypeVar("R")
PAGE = 200  # rows asked for at once
_KEPT = 40  # pages; of more, those farthest from the newest are forgotten


class Pages(Sequence[Any], Generic[R]):
    """`total` rows; one that has not come is None. Never changed: what comes makes another."""

    def __init__(self, total: int = 0, pages: Mapping[int, tuple[R, ...]] | None = None) -> None:
        self.total = total
        self._pages = dict(pages or {})

    def __len__(self) -> int:
        return self.total

    @overload
    def __getitem__(self, at: int) -> R | None: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[R | None]: ...
    def __getitem__(self, at: int | slice) -> R | Sequence[R | None] | None:
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(self.total))]
        if at < 0:
            at += self.total
        if not 0 <= at < self.total:
            raise IndexError(at)
        page = self._pages.get(at // PAGE, ())
        return page[at % PAGE] if at % PAGE < len(page) else None

    def held(self) -> Iterator[tuple[int, R]]:
        """The rows that are here, with their numbers."""
        for number in sorted(self._pages):
            yield from enumerate(self._pages[number], number * PAGE)

    def missing(self, rows: range) -> list[int]:
        """The pages of these rows that are not here."""
        return [number for number in pages_of(rows) if number not in self._pages]

    def taking(self, number: int, rows: Iterable[R], total: int) -> Pages[R]:
        """With a page that came, and as many rows as there are by now."""
        pages = {**self._pages, number: tuple(rows)}
        while len(pages) > _KEPT:
            del pages[max(pages, key=lambda each: abs(each - number))]
        return Pages(total, pages)


def pages_of(rows: range) -> range:
    """The numbers of the pages that hold these rows."""
    return range(rows.start // PAGE, (rows.stop - 1) // PAGE + 1) if rows else range(0)
