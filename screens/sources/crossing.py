"""From Textual's loop to another thread's and back, without either ever waiting for the other."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

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
