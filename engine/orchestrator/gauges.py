"""What is measured of each model while it works: how long it takes, how much it has in hand, how good it is.

Latency is a peak-sensitive moving average: one slow answer raises the estimate at once, quick ones bring it down by
their time constant, so that a model in trouble is left early and trusted late. An estimate that is old says nothing:
the model counts as unmeasured, and one call finds out.

Quality is a mean of scores from 0 to 1 for each tool and model, drawn towards a prior while there are few (a Bayesian
mean): a usable answer scores 1, an attempt that failed by the model's own doing 0, an operator's rating what it says.
Old scores fade, or a model that got better would carry its past for ever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import exp

from engine.kernel.clock import Clock
from engine.kernel.errors import ErrorClass, ProviderError
from engine.orchestrator.settings import GaugeSettings, OrchestratorSettings
from engine.orchestrator.task import Answer, Hop, Target, Task
from engine.orchestrator.tuning import Load

OK = "ok"

SPEAKS_AGAINST = frozenset(
    {
        ErrorClass.SERVER_ERROR,
        ErrorClass.NETWORK_ERROR,
        ErrorClass.TIMEOUT,
        ErrorClass.UNKNOWN,
        ErrorClass.CONTENT_FILTER,
    }
)
"""Failures that make a model worse for a tool. One that refuses a tool's subject is no good for it, however sound; a
wrong key, a full quota or a malformed request say nothing of its answers."""

_SEEN = 100  # newest answers whose quickest quarter says what a model can do unhindered
_ENOUGH = 8  # answers below which there is no telling
_KEPT = 512  # models, and pairs of a tool and a model; a client of the gateway may name any model


@dataclass(frozen=True, slots=True)
class Lesson:
    """One attempt of the past, as the ledger has it: its outcome is `ok` or an error class."""

    target: Target
    tool: str
    outcome: str
    ended_at: int
    duration: int  # nanoseconds; 0 where nobody saw the end


@dataclass(slots=True)
class _Pace:
    """One model's latency. `seen` are its newest answers' durations."""

    estimate: float = 0.0
    at: int = 0
    in_flight: int = 0
    seen: deque[int] = field(default_factory=lambda: deque(maxlen=_SEEN))

    def learn(self, duration: int, now: int, settings: GaugeSettings) -> None:
        fresh = not self.seen or now - self.at > settings.forget
        if fresh or duration >= self.estimate:
            self.estimate = duration
        else:
            kept = exp(-max(0, now - self.at) / settings.decay)
            self.estimate = self.estimate * kept + duration * (1 - kept)
        self.at = max(self.at, now)
        self.seen.append(duration)

    def slowness(self, duration: int) -> float:
        """How many times longer than its quicker answers. Not than its quickest: answers differ in length."""
        if len(self.seen) < _ENOUGH:
            return 1.0
        return duration / max(1, sorted(self.seen)[len(self.seen) // 4])


@dataclass(slots=True)
class _Score:
    total: float = 0.0
    count: float = 0.0

    def add(self, score: float, memory: int) -> None:
        if self.count >= memory:
            self.total *= (memory - 1) / self.count
            self.count = memory - 1
        self.total += score
        self.count += 1


class Gauges:
    """The figures of all models. Lives on the engine's loop."""

    def __init__(self, clock: Clock, settings: GaugeSettings) -> None:
        self._clock = clock
        self._settings = settings
        self._paces: dict[Target, _Pace] = {}
        self._scores: dict[tuple[str, Target], _Score] = {}
        self._load = Load()

    def configure(self, settings: OrchestratorSettings) -> None:
        self._settings = settings.gauges

    @property
    def targets(self) -> tuple[Target, ...]:
        """The models that anything is known of."""
        return tuple(self._paces)

    def latency(self, target: Target, now: int) -> int | None:
        """Nanoseconds that a call to the model is expected to take; None while that is not known."""
        pace = self._paces.get(target)
        if pace is None or not pace.seen or now - pace.at > self._settings.forget:
            return None
        return round(pace.estimate)

    def in_flight(self, target: Target) -> int:
        """Calls to the model under way now."""
        pace = self._paces.get(target)
        return pace.in_flight if pace else 0

    def quality(self, tool: str, target: Target) -> float:
        """How good the model is at the tool's work, from 0 to 1."""
        settings, score = self._settings, self._scores.get((tool, target))
        if score is None:
            return settings.prior_quality
        weighed = settings.prior_quality * settings.prior_weight + score.total
        return weighed / (settings.prior_weight + score.count)

    def overall(self, target: Target) -> float:
        """As `quality`, over all tools."""
        scores = [score for (_, each), score in self._scores.items() if each == target]
        settings = self._settings
        weighed = settings.prior_quality * settings.prior_weight + sum(score.total for score in scores)
        return weighed / (settings.prior_weight + sum(score.count for score in scores))

    def rate(self, tool: str, target: Target, score: float) -> None:
        """Somebody judged an answer of the model: 0 is useless, 1 is right."""
        found = self._scores.get((tool, target))
        if found is None:
            if len(self._scores) >= _KEPT:  # the pair of which the least is known makes room
                del self._scores[min(self._scores, key=lambda each: self._scores[each].count)]
            found = self._scores[tool, target] = _Score()
        found.add(min(1.0, max(0.0, score)), self._settings.memory)

    def load(self) -> Load:
        """What happened since this was last asked."""
        load, self._load = self._load, Load()
        return load

    def recall(self, lessons: Iterable[Lesson]) -> None:
        """Learn from the past, oldest first, so that a restart is not blind."""
        for lesson in lessons:
            pace = self._pace(lesson.target)
            if lesson.outcome == OK:
                self.rate(lesson.tool, lesson.target, 1.0)
                if lesson.duration > 0:
                    pace.learn(lesson.duration, lesson.ended_at, self._settings)
            elif lesson.outcome in SPEAKS_AGAINST:
                self.rate(lesson.tool, lesson.target, 0.0)

    def began(self, target: Target) -> None:
        self._pace(target).in_flight += 1

    def ended(self, target: Target) -> None:
        self._pace(target).in_flight -= 1

    def answered(self, tool: str, target: Target, duration: int) -> None:
        """A usable answer came after so many nanoseconds."""
        pace = self._pace(target)
        pace.learn(duration, self._clock.now(), self._settings)
        self.rate(tool, target, 1.0)
        self._load = self._load.with_answer(pace.slowness(duration))

    def failed(self, tool: str, target: Target, duration: int, error_class: ErrorClass) -> None:
        """An attempt failed after so many nanoseconds. Only a time-out tells how long the model takes: too long."""
        if error_class is ErrorClass.TIMEOUT:
            pace = self._pace(target)
            pace.learn(max(duration, round(pace.estimate)), self._clock.now(), self._settings)
        if error_class in SPEAKS_AGAINST:
            self.rate(tool, target, 0.0)
        self._load = self._load.with_failure(throttled=error_class is ErrorClass.RATE_LIMIT)

    def _pace(self, target: Target) -> _Pace:
        pace = self._paces.get(target)
        if pace is None:
            if len(self._paces) >= _KEPT:
                self._make_room()
            pace = self._paces[target] = _Pace()
        return pace

    def _make_room(self) -> None:
        """Forget the model that was longest not heard of and has nothing in hand."""
        idle = [target for target, pace in self._paces.items() if not pace.in_flight]
        if idle:
            del self._paces[min(idle, key=lambda target: self._paces[target].at)]


class Gauged:
    """See Hop. Stands next to the books, so that it measures the model and not the waiting before it."""

    def __init__(self, inner: Hop, gauges: Gauges, clock: Clock) -> None:
        self._inner = inner
        self._gauges = gauges
        self._clock = clock

    async def complete(self, task: Task, target: Target) -> Answer:
        gauges, began = self._gauges, self._clock.now()
        gauges.began(target)
        try:
            answer = await self._inner.complete(task, target)
        except ProviderError as error:
            unasked = error.error_class is ErrorClass.TIMEOUT and not error.reached  # the task's own time was over
            if not task.rehearsal and not unasked:
                gauges.failed(task.tool, target, self._clock.now() - began, error.error_class)
            raise
        finally:
            gauges.ended(target)
        if not task.rehearsal:
            gauges.answered(task.tool, target, answer.duration or self._clock.now() - began)
        return answer
