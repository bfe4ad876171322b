"""The quotas as their callers see them: the configured windows, a store that counts, and each provider's pace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.events import LimitAdapted
from engine.kernel.clock import Clock
from engine.kernel.values import MINUTE
from engine.limiter.adaptive import Pace
from engine.limiter.plan import Plan
from engine.limiter.quota import Bound, Claim, Grant, Layer, Measure, QuotaRefusal, QuotaStore, QuotaUse
from engine.limiter.settings import QuotaSettings
from engine.limiter.sliding import Counter

Tell = Callable[[LimitAdapted], None]

_SEEN = 1_000  # windows of users and accounts that are remembered for the screens, the newest


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowUse:
    """One window as it stands. `allowed` is what holds now: the limit, or less while its provider throttles."""

    bound: Bound
    used: int
    allowed: int
    frees_at: int | None


class Quotas:
    """Claims for calls and their grants.

    A provider that throttles slows down every window of a minute that leads to it. One without a configured minute is
    held to what it took in the minute before the throttle, until it has recovered: its true limit was found there.
    """

    def __init__(self, store: QuotaStore, clock: Clock, settings: QuotaSettings, tell: Tell) -> None:
        self._store = store
        self._clock = clock
        self._tell = tell
        self._plan = Plan(settings)
        self._paces: dict[str, Pace] = {}  # of providers that slowed and have not recovered
        self._learned: dict[str, Bound] = {}  # of those without a configured minute
        self._sent: dict[str, Counter] = {}  # by provider: what was let through in the last minute
        self._seen: dict[str, Bound] = {}

    def configure(self, settings: QuotaSettings) -> None:
        """Take new limits over; what was counted under the old ones still counts."""
        self._plan = Plan(settings)
        self._seen.clear()
        for pace in self._paces.values():
            pace.settings = settings.adaptive

    def bounds(self, provider: str, user_id: str, account_id: str) -> tuple[Bound, ...]:
        """The windows a call would count in."""
        bounds = self._plan.bounds(provider, user_id, account_id)
        learned = self._learned.get(provider) if self._learned else None
        return bounds if learned is None else (*bounds, learned)

    def claim(self, provider: str, user_id: str, account_id: str, tokens: Callable[[], int]) -> Claim:
        """A call's claim. `tokens`, the most it can take, is asked only where a window counts them."""
        bounds = self.bounds(provider, user_id, account_id)
        counted = tokens() if any(bound.measure is Measure.TOKENS for bound in bounds) else 0
        return Claim(bounds, counted, self._limits(bounds) if self._paces else None)

    async def reserve(self, provider: str, claim: Claim) -> Grant | QuotaRefusal:
        """See QuotaStore."""
        decision = await self._store.reserve(claim)
        if isinstance(decision, Grant):
            sent = self._sent.get(provider)
            if sent is None:
                sent = self._sent[provider] = Counter(MINUTE, MINUTE // 60)
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

    def throttled(self, provider: str) -> None:
        """The provider answered 429: half as fast from now on, once for all calls of a minute."""
        now = self._clock.now()
        pace = self._paces.setdefault(provider, Pace(self._plan.settings.adaptive, MINUTE))
        if not pace.cut(now):
            return
        configured = self._configured(provider)
        if configured is None and provider not in self._learned:
            sent = self._sent.get(provider)
            base = max(1, sent.count(now) if sent else 0)
            self._learned[provider] = Bound.of(Layer.PROVIDER, provider, Measure.REQUESTS, MINUTE, base, pace=provider)
        limit = configured or self._learned[provider].limit
        self._tell(
            LimitAdapted(
                at=now,
                layer=str(Layer.PROVIDER),
                key=provider,
                limit=limit,
                allowed=pace.allowed(limit, now),
                whole_at=pace.whole_at(),
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
        return (*of_all, *self._plan.bounds("", "", ""), *self._learned.values())

    def _configured(self, provider: str) -> int | None:
        rates = self._plan.settings.providers.get(provider)
        return rates.requests_minute if rates else None

    def _limits(self, bounds: Sequence[Bound]) -> tuple[int, ...]:
        now = self._clock.now()
        for provider in [name for name, pace in self._paces.items() if pace.whole_at() <= now]:
            del self._paces[provider]
            self._learned.pop(provider, None)
        paces = self._paces
        return tuple(
            pace.allowed(bound.limit, now) if (pace := paces.get(bound.pace)) else bound.limit for bound in bounds
        )

    def _remember(self, bounds: tuple[Bound, ...]) -> None:
        seen = self._seen
        for bound in bounds:
            if bound.name not in seen:
                if len(seen) >= _SEEN:
                    del seen[next(iter(seen))]
                seen[bound.name] = bound


def _window(bound: Bound, use: QuotaUse, allowed: int) -> WindowUse:
    return WindowUse(bound=bound, used=use.used, allowed=allowed, frees_at=use.frees_at)
