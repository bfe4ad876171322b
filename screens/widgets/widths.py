"""How the columns of a table share its width: what they hold is counted before what they were given. Pure.

A column has a *least* width and, from the rows in sight, a *wish*. Where everything fits nothing is cut, and the rest
goes to the columns with a weight. Where it does not, every column first gives up what it does not fill; then the short
ones are whole before the long ones are longer, so that a sentence never cuts a name. A name that is still cut takes
the room of bars and courses, which only draw a figure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

GAP = 2  # cells behind each column
_NAME = 40  # cells; what is longer is a sentence, and no bar gives way to it
_STEADY = 60  # looks for which a wish is remembered at least


@dataclass(frozen=True, slots=True)
class Share:
    """What one column asks for, in cells. `adorns`: it goes where others would be cut."""

    least: int
    wish: int
    weight: int = 0
    adorns: bool = False


class Wishes:
    """The widest that each column held of late: grows at once, and shrinks only after it was less for a while."""

    def __init__(self, columns: int) -> None:
        self._before, self._lately = [0] * columns, [0] * columns
        self._looks = 0

    def __iter__(self) -> Iterator[int]:
        return map(max, self._before, self._lately)

    def __getitem__(self, column: int) -> int:
        return max(self._before[column], self._lately[column])

    def look(self) -> None:
        """Once for each moment that is shown."""
        self._looks += 1
        if self._looks % _STEADY == 0:
            self._before, self._lately = self._lately, [0] * len(self._lately)

    def see(self, column: int, width: int) -> None:
        self._lately[column] = max(self._lately[column], width)

    def forget(self) -> None:
        """Other rows are shown."""
        self._before, self._lately = [0] * len(self._lately), [0] * len(self._lately)


def shared(columns: Sequence[Share], width: int) -> list[int | None]:
    """The cells of each column, gaps not counted; None for one that gives way."""
    kept = list(range(len(columns)))
    while True:
        shown = [columns[at] for at in kept]
        rooms = _rooms(shown, width - GAP * len(kept))
        is_cut = any(room < one.wish <= _NAME for one, room in zip(shown, rooms, strict=True) if not one.adorns)
        adorning = [at for at in kept if columns[at].adorns]
        if not (is_cut and adorning):
            found = dict(zip(kept, rooms, strict=True))
            return [found.get(at) for at in range(len(columns))]
        kept.remove(adorning[-1])


def _rooms(columns: Sequence[Share], room: int) -> list[int]:
    whole = [max(one.least, one.wish) for one in columns]
    left = room - sum(whole)
    if left >= 0:
        weight = sum(one.weight for one in columns) or 1
        return [cells + left * one.weight // weight for cells, one in zip(whole, columns, strict=True)]
    needed = [one.wish for one in columns]
    rooms = _filled([min(one.least, one.wish) for one in columns], needed, room)
    return _filled(rooms, whole, room) if rooms == needed else rooms


def _filled(least: Sequence[int], most: Sequence[int], room: int) -> list[int]:
    """Between least and most, the narrowest raised first, until the room is used up."""
    rooms = list(least)
    left = room - sum(rooms)
    while left > 0:
        hungry = [at for at in range(len(rooms)) if rooms[at] < most[at]]
        if not hungry:
            break
        lowest = min(rooms[at] for at in hungry)
        level = [at for at in hungry if rooms[at] == lowest]
        above = [rooms[at] for at in hungry if rooms[at] > lowest]
        step = min([left // len(level), *(most[at] - lowest for at in level), *(other - lowest for other in above)])
        if not step:  # fewer cells than columns: the first ones
            for at in level[:left]:
                rooms[at] += 1
            break
        for at in level:
            rooms[at] += step
        left -= step * len(level)
    return rooms
