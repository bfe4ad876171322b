"""Who counts what goes out: this host's own limiter, or Redis where daemons share one."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from engine.limiter import QuotaStore
from engine.limiter.local import LocalLimiter
from engine.limiter.local_quotas import LocalQuotas
from engine.storage import Database
from huntaze_console.bootstrap.start import Start
from huntaze_console.config import Settings

if TYPE_CHECKING:  # what a shared limiter needs is loaded when there is one
    from engine.limiter.redis_slots import RedisLimiter
    from engine.storage.redis import RedisClient


async def open_limits(
    start: Start, database: Database, stack: AsyncExitStack
) -> tuple[LocalLimiter | RedisLimiter, QuotaStore]:
    """Redis's client takes a sixth of a second to import, so only who shares pays. An idle engine shares nothing."""
    if start.settings.backends.limiter == "redis" and not start.idle:
        client = await asyncio.to_thread(_redis, start.settings)
        stack.push_async_callback(client.close)
        return await _shared_limits(start, database, client)
    limiter = LocalLimiter(database, start.clock, start.settings.limiter, start.names)
    counters = LocalQuotas(database, start.clock)
    await limiter.load()
    await counters.load()
    return limiter, counters


async def _shared_limits(start: Start, database: Database, client: RedisClient) -> tuple[RedisLimiter, QuotaStore]:
    from engine.limiter.redis_quotas import RedisQuotas
    from engine.limiter.redis_slots import RedisLimiter

    limiter = RedisLimiter(client, database, start.clock, start.settings.limiter, start.names)
    await limiter.load()
    return limiter, RedisQuotas(client, start.clock)


def _redis(settings: Settings) -> RedisClient:
    from engine.storage.redis import RedisClient

    return RedisClient(settings.backends.redis_url, settings.backends.redis_timeout_seconds)
