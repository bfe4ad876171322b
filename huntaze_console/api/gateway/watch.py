"""Clients that leave before their answer is there: their requests are cancelled, and so the calls made for them.

aiohttp could cancel every handler whose client leaves, but a command to the engine must not be cut off in the middle.
So requests under /v1 are looked at, all together, a few times a second; while there are none, nothing runs.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

_EVERY = 0.05  # real seconds


class Watch:
    """The requests under way. `run` it beside them."""

    def __init__(self) -> None:
        self._under_way: dict[int, web.Request] = {}
        self._busy = asyncio.Event()

    def begin(self, request: web.Request) -> None:
        """From now on, cancel this request's handler when its client leaves."""
        self._under_way[id(request)] = request
        self._busy.set()

    def end(self, request: web.Request) -> None:
        self._under_way.pop(id(request), None)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            if not self._under_way:
                self._busy.clear()
                await self._busy.wait()
            await asyncio.sleep(_EVERY)
            for request in [one for one in self._under_way.values() if one.transport is None]:
                del self._under_way[id(request)]  # once: the handler may take its time to settle
                if request.task is not None:
                    request.task.cancel()
