"""Serves a little worse before it serves not at all: full ▸ cached ▸ cheaper ▸ template, a tool at a time.

What is measured is the share of a tool's tasks that nobody answered, or that took too long, in a sliding window. A
share past a level's threshold enters it at once; it is left one step at a time, after the share has stayed under half
the threshold for a while, so that it does not flap. At the last level no model is asked, so nothing would be measured:
every so often one task goes through as a probe.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.events import ServiceLevelChanged
from engine.kernel.clock import Clock
from engine.kernel.errors import ErrorClass, ProviderError, StorageError
from engine.kernel.values import NanoUSD, Random, new_id, seconds
from engine.orchestrator.retries import OWN_LIMIT
from engine.orchestrator.router import at_level, route_of
from engine.orchestrator.settings import DegradationSettings, OrchestratorSettings
from engine.orchestrator.task import Answer, Level, Stage, Target, Task
from engine.providers import Finish
from engine.storage import Database

_log = logging.getLogger(__name__)

LADDER = (Level.FULL, Level.CACHED, Level.CHEAPER, Level.TEMPLATE)
TEMPLATE_PROVIDER = "template"  # stands where a provider would, in answers that no model wrote

_CALLERS_FAULT = frozenset({ErrorClass.INVALID_REQUEST, ErrorClass.CONTENT_FILTER})


@dataclass(frozen=True, slots=True)
class Shift:
    """A tool is served at another level."""

    before: Level
    level: Level
    reason: str


@dataclass(slots=True)
class Ladder:
    """One tool's level. Times are instants; every call passes `now`."""

    settings: DegradationSettings
    level: Level = Level.FULL
    _outcomes: deque[tuple[int, bool]] = field(default_factory=deque)  # when, and whether it was poor
    _poor: int = 0
    _calm_since: int = 0
    _probed_at: int = 0
    _answered: int = 0  # probes in a row
    _worst: float = 0.0  # the share that led down last

    def share(self, now: int) -> float:
        """The share of poor outcomes in the window; 0 of none."""
        self._forget(now)
        return self._poor / len(self._outcomes) if self._outcomes else 0.0

    def probes(self, now: int) -> bool:
        """Whether a task of the last level goes through; asking takes the probe."""
        if now - self._probed_at < self.settings.probe_every:
            return False
        self._probed_at = now
        return True

    def record(self, now: int, *, poor: bool) -> Shift | None:
        """An outcome, and the shift it brought."""
        self._outcomes.append((now, poor))
        self._poor += poor
        if self.level is Level.TEMPLATE:  # too few tasks pass to tell a share by: the probes decide
            return self._probe_told(now, poor=poor)
        return self._judge(now)

    def _probe_told(self, now: int, *, poor: bool) -> Shift | None:
        self._answered = 0 if poor else self._answered + 1
        if self._answered < self.settings.probes:
            return None
        return self._leave(now, f"{self._answered} probes in a row were answered")

    def _next(self) -> str:
        """What leads a step up from the level; nothing is above the first."""
        if self.level is Level.FULL:
            return ""
        if self.level is Level.TEMPLATE:
            return f"; the next step up takes {self.settings.probes} answered probes in a row"
        under = _threshold(self.settings, self.level) / 2
        return f"; the next step up takes {round(seconds(self.settings.calm))} s of tasks with fewer than {under:.0%}"

    def _judge(self, now: int) -> Shift | None:
        share = self.share(now)
        place = LADDER.index(self.level)
        worse = [level for level in LADDER[place + 1 :] if share >= _threshold(self.settings, level)]
        # Too few tasks lead down nowhere. They may lead up, or a tool that grew quiet would stay down for ever.
        if worse and len(self._outcomes) >= self.settings.least_tasks:
            before, self.level = self.level, worse[-1]
            self._calm_since, self._worst = now, share
            return Shift(before, self.level, f"{_said(share, self.settings)}{self._next()}")
        if place == 0 or share >= _threshold(self.settings, self.level) / 2:
            self._calm_since = now
            return None
        if now - self._calm_since < self.settings.calm:
            return None
        return self._leave(now, f"{round(seconds(now - self._calm_since))} s of tasks went well enough")

    def _leave(self, now: int, reason: str) -> Shift:
        before, self.level = self.level, LADDER[LADDER.index(self.level) - 1]
        self._calm_since = now
        reason = f"a step up from {before}, entered at {self._worst:.0%}: {reason}{self._next()}"
        if before is Level.TEMPLATE:  # what led there is over; the next level is judged by what comes
            self._outcomes.clear()
            self._poor = self._answered = 0
        return Shift(before, self.level, reason)

    def _forget(self, now: int) -> None:
        while self._outcomes and self._outcomes[0][0] <= now - self.settings.window:
            self._poor -= self._outcomes.popleft()[1]


class Degraded:
    """See Stage. Gives each task the level its tool stands at, and measures how it went."""

    def __init__(
        self, inner: Stage, database: Database, clock: Clock, chance: Random, settings: OrchestratorSettings
    ) -> None:
        self._inner = inner
        self._database = database
        self._clock = clock
        self._chance = chance
        self._settings = settings
        self._ladders: dict[str, Ladder] = {}

    def configure(self, settings: OrchestratorSettings) -> None:
        self._settings = settings
        for ladder in self._ladders.values():
            ladder.settings = settings.degradation

    def levels(self) -> Mapping[str, Level]:
        """The level of each tool that is not served in full."""
        return {tool: ladder.level for tool, ladder in self._ladders.items() if ladder.level is not Level.FULL}

    def level(self, tool: str) -> Level:
        """How well a tool is served now."""
        ladder = self._ladders.get(tool)
        return Level.FULL if ladder is None else ladder.level

    async def complete(self, task: Task) -> Answer:
        if task.rehearsal:
            return await self._inner.complete(task)
        ladder = self._ladder(task.tool)
        level, now = ladder.level, self._clock.now()
        if level is Level.TEMPLATE:
            template = route_of(self._settings, task.tool).template
            if template and task.body is None and task.pinned is None and not ladder.probes(now):
                return await self._fill_in(task, template)
        task = at_level(task, level)
        try:
            answer = await self._inner.complete(task)
        except ProviderError as error:
            # a limit of ours holds one caller back, and says nothing of the service that the others get
            if error.error_class not in _CALLERS_FAULT and error.code != OWN_LIMIT:
                await self._tell(task.tool, ladder.record(self._clock.now(), poor=True))
            raise
        ended = self._clock.now()
        await self._tell(task.tool, ladder.record(ended, poor=_took(answer, ended - now) >= ladder.settings.slow))
        return answer if level is Level.FULL else answer._replace(level=level)

    async def _fill_in(self, task: Task, template: str) -> Answer:
        """The tool's fixed text instead of a model's. It costs nothing, and is concluded like any answer."""
        now = self._clock.now()
        answer = Answer(
            text=template,
            target=Target(TEMPLATE_PROVIDER, task.tool),
            finish=Finish.STOP,
            usage=None,
            attempt_id=new_id("tpl", now, self._chance),
            cost=NanoUSD(0),
            level=Level.TEMPLATE,
        )
        write = task.conclude(answer) if task.conclude is not None else None
        if write is not None:
            await self._database.write(lambda tx: write(tx, NanoUSD(0)))
        return answer

    def _ladder(self, tool: str) -> Ladder:
        ladder = self._ladders.get(tool)
        if ladder is None:
            route_of(self._settings, tool)  # a tool without a route gets no ladder
            ladder = self._ladders[tool] = Ladder(self._settings.degradation)
        return ladder

    async def _tell(self, tool: str, shift: Shift | None) -> None:
        if shift is None:
            return
        event = ServiceLevelChanged(
            at=self._clock.now(),
            tool=tool,
            level=shift.level.value,
            before=shift.before.value,
            reason=shift.reason,
        )
        try:
            await self._database.write(lambda tx: tx.emit(event))
        except StorageError as error:  # an answer that was paid for must not be lost for it
            _log.warning("%s is served at the level %s, which could not be told: %s", tool, shift.level, error)


def _took(answer: Answer, whole: int) -> int:
    """How long the service took: no time in a line of ours, where nothing failed; and no writing of a long text."""
    streaming = 0 if answer.began is None else answer.duration - answer.began
    return (whole if answer.failed else answer.duration) - streaming


def _said(share: float, settings: DegradationSettings) -> str:
    window = round(seconds(settings.window))
    return f"{share:.0%} of the tasks of the last {window} s went unanswered or took too long"


def _threshold(settings: DegradationSettings, level: Level) -> float:
    """The share that enters a level."""
    return {
        Level.CACHED: settings.cached_at,
        Level.CHEAPER: settings.cheaper_at,
        Level.TEMPLATE: settings.template_at,
    }[level]
