"""A provider that is loaded late: once, by whoever needs it first, and never after its end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from engine.kernel.clock import Clock, SystemClock
from engine.kernel.errors import ProviderError
from engine.kernel.secret import Secret
from engine.providers import (
    Chunk,
    Completion,
    Finish,
    LateProvider,
    Message,
    ModelRequest,
    Provider,
    ProviderSettings,
    Role,
)

ROW = ProviderSettings.of("openai", api_key=Secret("sk-test"))
REQUEST = ModelRequest(messages=(Message(Role.USER, "hello"),), max_output_tokens=10)


class Loading:
    """Loads in its own time: when `allowed` is set."""

    def __init__(self, *, failures: int = 0) -> None:
        self.allowed = threading.Event()
        self.begun = 0
        self.failures = failures
        self.provider = Loaded()

    def __call__(self, row: ProviderSettings, clock: Clock) -> Provider:
        self.begun += 1
        assert self.allowed.wait(5)
        if self.begun <= self.failures:
            raise ImportError("half an installation")
        return self.provider


class Loaded:
    name = "openai"
    closed = False

    async def complete(self, model: str, request: ModelRequest) -> Completion:
        return Completion(text="whole", finish=Finish.STOP, usage=None, model=model)

    async def stream(self, model: str, request: ModelRequest) -> AsyncIterator[Chunk]:
        yield Chunk(text="pie")
        yield Chunk(text="ces", finish=Finish.STOP)

    async def close(self) -> None:
        self.closed = True


async def test_nothing_is_loaded_before_it_is_needed() -> None:
    loading = Loading()

    provider = LateProvider(ROW, SystemClock(), loading)
    await provider.close()

    assert provider.name == "openai"
    assert loading.begun == 0


async def test_calls_that_come_sooner_wait_for_one_loading() -> None:
    loading = Loading()
    provider = LateProvider(ROW, SystemClock(), loading)

    async with asyncio.TaskGroup() as group:
        opening = group.create_task(provider.open())
        whole = group.create_task(provider.complete("m", REQUEST))
        pieces = group.create_task(_text(provider))
        await asyncio.sleep(0.02)
        waited = not (opening.done() or whole.done() or pieces.done())
        loading.allowed.set()

    assert waited
    assert (whole.result().text, pieces.result(), loading.begun) == ("whole", "pieces", 1)
    assert opening.result() is loading.provider
    assert ((await provider.complete("m", REQUEST)).text, await _text(provider)) == ("whole", "pieces")


async def test_who_stops_waiting_does_not_stop_the_loading() -> None:
    loading = Loading()
    provider = LateProvider(ROW, SystemClock(), loading)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await provider.complete("m", REQUEST)
    loading.allowed.set()

    assert (await provider.complete("m", REQUEST)).text == "whole"
    assert loading.begun == 1


async def test_a_loading_that_failed_is_tried_again_by_the_next_call() -> None:
    loading = Loading(failures=1)
    loading.allowed.set()
    provider = LateProvider(ROW, SystemClock(), loading)

    with pytest.raises(ImportError):
        await provider.open()

    assert (await provider.complete("m", REQUEST)).text == "whole"


async def test_what_is_being_loaded_when_the_end_comes_is_closed_with_it() -> None:
    loading = Loading()
    provider = LateProvider(ROW, SystemClock(), loading)

    async with asyncio.TaskGroup() as group:
        group.create_task(provider.open())
        await asyncio.sleep(0)
        closing = group.create_task(provider.close())
        await asyncio.sleep(0.02)
        early = closing.done()
        loading.allowed.set()

    assert not early
    assert loading.provider.closed
    with pytest.raises(ProviderError) as refused:
        await provider.open()
    assert not refused.value.reached


async def _text(provider: Provider) -> str:
    return "".join([chunk.text async for chunk in provider.stream("m", REQUEST)])
