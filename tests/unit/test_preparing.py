"""Tasks wait for the providers' SDKs, so that no call's time tells of the loading."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from engine.kernel.clock import Clock, SystemClock
from engine.kernel.secret import Secret
from engine.orchestrator import Answer, Target, Task
from engine.providers import Chunk, Completion, Finish, LateProvider, ModelRequest, Provider, ProviderSettings
from huntaze_console.joints import Prepared

ROW = ProviderSettings.of("openai", api_key=Secret("sk-test"))
TASK = Task(tool="message", messages=(), trace_id="trc")


class Stage:
    """Answers at once, and counts."""

    asked = 0

    async def complete(self, task: Task) -> Answer:
        self.asked += 1
        return Answer("hello", Target("openai", "m"), Finish.STOP, None, "att")


class Silent:
    name = "openai"

    async def complete(self, model: str, request: ModelRequest) -> Completion:
        raise NotImplementedError

    def stream(self, model: str, request: ModelRequest) -> AsyncIterator[Chunk]:
        raise NotImplementedError

    async def close(self) -> None: ...


async def test_a_task_waits_until_every_provider_is_loaded(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    allowed, loaded = threading.Event(), []

    def load(row: ProviderSettings, clock: Clock) -> Provider:
        assert allowed.wait(5)
        loaded.append(row.name)
        return Silent()

    stage = Stage()
    prepared = Prepared(stage, [LateProvider(ROW, SystemClock(), load) for _ in range(2)])

    async with asyncio.TaskGroup() as group:
        group.create_task(prepared.complete(TASK))
        await asyncio.sleep(0.02)
        early = stage.asked
        allowed.set()

    assert (early, stage.asked, loaded) == (0, 1, ["openai", "openai"])
    assert "providers ready to be called: openai, openai" in caplog.text


async def test_one_that_cannot_be_loaded_is_told_of_and_holds_up_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def load(row: ProviderSettings, clock: Clock) -> Provider:
        raise ImportError("half an installation")

    stage = Stage()

    await Prepared(stage, [LateProvider(ROW, SystemClock(), load)]).complete(TASK)

    assert stage.asked == 1
    assert "openai could not be loaded; its next call tries again: half an installation" in caplog.text
