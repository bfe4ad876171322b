"""From Textual's loop to another thread's and back, without either ever waiting for the other."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

from engine.kernel.errors import EngineUnavailable

T = TypeVar("T")
_PATIENCE = 30.0  # seconds for one answer


async def cross(work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop | None) -> T:
    """Run a coroutine on another loop. Raises EngineUnavailable when that loop is gone, goes, or does not answer."""
    if loop is None or not loop.is_running():
        work.close()
        raise EngineUnavailable("The engine is not running", remedy="Nothing was changed")
    future = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))
    try:
        async with asyncio.timeout(_PATIENCE):
            return await future
    except TimeoutError as error:
        remedy = "It may still be carried out: look before asking again"
        raise EngineUnavailable(f"The engine did not answer within {_PATIENCE:g} s", remedy=remedy) from error
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise EngineUnavailable("The engine stopped before it answered") from error


async def aside(work: Callable[[], T]) -> T:
    """Do something that waits on a thread of its own. Whoever leaves meanwhile does not wait for it."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if outcome.done():
            return
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(cast("T", result))

    def run() -> None:
        result, failed = None, None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - whoever waits is told
            failed = error
        with contextlib.suppress(RuntimeError):  # the loop ended meanwhile
            loop.call_soon_threadsafe(settle, result, failed)

    threading.Thread(target=run, name="asking", daemon=True).start()
    return await outcome
