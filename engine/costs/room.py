"""What is left in every budget, in memory: for choices that must not wait for a disk, and to warn in time.

The database decides; this follows it, and only once a commit stands: what a transaction finds is handed to the loop
behind its commit, and a commit that fails moves nothing here. The one thing that a transaction itself adds is the name
of a scope, since a call behind it in the same commit must find the budget that it gave; a name too many costs a look
and no money.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.costs.rules import Action, Budget
from engine.kernel.values import NanoUSD

Figures = tuple[int, int, int, int]
"""A budget's id, what is spent and what is held in it (nano-dollars), and when its window ends."""


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
    """Every budget's standing, by the scope's name. Lives on the loop, but for the part of the writer's thread."""

    def __init__(self) -> None:
        self._standing: dict[int, _Standing] = {}
        self._by_name: dict[str, tuple[int, ...]] = {}
        self._expected: set[str] | None = None  # never without a name that may have a budget

    # ── in the writer's thread ──────────────────────────────────────────────────────────────────────────────────────

    def among(self, names: Sequence[str]) -> Sequence[str]:
        """Those of the scopes that may have a budget: all, before anything is known."""
        expected = self._expected
        return names if expected is None else [name for name in names if name in expected]

    def expect_only(self, names: Iterable[str]) -> None:
        """No other scopes than these may have a budget."""
        self._expected = set(names)

    def expect(self, name: str) -> None:
        """This scope may have a budget too."""
        if self._expected is not None:
            self._expected.add(name)

    # ── after the commit ────────────────────────────────────────────────────────────────────────────────────────────

    def load(self, budgets: Iterable[Budget]) -> None:
        """Begin anew with these."""
        by_name: dict[str, list[Budget]] = {}
        for budget in budgets:
            by_name.setdefault(budget.name, []).append(budget)
        self._standing, self._by_name = {}, {}
        for name, found in by_name.items():
            self.replace(name, found)

    def replace(self, name: str, budgets: Sequence[Budget]) -> None:
        """All that one scope has, from now on."""
        for number in self._by_name.pop(name, ()):
            del self._standing[number]
        if budgets:
            self._by_name[name] = tuple(budget.id for budget in budgets)
        self._standing.update((budget.id, _standing(budget)) for budget in budgets)

    def stand(self, figures: Iterable[Figures]) -> None:
        """New figures of these budgets, as far as they are still there."""
        for budget_id, spent, held, ends in figures:
            one = self._standing.get(budget_id)
            if one is not None:
                one.spent, one.held, one.ends = spent, held, ends

    # ── at any time ─────────────────────────────────────────────────────────────────────────────────────────────────

    def tightest(self, names: Sequence[str], now: int) -> NanoUSD | None:
        """What is left in the tightest budget of these scopes; None where none has one."""
        found = [one.room(now) for one in self._of(names)]
        return NanoUSD(max(0, min(found))) if found else None

    def unspent(self, names: Sequence[str], now: int) -> NanoUSD | None:
        """The least that is unspent in a budget of these scopes that refuses what does not fit; None where none does.

        What others hold is not taken off: a call waits for that.
        """
        found = [one.unspent(now) for one in self._of(names) if one.rigid]
        return NanoUSD(max(0, min(found))) if found else None

    def _of(self, names: Sequence[str]) -> list[_Standing]:
        by_name, standing = self._by_name, self._standing
        return [standing[number] for name in names if name in by_name for number in by_name[name]]


def _standing(budget: Budget) -> _Standing:
    rigid = budget.actions[:1] in ((), (Action.STOP,))
    return _Standing(budget.limit, budget.spent, budget.held, budget.ends, rigid)
