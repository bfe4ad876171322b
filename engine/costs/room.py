"""What is left in every budget, in memory: for choices that must not wait for a disk, and to warn in time.

The database decides; this follows it, and may be ahead of a commit that fails. It is written by the writer's thread and
read by the loop's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.costs.rules import Action, Budget
from engine.kernel.values import NanoUSD


@dataclass(slots=True)
class _Standing:
    limit: int
    spent: int
    held: int
    ends: int
    rigid: bool  # it refuses what does not fit, rather than bending the call or letting it wait

    def room(self, now: int) -> int:
        return self.limit if now >= self.ends else self.limit - self.spent - self.held

    def unspent(self, now: int) -> int:
        return self.limit if now >= self.ends else self.limit - self.spent


class Rooms:
    """Every budget's standing, by the scope's name."""

    def __init__(self) -> None:
        self._standing: dict[int, _Standing] = {}
        self._by_name: dict[str, tuple[_Standing, ...]] | None = None  # never without a name that may have a budget

    def among(self, names: Sequence[str]) -> Sequence[str]:
        """Those of the scopes that may have a budget: all, before anything is known."""
        known = self._by_name
        return names if known is None else [name for name in names if name in known]

    def load(self, budgets: Iterable[Budget]) -> None:
        """Begin anew with these."""
        by_name: dict[str, list[_Standing]] = {}
        standing: dict[int, _Standing] = {}
        for budget in budgets:
            one = _standing(budget)
            standing[budget.id] = one
            by_name.setdefault(budget.name, []).append(one)
        self._standing = standing
        self._by_name = {name: tuple(found) for name, found in by_name.items()}

    def replace(self, name: str, budgets: Iterable[Budget]) -> None:
        """All that one scope has, from now on."""
        found = {budget.id: _standing(budget) for budget in budgets}
        self._standing.update(found)
        if self._by_name is not None:  # a name stays, as long as its removal may yet be undone
            self._by_name[name] = tuple(found.values())

    def stands(self, budget_id: int, spent: int, held: int, ends: int) -> None:
        """A budget's new figures."""
        one = self._standing.get(budget_id)
        if one is not None:
            one.spent, one.held, one.ends = spent, held, ends

    def tightest(self, names: Sequence[str], now: int) -> NanoUSD | None:
        """What is left in the tightest budget of these scopes; None where none has one."""
        known = self._by_name or {}
        found = [one.room(now) for name in names if name in known for one in known[name]]
        return NanoUSD(max(0, min(found))) if found else None

    def unspent(self, names: Sequence[str], now: int) -> NanoUSD | None:
        """The least that is unspent in a budget of these scopes that refuses what does not fit; None where none does.

        What others hold is not taken off: a call waits for that.
        """
        known = self._by_name or {}
        found = [one.unspent(now) for name in names if name in known for one in known[name] if one.rigid]
        return NanoUSD(max(0, min(found))) if found else None


def _standing(budget: Budget) -> _Standing:
    rigid = budget.actions[:1] in ((), (Action.STOP,))
    return _Standing(budget.limit, budget.spent, budget.held, budget.ends, rigid)
