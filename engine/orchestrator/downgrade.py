"""Where a budget asks for a cheaper model: the ladder's next one does the work, held at its own price.

The outermost step of a hop. What lies within, the limits and breakers of a provider and the books, sees the model that
is really asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine.kernel.errors import BudgetRefused
from engine.orchestrator.task import Answer, Hop, Target, Task


class Downgrading:
    """See Hop. `ladder` maps `provider/model` to the cheaper one below it; `admits` says whether one may be asked."""

    def __init__(self, inner: Hop, ladder: Mapping[str, str], admits: Callable[[Target], bool]) -> None:
        self._inner = inner
        self._ladder = ladder
        self._admits = admits

    async def complete(self, task: Task, target: Target) -> Answer:
        """As within. Raises the last rung's BudgetRefused when none of them is cheap enough."""
        tried = {target}
        while True:
            try:
                return await self._inner.complete(task, target)
            except BudgetRefused as refused:
                below = self._below(target, tried) if refused.downgrade else None
                if below is None:
                    raise
                target = below

    def _below(self, target: Target, tried: set[Target]) -> Target | None:
        """The next rung whose breaker lets a call through; a ladder that turns in a circle ends."""
        while (name := self._ladder.get(str(target))) is not None:
            provider, _, model = name.partition("/")
            target = Target(provider, model)
            if target in tried:
                return None
            tried.add(target)
            if self._admits(target):
                return target
        return None
