"""Decisions a second of aiolimiter, limits and throttled-py: `limiters.py SECONDS REDIS_PORT`, as JSON.

Each key is asked 40 times against 10 in 60 s, so one decision in four is granted, as in our own measurement.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Awaitable, Callable

from aiolimiter import AsyncLimiter
from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage as AsyncRedisStorage
from limits.aio.strategies import MovingWindowRateLimiter as AsyncMovingWindow
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from throttled import RateLimiterType, Throttled, per_min, store
from throttled.asyncio import Throttled as AsyncThrottled
from throttled.asyncio import store as async_store

ASKED = 40
TASKS = 64


def in_memory(seconds: float, fresh: Callable[[str], Callable[[], object]]) -> float:
    made, began, numbers = 0, time.perf_counter(), itertools.count()
    while time.perf_counter() - began < seconds:
        for _ in range(20):
            ask = fresh(f"key{next(numbers)}")
            for _ in range(ASKED):
                ask()
        made += 20 * ASKED
    return made / (time.perf_counter() - began)


async def leaky(seconds: float) -> float:
    made, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        for _ in range(20):
            limiter = AsyncLimiter(10, 60)
            for _ in range(ASKED):
                if limiter.has_capacity():
                    await limiter.acquire()
        made += 20 * ASKED
    return made / (time.perf_counter() - began)


async def on_redis(seconds: float, tasks: int, ask: Callable[[str], Awaitable[object]]) -> float:
    made, began, numbers = 0, time.perf_counter(), itertools.count()

    async def work() -> None:
        nonlocal made
        while time.perf_counter() - began < seconds:
            key = f"key{tasks}-{next(numbers)}"
            for _ in range(ASKED):
                await ask(key)
                made += 1

    await asyncio.gather(*(work() for _ in range(tasks)))
    return made / (time.perf_counter() - began)


def moving_window() -> Callable[[str], Callable[[], object]]:
    limiter, item = MovingWindowRateLimiter(MemoryStorage()), RateLimitItemPerMinute(10)
    return lambda key: lambda: limiter.hit(item, key)


def throttled(kind: RateLimiterType) -> Callable[[str], Callable[[], object]]:
    memory, quota = store.MemoryStore(options={"MAX_SIZE": 1_000_000}), per_min(10, burst=10)

    def fresh(key: str) -> Callable[[], object]:
        one = Throttled(key=key, using=kind.value, quota=quota, store=memory)
        return one.limit

    return fresh


async def redis_peers(seconds: float, port: int) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    window = AsyncMovingWindow(
        AsyncRedisStorage(f"async+redis://127.0.0.1:{port}/1", implementation="redispy", max_connections=TASKS)
    )
    item = RateLimitItemPerMinute(10)
    shared = async_store.RedisStore(server=f"redis://127.0.0.1:{port}/2")
    limiters = {
        kind: AsyncThrottled(using=kind.value, quota=per_min(10, burst=10), store=shared)
        for kind in (RateLimiterType.GCRA, RateLimiterType.SLIDING_WINDOW)
    }
    for tasks in (1, TASKS):
        label = f"redis, {tasks}"
        found.setdefault("limits, moving window", {})[label] = await on_redis(
            seconds, tasks, lambda key: window.hit(item, key)
        )
        for kind, limiter in limiters.items():
            found.setdefault(f"throttled-py, {kind.value}", {})[label] = await on_redis(seconds, tasks, limiter.limit)
    return found


def main() -> None:
    seconds, port = float(sys.argv[1]), int(sys.argv[2])
    found: dict[str, dict[str, float]] = {
        "aiolimiter, leaky bucket": {"memory": asyncio.run(leaky(seconds))},
        "limits, moving window": {"memory": in_memory(seconds, moving_window())},
    }
    for kind in (RateLimiterType.GCRA, RateLimiterType.SLIDING_WINDOW):
        found[f"throttled-py, {kind.value}"] = {"memory": in_memory(seconds, throttled(kind))}
    for name, figures in asyncio.run(redis_peers(seconds, port)).items():
        found.setdefault(name, {}).update(figures)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
