"""What is counted, minute by minute, of each endpoint, tool, provider and model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from engine.events import CallSettled, Event, FallbackTaken
from engine.kernel.histogram import bucket_of
from engine.kernel.series import Series
from engine.kernel.values import MINUTE

OTHERS = "(others)"


class Kind(StrEnum):
    ENDPOINT = "endpoint"
    TOOL = "tool"
    PROVIDER = "provider"
    MODEL = "model"


Key = tuple[Kind, str]
Minute = dict[Key, Series]


class Recorder:
    """The minutes since the last write, in memory.

    It is bounded: no more than `names` names a minute, the rest is counted under `OTHERS`; no more than `minutes`
    minutes, the oldest are dropped and counted in `lost`.
    """

    def __init__(self, *, names: int = 500, minutes: int = 1_440) -> None:
        self._names = names
        self._minutes = minutes
        self._open: dict[int, Minute] = {}
        self.lost = 0

    def series(self, at: int, kind: Kind, name: str) -> Series:
        """The counts of a name in the minute around an instant."""
        number = at // MINUTE
        minute = self._open.get(number)
        if minute is None:
            minute = self._begin(number)
        found = minute.get((kind, name))
        if found is None:
            key = (kind, name if len(minute) < self._names else OTHERS)
            found = minute.setdefault(key, Series())
        return found

    def endpoint(self, at: int, name: str, status: int, whole: int, first: int | None) -> None:
        """Count an answered request; durations in nanoseconds, `first` None for what was not streamed."""
        series = self.series(at, Kind.ENDPOINT, name)
        series.calls += 1
        series.errors += status >= 500
        series.refused += 400 <= status < 500
        series.whole.record(whole)
        if first is not None:
            series.first.record(first)

    def observe(self, event: Event) -> None:
        """Count what the engine says of a call to a model; a rehearsal's is no traffic."""
        match event:
            case CallSettled() if not event.rehearsed:
                bucket = bucket_of(event.duration) if event.duration else None  # 0 where nobody saw the end
                for kind, name in _names(event.tool, event.provider, event.model):
                    self.series(event.at, kind, name).settle(event.outcome, bucket)
            case FallbackTaken():
                for kind, name in _names(event.tool, event.failed_provider, event.failed_model):
                    self.series(event.at, kind, name).hand_over(event.reason)

    def between(self, start: int, end: int) -> Iterator[tuple[int, Key, Series]]:
        """What is in memory of the minutes from `start` to before `end`, in nanoseconds: minute, key, counts."""
        for number, minute in self._open.items():
            if start <= number * MINUTE < end:
                for key, series in minute.items():
                    yield number, key, series

    def ended(self, now: int | None) -> Sequence[tuple[int, Minute]]:
        """The minutes that are over at an instant; all of them for None. They stay until they are `forget`-ten."""
        return [(number, minute) for number, minute in self._open.items() if now is None or number < now // MINUTE]

    def forget(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._open.pop(number, None)

    def _begin(self, number: int) -> Minute:
        if len(self._open) >= self._minutes:
            del self._open[min(self._open)]
            self.lost += 1
        return self._open.setdefault(number, {})


def _names(tool: str, provider: str, model: str) -> tuple[Key, Key, Key]:
    return (Kind.TOOL, tool), (Kind.PROVIDER, provider), (Kind.MODEL, f"{provider}/{model}")
