"""The quotas as their callers see them: the configured windows, a store that counts, and the models that throttled."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from engine.events import LimitAdapted
from engine.kernel.clock import Clock
from engine.kernel.values import MINUTE
from engine.limiter.adaptive import Pace
from engine.limiter.plan import Plan
from engine.limiter.quota import Bound, Claim, Grant, Layer, Measure, QuotaRefusal, QuotaStore, QuotaUse
from engine.limiter.settings import QuotaSettings
from engine.limiter.sliding import Counter

Tell = Callable[[LimitAdapted], None]

Target = tuple[str, str]  # provider and model
_T = TypeVar("_T")

_SEEN = 1_000  # windows of users and accounts that are remembered for the screens, the newest
_KEPT = 512  # models; what clients of the gateway may name is not bounded by the configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowUse:
    """One window as it stands. `allowed` is what holds now: the limit, or less after its model throttled."""

    bound: Bound
    used: int
    allowed: int
    frees_at: int | None


@dataclass(slots=True)
class _Slowed:
    """A model that throttled and has not recovered. `least` it is left in any case."""

    bound: Bound
    pace: Pace
    least: int

    def allowed(self, now: int) -> int:
        return max(min(self.least, self.bound.limit), self.pace.allowed(self.bound.limit, now))


class Quotas:
    """Claims for calls and their grants.

    A model that throttles again and again gets a minute of its own, narrower with each such time, until it has
    recovered. It begins at half of its provider's configured minute; without one at half of what the model took in the
    minute before: its true limit was found there. Other models of the provider are not slowed.

    `own` is an id of this process: what it has learnt of a model it counts for itself, also where the store is shared.
    """

    def __init__(self, store: QuotaStore, clock: Clock, settings: QuotaSettings, tell: Tell, own: str = "") -> None:
        self._own = own
        self._store = store
        self._clock = clock
        self._tell = tell
        self._plan = Plan(settings)
        self._slowed: dict[Target, _Slowed] = {}
        self._throttles: dict[Target, deque[int]] = {}  # when each model throttled, the last few
        self._sent: dict[Target, Counter] = {}  # what was let through in the last minute
        self._seen: dict[str, Bound] = {}

    def configure(self, settings: QuotaSettings) -> None:
        """Take new limits over; what was counted under the old ones still counts."""
        self._plan = Plan(settings)
        self._seen.clear()
        self._slowed.clear()  # begun under other figures; a model that still throttles says so again

    def bounds(self, target: Target, user_id: str, account_id: str) -> tuple[Bound, ...]:
        """The windows a call would count in."""
        bounds = self._plan.bounds(target[0], user_id, account_id)
        slowed = self._slowed.get(target) if self._slowed else None
        return bounds if slowed is None else (*bounds, slowed.bound)

    def claim(self, target: Target, user_id: str, account_id: str, tokens: Callable[[], int]) -> Claim:
        """A call's claim. `tokens`, the most it can take, is asked only where a window counts them."""
        if self._slowed:
            self._recover()
        bounds = self.bounds(target, user_id, account_id)
        counted = tokens() if any(bound.measure is Measure.TOKENS for bound in bounds) else 0
        return Claim(bounds, counted, self._limits(bounds) if target in self._slowed else None)

    async def reserve(self, target: Target, claim: Claim) -> Grant | QuotaRefusal:
        """See QuotaStore."""
        decision = await self._store.reserve(claim)
        if isinstance(decision, Grant):
            sent = self._sent.get(target)
            if sent is None:
                sent = _kept(self._sent, target, Counter(MINUTE, MINUTE // 60))
            now = self._clock.now()
            sent.count(now)
            sent.take(now, 1)
            self._remember(claim.bounds)
        return decision

    async def settle(self, grant: Grant, tokens: int) -> None:
        await self._store.settle(grant, tokens)

    async def release(self, grant: Grant) -> None:
        await self._store.release(grant)

    def opens_at(self, claim: Claim) -> int:
        return self._store.opens_at(claim)

    def throttled(self, target: Target) -> None:
        """The model answered 429. Several within a minute halve its pace, once for all calls of that minute."""
        now, adaptive = self._clock.now(), self._plan.settings.adaptive
        said = self._throttles.get(target)
        if said is None or said.maxlen != adaptive.throttles:
            said = _kept(self._throttles, target, deque(said or (), adaptive.throttles))
        said.append(now)
        if len(said) < adaptive.throttles or now - said[0] > MINUTE:
            return
        self._recover()
        slowed = self._slowed.get(target) or self._slow(target, now)
        if slowed is None or not slowed.pace.cut(now):
            return
        said.clear()
        self._slowed[target] = slowed
        self._tell(
            LimitAdapted(
                at=now,
                layer=str(Layer.MODEL),
                key=slowed.bound.key,
                limit=slowed.bound.limit,
                allowed=slowed.allowed(now),
                whole_at=slowed.pace.whole_at(),
            )
        )

    async def usage(self) -> Sequence[WindowUse]:
        """Every window in use, and those of the providers and of everybody in any case."""
        bounds = {bound.name: bound for bound in self._standing()} | self._seen
        shown = tuple(bounds.values())
        limits = self._limits(shown)
        found = await self._store.usage(shown)
        return [_window(bound, use, limit) for bound, use, limit in zip(shown, found, limits, strict=True)]

    def _standing(self) -> tuple[Bound, ...]:
        settings = self._plan.settings
        of_all = [bound for name in settings.providers for bound in self._plan.bounds(name, "", "")]
        self._recover()
        return (*of_all, *self._plan.bounds("", "", ""), *(one.bound for one in self._slowed.values()))

    def _slow(self, target: Target, now: int) -> _Slowed | None:
        """The window that a throttle begins; None where the model took too little for its rate to be the reason."""
        rates, adaptive = self._plan.settings.providers.get(target[0]), self._plan.settings.adaptive
        limit, least = rates.requests_minute if rates else None, 1
        if limit is None:
            sent, least = self._sent.get(target), adaptive.least
            limit = sent.count(now) if sent else 0
            if limit <= least:
                return None
        bound = Bound.of(Layer.MODEL, "/".join(target), Measure.REQUESTS, MINUTE, limit)
        bound = replace(bound, name=f"{bound.name}@{self._own}")
        return _Slowed(bound, Pace(adaptive, MINUTE), least)

    def _recover(self) -> None:
        now = self._clock.now()
        for target in [each for each, slowed in self._slowed.items() if slowed.pace.whole_at() <= now]:
            del self._slowed[target]

    def _limits(self, bounds: Sequence[Bound]) -> tuple[int, ...]:
        now = self._clock.now()
        lowered = {slowed.bound.name: slowed.allowed(now) for slowed in self._slowed.values()}
        return tuple(lowered.get(bound.name, bound.limit) for bound in bounds)

    def _remember(self, bounds: tuple[Bound, ...]) -> None:
        seen = self._seen
        for bound in bounds:
            if bound.name not in seen and bound.layer is not Layer.MODEL:
                if len(seen) >= _SEEN:
                    del seen[next(iter(seen))]
                seen[bound.name] = bound


def _kept(known: dict[Target, _T], target: Target, value: _T) -> _T:
    """Keep what is known of a model, in place of the oldest of too many."""
    if target not in known and len(known) >= _KEPT:
        del known[next(iter(known))]
    known[target] = value
    return value


def _window(bound: Bound, use: QuotaUse, allowed: int) -> WindowUse:
    return WindowUse(bound=bound, used=use.used, allowed=allowed, frees_at=use.frees_at)
