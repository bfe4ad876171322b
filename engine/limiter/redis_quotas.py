"""The quotas of several daemons, counted in Redis: all windows of a call in one step, on the server's clock.

When Redis cannot be asked, or is not the server it was, nothing is let through: for a moment after a failure, a minute
after a new server. What a server that keeps nothing on disk had counted for an hour or a day is lost with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.kernel.clock import Clock
from engine.kernel.errors import StorageError
from engine.kernel.values import MICROSECOND, MINUTE
from engine.limiter import lua
from engine.limiter.quota import Bound, Claim, Grant, Measure, QuotaReason, QuotaRefusal, QuotaUse
from engine.limiter.redis_slots import ASK_AGAIN, PREFIX
from engine.limiter.sliding import grain_of
from engine.storage.redis import RedisClient, RedisFailure

_REMEMBERED = 10_000  # full windows


class RedisQuotas:
    """See QuotaStore."""

    def __init__(self, redis: RedisClient, clock: Clock, *, time: str = lua.SERVER_TIME) -> None:
        self._redis = redis
        self._clock = clock
        self._script = lua.quotas(time)
        self._full: dict[str, int] = {}  # windows that were full when last asked, and when they open
        self._unsure_until = 0

    async def reserve(self, claim: Claim) -> Grant | QuotaRefusal:
        if not claim.bounds:
            return Grant(claim, ())
        limits = claim.limits or [bound.limit for bound in claim.bounds]
        rows = [
            (limit, bound.limit, 1 if bound.measure is Measure.REQUESTS else claim.tokens)
            for bound, limit in zip(claim.bounds, limits, strict=True)
        ]
        try:
            verdict, *rest = await self._ask("take", claim.bounds, rows)
            return self._decision(claim, verdict, rest)
        except (RedisFailure, ValueError, IndexError):
            self._unsure_until = max(self._unsure_until, self._clock.now() + ASK_AGAIN)
            return QuotaRefusal(QuotaReason.UNSURE, None, self._unsure_until)

    async def settle(self, grant: Grant, tokens: int) -> None:
        await self._adjust(grant, 0, tokens - grant.claim.tokens)

    async def release(self, grant: Grant) -> None:
        await self._adjust(grant, -1, -grant.claim.tokens)

    def opens_at(self, claim: Claim) -> int:
        opens = self._unsure_until
        if self._full:
            for bound in claim.bounds:
                opens = max(opens, self._full.get(bound.name, 0))
        return opens

    async def usage(self, bounds: Sequence[Bound]) -> Sequence[QuotaUse]:
        if not bounds:
            return []
        _, *told = await self._ask("look", bounds, [(0, 0, 0)] * len(bounds))
        now = self._clock.now()
        return [
            QuotaUse(bound.name, used, None if left < 0 else now + left * MICROSECOND)
            for bound, used, left in zip(bounds, told[::2], told[1::2], strict=True)
        ]

    def _decision(self, claim: Claim, verdict: int, rest: list[int]) -> Grant | QuotaRefusal:
        now = self._clock.now()
        if verdict == 1:
            if len(rest) != len(claim.bounds):
                raise ValueError("not one stamp for each window")
            return Grant(claim, tuple(rest))
        if verdict == -1:
            self._unsure_until = now + rest[0] * MICROSECOND
            return QuotaRefusal(QuotaReason.UNSURE, None, self._unsure_until)
        bound = claim.bounds[rest[0] - 1]
        if verdict == -2:
            return QuotaRefusal(QuotaReason.TOO_LARGE, bound, None)
        if len(self._full) >= _REMEMBERED:
            self._full = {name: opens for name, opens in self._full.items() if opens > now}
        opens = self._full[bound.name] = now + rest[1] * MICROSECOND
        return QuotaRefusal(QuotaReason.FULL, bound, opens)

    async def _adjust(self, grant: Grant, requests: int, tokens: int) -> None:
        """Correct what was counted. If Redis does not hear of it, the call counts at its most."""
        by = {Measure.REQUESTS: requests, Measure.TOKENS: tokens}
        changed = [
            (bound, (stamp, by[bound.measure], 0))
            for bound, stamp in zip(grant.claim.bounds, grant.stamps, strict=True)
            if by[bound.measure]
        ]
        if not changed:
            return
        for bound, _ in changed:
            self._full.pop(bound.name, None)
        try:
            await self._ask("adjust", [bound for bound, _ in changed], [row for _, row in changed])
        except StorageError:
            self._unsure_until = self._clock.now() + ASK_AGAIN

    async def _ask(self, op: str, bounds: Sequence[Bound], rows: Sequence[tuple[int, int, int]]) -> list[int]:
        keys = [f"{PREFIX}:quotas"]
        arguments: list[str | int] = [MINUTE // MICROSECOND, op, len(bounds)]
        for bound, row in zip(bounds, rows, strict=True):
            keys.append(f"{PREFIX}:quota:{bound.name}")
            arguments += (bound.width // MICROSECOND, max(1, grain_of(bound.width) // MICROSECOND), *row)
        answer = await self._redis.run(self._script, keys, arguments)
        if not isinstance(answer, list) or not answer or not all(isinstance(part, int) for part in answer):
            raise RedisFailure("Redis: an answer that is none of ours")
        return answer
