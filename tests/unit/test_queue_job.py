"""The pure parts of the queue, and its bell."""

from __future__ import annotations

import asyncio

from engine.kernel.values import MINUTE
from engine.queue import Bell, Priority
from engine.queue.job import CAUSE_LENGTH, clean_cause, rank


def test_a_level_is_worth_a_minute() -> None:
    assert rank(0, Priority.URGENT) == 0
    assert rank(0, Priority.BULK) == 4 * MINUTE


def test_a_cause_keeps_its_words_and_loses_what_could_move_a_terminal() -> None:
    assert clean_cause("ValueError: a\r\n\x1b[2J\x07\u202e b\x9b1m") == "ValueError: a [2J b 1m"


def test_a_cause_is_cut() -> None:
    assert clean_cause("é" * 10_000) == "é" * CAUSE_LENGTH


async def test_a_ring_that_came_while_the_listener_was_busy_is_heard() -> None:
    bell = Bell()
    heard = bell.rings
    bell.ring()

    async with asyncio.timeout(1):
        await bell.wait(heard)


async def test_every_listener_hears_a_ring_whatever_the_others_do() -> None:
    bell = Bell()
    async with asyncio.timeout(1), asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(bell.wait(bell.rings))
        await asyncio.sleep(0)
        bell.ring()


async def test_a_cancelled_listener_leaves_no_trace() -> None:
    bell = Bell()
    async with asyncio.TaskGroup() as tasks:
        listener = tasks.create_task(bell.wait(0))
        await asyncio.sleep(0)
        listener.cancel()

    bell.ring()

    assert bell.rings == 1
