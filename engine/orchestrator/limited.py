"""The hop that keeps to the providers' limits: it counts a call before it is made, and lets calls wait in line.

A call that finds a window full waits for it in that window's line, if nothing better is left: no other model of its
chain is free, the line is not full, and the window opens before the task's time is over. Whoever comes to a line while
others wait in it queues up behind them, so that each window is served first come, first served; but rehearsals let all
tasks go first. Everybody else is told at once, by a ProviderError whose `retry_after` says when there will be room.

A rehearsal counts like any call: what it took of the provider's quota is gone for tasks too, and a window that left it
out would let the two together past the limit.

A caller that leaves in the middle of a call, or before what it took was counted, leaves it counted at its most.
"""

from __future__ import annotations

import asyncio
import itertools
from bisect import insort
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from engine.kernel.clock import Clock, pause
from engine.kernel.errors import BudgetRefused, ErrorClass, ProviderError
from engine.kernel.values import seconds
from engine.orchestrator.retries import OWN_LIMIT
from engine.orchestrator.settings import OrchestratorSettings
from engine.orchestrator.task import Answer, Hop, Target, Task


@dataclass(frozen=True, slots=True)
class Shut:
    """No room, and nothing was counted. `line` is the window to wait for, empty where waiting is no use.

    `opens_at` is when to ask again, None when nobody knows.
    """

    line: str
    why: str
    opens_at: int | None


class Seat(Protocol):
    """A call that was counted."""


class Quotas(Protocol):
    """Who counts calls against the limits."""

    def lines(self, task: Task, target: Target) -> Sequence[str]:
        """The windows that the call would count in."""
        ...

    async def reserve(self, task: Task, target: Target) -> Seat | Shut:
        """Count the call in all its windows, or in none."""
        ...

    async def settle(self, seat: Seat, tokens: int) -> None:
        """The call took so many tokens."""
        ...

    async def release(self, seat: Seat) -> None:
        """The call was never made."""
        ...

    def throttled(self, target: Target) -> None:
        """The provider answered that it was asked too much."""
        ...

    def opens_at(self, task: Task, target: Target) -> int:
        """When the call would be let through, as far as is known; now or before if at once. Cheap."""
        ...


@dataclass(order=True, slots=True)
class _Waiter:
    rehearsal: bool
    number: int  # its place in time, over all lines
    turn: asyncio.Event = field(compare=False, default_factory=asyncio.Event)


class Limited:
    """See Hop. `spare` says whether another model of the task's chain, after this one, could take it now."""

    def __init__(
        self,
        inner: Hop,
        quotas: Quotas,
        clock: Clock,
        settings: OrchestratorSettings,
        spare: Callable[[Task, Target], bool] = lambda task, target: False,
    ) -> None:
        self._inner = inner
        self._quotas = quotas
        self._clock = clock
        self._settings = settings
        self._spare = spare
        self._lines: dict[str, list[_Waiter]] = {}
        self._numbers = itertools.count()

    def configure(self, settings: OrchestratorSettings) -> None:
        self._settings = settings

    def opens_at(self, task: Task, target: Target) -> int:
        """When the call would be let through: now or before if at once. A look, which changes nothing."""
        now = self._clock.now()
        if self._lines and any(name in self._lines for name in self._quotas.lines(task, target)):
            return max(now + 1, self._quotas.opens_at(task, target))
        return self._quotas.opens_at(task, target)

    @property
    def waiting(self) -> int:
        """Calls that wait in a line."""
        return sum(map(len, self._lines.values()))

    async def complete(self, task: Task, target: Target) -> Answer:
        seat = await self._enter(task, target)
        try:
            answer = await self._inner.complete(task, target)
        except ProviderError as error:
            await self._account(seat, task, target, error)
            self._stir(task, target)
            raise
        except BudgetRefused:
            await self._quotas.release(seat)
            self._stir(task, target)
            raise
        if answer.usage is not None:
            await self._quotas.settle(seat, answer.usage.input_tokens + answer.usage.output_tokens)
            self._stir(task, target)
        return answer

    async def _account(self, seat: Seat, task: Task, target: Target, error: ProviderError) -> None:
        """A failed call counts, unless not a byte of it left; what it took is its most unless the provider said."""
        if error.error_class is ErrorClass.RATE_LIMIT and not task.rehearsal:
            self._quotas.throttled(target)
        if not error.reached and error.status is None:
            await self._quotas.release(seat)
        elif error.usage is not None:
            await self._quotas.settle(seat, error.usage.input_tokens + error.usage.output_tokens)

    async def _enter(self, task: Task, target: Target) -> Seat:
        held = (
            next((name for name in self._quotas.lines(task, target) if name in self._lines), "") if self._lines else ""
        )
        if held:
            found: Seat | Shut = Shut(held, "others wait for it already", self._clock.now())
        else:
            found = await self._quotas.reserve(task, target)
        if not isinstance(found, Shut):
            return found
        if not found.line or found.opens_at is None or self._spare(task, target):
            raise self._refusal(target, found)
        return await self._wait(task, target, found)

    async def _wait(self, task: Task, target: Target, shut: Shut) -> Seat:
        deadline = task.deadline if task.deadline is not None else self._clock.now() + self._settings.total
        waiter = _Waiter(task.rehearsal, next(self._numbers))
        while True:
            if len(self._lines.get(shut.line, ())) >= self._settings.waiting:
                why = f"{shut.why}, and {self._settings.waiting} calls wait for it"
                raise self._refusal(target, Shut(shut.line, why, shut.opens_at))
            with self._in_line(shut.line, waiter) as line:
                if line[0] is waiter:  # the first waits for the window, everybody else for the one before
                    await self._sleep(waiter, min(shut.opens_at or 0, deadline), deadline, target, shut)
                while line[0] is not waiter:
                    await self._sleep(waiter, deadline, deadline, target, shut)
                found = await self._quotas.reserve(task, target)
            if not isinstance(found, Shut):
                return found
            if not found.line or found.opens_at is None:
                raise self._refusal(target, found)
            shut = found

    async def _sleep(self, waiter: _Waiter, until: int, deadline: int, target: Target, shut: Shut) -> None:
        """Until then, or until its turn may have come. Raises when that is not before the deadline."""
        now = self._clock.now()
        if (shut.opens_at or 0) >= deadline or now >= deadline:
            raise self._refusal(target, shut)
        waiter.turn.clear()
        if until > now:
            await pause(self._clock, until - now, waiter.turn)

    @contextmanager
    def _in_line(self, name: str, waiter: _Waiter) -> Iterator[list[_Waiter]]:
        line = self._lines.setdefault(name, [])
        first = line[0] if line else None
        insort(line, waiter)
        if first is not None and line[0] is not first:
            first.turn.set()  # somebody who waits longer came over from another line
        try:
            yield line
        finally:
            line.remove(waiter)
            if line:
                line[0].turn.set()
            else:
                del self._lines[name]

    def _stir(self, task: Task, target: Target) -> None:
        """There may be room sooner than the windows said: let the first in each line look."""
        for name in self._quotas.lines(task, target) if self._lines else ():
            if name in self._lines:
                self._lines[name][0].turn.set()

    def _refusal(self, target: Target, shut: Shut) -> ProviderError:
        left = None if shut.opens_at is None else seconds(max(1, shut.opens_at - self._clock.now()))
        return ProviderError(
            target.provider,
            target.model,
            ErrorClass.RATE_LIMIT,
            shut.why,
            retry_after=left,
            reached=False,
            code=OWN_LIMIT,
        )
