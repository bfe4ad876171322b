"""Runs a tool many times at once, with real calls through every stage, and reports what came of each.

A load test has its own concurrency beside the engine's workers and waits in no queue. Its calls are rehearsals: they
are booked like any other, but nothing learns from them, and monitoring does not count them; its own report does. Each
asks something slightly different, so that neither the cache nor the coalescer answers for a model; none may be hedged.

It uses the provider's real quota, so its calls count in the configured limits. Where a limit is reached it waits behind
every task, and models that throttle it are left alone by it only.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from engine.events import CallSettled, Recorded
from engine.kernel.clock import Clock
from engine.kernel.errors import BudgetRefused, CommandRefused, HuntazeError, ProviderError, Refusal
from engine.kernel.values import NanoUSD, Random, new_id
from engine.orchestrator.pipeline import Orchestrator
from engine.orchestrator.task import Answer, Task
from engine.providers import Message, Role

MOST_CALLS = 200
MOST_AT_ONCE = 32

_KEPT = 20  # tests whose reports are remembered
_OK = "ok"
_PROMPT = "This is test {number} of {count}. Answer with one short friendly sentence about the weather."

Bound = Callable[[str, Sequence[Message]], NanoUSD | None]
"""The most that one task of a tool may cost with all its retries and fallbacks; None where a price is unknown."""


class TestState(StrEnum):
    __test__ = False  # no test of this project's own
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One task of the test. `outcome` is ok, an error class or `budget`; `failed` names models that failed before."""

    number: int
    trace_id: str
    outcome: str
    duration: int  # nanoseconds, of the whole task
    target: str = ""
    failed: tuple[str, ...] = ()
    attempts: int = 0
    cost: int = 0  # nano-dollars of all its attempts
    unpriced: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(slots=True, kw_only=True)
class LoadTest:
    """A test under way or over."""

    test_id: str
    tool: str
    count: int
    at_once: int
    started_at: int
    state: TestState = TestState.RUNNING
    ended_at: int | None = None
    calls: dict[int, Call] = field(default_factory=dict)
    bills: dict[str, list[CallSettled]] = field(default_factory=dict)  # by trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of a test so far. Durations in nanoseconds, of the answered calls; None of none."""

    test: LoadTest
    calls: tuple[Call, ...]
    answered_by: dict[str, int]
    errors: dict[str, int]
    fallbacks: int
    p50: int | None
    p95: int | None
    longest: int | None


class LoadTests:
    """`run` is a service; tests begin only while it runs. `drain` returns when all calls are settled."""

    def __init__(
        self,
        orchestrator: Orchestrator,
        bound: Bound,
        drain: Callable[[], Awaitable[None]],
        clock: Clock,
        chance: Random,
    ) -> None:
        self._orchestrator = orchestrator
        self._bound = bound
        self._drain = drain
        self._clock = clock
        self._chance = chance
        self._tests: dict[str, LoadTest] = {}
        self._taken = ""  # the id of the test that runs, or is about to
        self._running: asyncio.Task[None] | None = None
        self._group: asyncio.TaskGroup | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Carry tests out until `stop` is set; what is under way then is cancelled and settled."""
        async with asyncio.TaskGroup() as self._group:
            try:
                await stop.wait()
            finally:
                self._group = None
                if self._running is not None:
                    self._running.cancel()

    def observe(self, recorded: Sequence[Recorded]) -> None:
        """For the bus: what the tests' calls cost, those included that failed."""
        for test in self._tests.values():
            for one in recorded:
                if isinstance(one.event, CallSettled) and one.event.trace_id in test.bills:
                    test.bills[one.event.trace_id].append(one.event)

    def most(self, tool: str, count: int) -> NanoUSD | None:
        """The most a test may cost, None where a price is unknown. Raises CommandRefused as `start` does."""
        self._check(tool, count, 1)
        one = self._bound(self._named(tool), _messages(count, count))
        return None if one is None else NanoUSD(one * count)

    async def start(self, tool: str, count: int, at_once: int, *, begun: Callable[[str], Awaitable[None]]) -> str:
        """Begin a test and return its id. `begun` is awaited with it when nothing objects any more and before anything
        is asked: a test that nobody wrote down costs nothing.

        Raises what `begun` raises, and CommandRefused: INVALID for figures beyond the bounds or an unknown tool,
        UNAVAILABLE where no model serves it, CONFLICT while another test runs.
        """
        self._check(tool, count, at_once)
        if self._group is None:
            raise CommandRefused(Refusal.UNAVAILABLE, "the engine is not running", remedy="Start it: huntaze daemon")
        if self._taken:
            raise CommandRefused(Refusal.CONFLICT, f"load test {self._taken} runs", remedy="Wait for it, or cancel it")
        now = self._clock.now()
        self._taken = test_id = new_id("tst", now, self._chance)
        try:
            await begun(test_id)
        except BaseException:
            self._taken = ""
            raise
        test = LoadTest(
            test_id=test_id,
            tool=self._named(tool),
            count=count,
            at_once=at_once,
            started_at=now,
        )
        while len(self._tests) >= _KEPT:
            del self._tests[next(iter(self._tests))]
        self._tests[test_id] = test
        self._set_off(test)
        return test_id

    def _set_off(self, test: LoadTest) -> None:
        if self._group is None:  # the engine was told to stop meanwhile
            self._taken, test.state, test.ended_at = "", TestState.CANCELLED, test.started_at
            return
        self._running = self._group.create_task(self._carry_out(test))
        self._running.add_done_callback(lambda _: self._ended())

    def _ended(self) -> None:
        self._taken, self._running = "", None

    def cancel(self, test_id: str) -> bool:
        """Stop a test; calls under way are cancelled and billed right. False when it was over already."""
        self._get(test_id)
        return self._taken == test_id and self._running is not None and self._running.cancel()

    def report(self, test_id: str) -> Report:
        """Raises CommandRefused(NOT_FOUND)."""
        return _report(self._get(test_id))

    def _get(self, test_id: str) -> LoadTest:
        test = self._tests.get(test_id)
        if test is None:
            raise CommandRefused(Refusal.NOT_FOUND, f"there is no load test {test_id!r}", field="test_id")
        return test

    def _named(self, tool: str) -> str:
        return self._orchestrator.settings.aliases.get(tool, tool)

    def _check(self, tool: str, count: int, at_once: int) -> None:
        if self._named(tool) not in self._orchestrator.settings.tools:
            known = ", ".join(sorted(self._orchestrator.settings.tools))
            raise CommandRefused(Refusal.INVALID, f"there is no tool {tool!r}; there are {known}", field="tool")
        if not 1 <= count <= MOST_CALLS:
            raise CommandRefused(Refusal.INVALID, f"a load test makes 1 to {MOST_CALLS} calls", field="count")
        if not 1 <= at_once <= MOST_AT_ONCE:
            message = f"a load test makes 1 to {MOST_AT_ONCE} calls at once"
            raise CommandRefused(Refusal.INVALID, message, field="concurrency")
        if not self._orchestrator.targets(self._named(tool)):
            message = f"no model serves the tool {tool}: none of its chain has a key"
            raise CommandRefused(Refusal.UNAVAILABLE, message, field="tool")

    async def _carry_out(self, test: LoadTest) -> None:
        numbers = iter(range(1, test.count + 1))

        async def one_after_the_other() -> None:
            for number in numbers:
                test.calls[number] = await self._call(test, number)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(test.at_once, test.count)):
                    group.create_task(one_after_the_other())
            test.ended_at = self._clock.now()
            await self._drain()
            test.state = TestState.DONE
        except asyncio.CancelledError:
            test.ended_at = self._clock.now()
            test.state = TestState.CANCELLED
            raise

    async def _call(self, test: LoadTest, number: int) -> Call:
        started = self._clock.now()
        trace_id = new_id("loadtest", started, self._chance)
        test.bills[trace_id] = []
        task = Task(
            tool=test.tool,
            messages=_messages(number, test.count),
            trace_id=trace_id,
            fresh=True,
            rehearsal=True,
            idempotent=False,
        )
        answer: Answer | None = None
        try:
            answer = await self._orchestrator.complete(task)
            outcome = _OK
        except ProviderError as error:
            outcome = str(error.error_class)
        except BudgetRefused:
            outcome = "budget"
        except HuntazeError as error:
            outcome = type(error).__name__
        return Call(
            number=number,
            trace_id=trace_id,
            outcome=outcome,
            duration=self._clock.now() - started,
            target=str(answer.target) if answer else "",
            failed=answer.failed if answer else (),
        )


def _messages(number: int, count: int) -> tuple[Message, ...]:
    return (Message(Role.USER, _PROMPT.format(number=number, count=count)),)


def _report(test: LoadTest) -> Report:
    calls = tuple(_billed(call, test.bills[call.trace_id]) for _, call in sorted(test.calls.items()))
    durations = sorted(call.duration for call in calls if call.outcome == _OK)
    return Report(
        test=test,
        calls=calls,
        answered_by=dict(Counter(call.target for call in calls if call.target)),
        errors=dict(Counter(call.outcome for call in calls if call.outcome != _OK)),
        fallbacks=sum(bool(call.failed) for call in calls if call.outcome == _OK),
        p50=_ranked(durations, 0.5),
        p95=_ranked(durations, 0.95),
        longest=durations[-1] if durations else None,
    )


def _billed(call: Call, bills: Sequence[CallSettled]) -> Call:
    return replace(
        call,
        attempts=len(bills),
        cost=sum(bill.cost or 0 for bill in bills),
        unpriced=sum(bill.cost is None for bill in bills),
        input_tokens=sum(bill.input_tokens for bill in bills),
        output_tokens=sum(bill.output_tokens for bill in bills),
    )


def _ranked(ascending: Sequence[int], share: float) -> int | None:
    return ascending[max(1, math.ceil(share * len(ascending))) - 1] if ascending else None
