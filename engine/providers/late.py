"""A provider whose SDK is loaded when it is first needed, or when somebody has the time: not at the start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

from engine.kernel.clock import Clock
from engine.kernel.errors import ErrorClass
from engine.providers.faults import fault
from engine.providers.open import open_provider
from engine.providers.port import Chunk, Completion, ModelRequest, Provider
from engine.providers.settings import ProviderSettings


class LateProvider:
    """See Provider. A call that comes before it is open waits until it is."""

    def __init__(
        self,
        settings: ProviderSettings,
        clock: Clock,
        load: Callable[[ProviderSettings, Clock], Provider] = open_provider,
    ) -> None:
        self.name = settings.name
        self._settings = settings
        self._clock = clock
        self._load = load
        self._loading: asyncio.Future[Provider] | None = None
        self._opened: Provider | None = None
        self._closed = False

    @property
    def is_open(self) -> bool:
        return self._opened is not None

    async def open(self, model: str = "") -> Provider:
        """Load the SDK in a thread, once; nothing is dialled. Raises ProviderError, about `model`, after `close`."""
        if self._closed:
            refused = fault(ErrorClass.NETWORK_ERROR, "this provider is closed; nothing was sent", reached=False)
            raise refused.error(self.name, model)
        if self._loading is None:
            loop = asyncio.get_running_loop()
            self._loading = loop.run_in_executor(None, self._load, self._settings, self._clock)
            self._loading.add_done_callback(self._loaded)
        return await asyncio.shield(self._loading)  # who waits may leave; the others need it

    async def complete(self, model: str, request: ModelRequest) -> Completion:
        provider = self._opened or await self.open(model)
        return await provider.complete(model, request)

    def stream(self, model: str, request: ModelRequest) -> AsyncIterator[Chunk]:
        if self._opened is not None:
            return self._opened.stream(model, request)
        return self._stream_once_open(model, request)

    async def close(self) -> None:
        self._closed = True
        if self._loading is not None:
            await asyncio.wait({self._loading})  # a thread cannot be stopped
        if self._opened is not None:
            await self._opened.close()

    def _loaded(self, loading: asyncio.Future[Provider]) -> None:
        if loading.cancelled() or loading.exception() is not None:
            self._loading = None  # the next call tries again
        else:
            self._opened = loading.result()

    async def _stream_once_open(self, model: str, request: ModelRequest) -> AsyncIterator[Chunk]:
        provider = await self.open(model)
        async with aclosing(provider.stream(model, request)) as chunks:  # type: ignore[type-var]  # as every adapter's, a generator
            async for chunk in chunks:
                yield chunk
