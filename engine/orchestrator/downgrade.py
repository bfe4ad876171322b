"""Where a budget asks for a cheaper model: the ladder's next one does the work, held at its own price.

The outermost step of a hop. What lies within, the limits and breakers of a provider and the books, sees the model that
is really asked. A rung that cannot do what the task needs is stepped over; embeddings have no ladder, since vectors of
two models cannot be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine.kernel.errors import BudgetRefused
from engine.orchestrator.strategies import lacking
from engine.orchestrator.task import Answer, Hop, Target, Task
from engine.providers import UNKNOWN_MODEL, Model, Operation


class Downgrading:
    """See Hop. `ladder` maps `provider/model` to the cheaper one below it; `admits` says whether one may be asked,
    `model` what it can do.
    """

    def __init__(
        self,
        inner: Hop,
        ladder: Mapping[str, str],
        admits: Callable[[Target], bool],
        model: Callable[[Target], Model] = lambda target: UNKNOWN_MODEL,
    ) -> None:
        self._inner = inner
        self._ladder = ladder
        self._admits = admits
        self._model = model

    async def complete(self, task: Task, target: Target) -> Answer:
        """As within. Raises the last rung's BudgetRefused when none of them is cheap enough."""
        tried = {target}
        while True:
            try:
                return await self._inner.complete(task, target)
            except BudgetRefused as refused:
                below = self._below(task, target, tried) if refused.downgrade else None
                if below is None:
                    raise
                target = below

    def _below(self, task: Task, target: Target, tried: set[Target]) -> Target | None:
        """The next rung that can do the task and whose breaker lets a call through; a circle of rungs ends."""
        if task.operation is Operation.EMBEDDINGS:
            return None
        while (name := self._ladder.get(str(target))) is not None:
            provider, _, model = name.partition("/")
            target = Target(provider, model)
            if target in tried:
                return None
            tried.add(target)
            if self._admits(target) and lacking(task.needs, self._model(target)) is None:
                return target
        return None
