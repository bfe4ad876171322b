"""Keys in the order they were typed, each answered to its end before the next is looked at.

Textual hands a key to what has the focus as soon as it comes. Typed ahead, or arriving together over a link that
stalled, the letters behind `/` or `:` would go to the table that still has the focus, and a letter is a command there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import Any

from textual import events
from textual.dom import DOMNode
from textual.message_pump import MessagePump
from textual.widgets import Input
from textual.worker import Worker

from screens.place import Console

_PATIENCE = 5.0  # seconds for a key to be answered; what was typed behind it is then forgotten
_LOOK = 0.25  # seconds between two looks whether a part that was asked is still there
_AT_ONCE = frozenset({"ctrl+c"})
GOING = "going"  # the group of workers that a next key waits for: those that lead to another place


class OrderedConsole(Console):
    """A console that is typed at faster than it answers."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._typed: deque[events.Key | events.Paste] = deque()
        self._answer: Worker[None] | None = None  # of the key that is being answered, and of those behind it

    @property
    def answered(self) -> bool:
        """Is nothing typed that has not been answered to its end?"""
        return self._answer is None

    async def on_event(self, event: events.Event) -> None:
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded or _urgent(event):
            await super().on_event(event)
            return
        self._typed.append(event)
        if self._answer is None:
            await self._answer_next()

    async def _answer_next(self) -> None:
        """In the console's own turn, as every key is."""
        self._answer = None  # a key that breaks something leaves the way free for the next one
        target = self.focused or self.screen
        await super().on_event(self._next())
        self._answer = self.run_worker(self._see_through(target), group="answers", exit_on_error=False)

    def _next(self) -> events.Event:
        """The next key; letters that wait for a field all at once, as if pasted: each by itself is laid out anew."""
        event = self._typed.popleft()
        if not (isinstance(self.focused, Input) and self._is_letter(event) and self._typed):
            return event
        letters: list[events.Key | events.Paste] = [event]
        while self._typed and self._is_letter(self._typed[0]):
            letters.append(self._typed.popleft())
        if len(letters) == 1:
            return event
        return events.Paste("".join(getattr(letter, "character", "") for letter in letters))

    def _is_letter(self, event: events.Key | events.Paste) -> bool:
        if not isinstance(event, events.Key) or not event.is_printable:
            return False
        bound = self.screen.active_bindings.get(event.key)
        return bound is None or not (bound.binding.priority and bound.enabled)

    async def _see_through(self, target: DOMNode) -> None:
        """Wait until a key's answer is there, with the focus it sets, and begin the next."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._answered_by(target)
        except TimeoutError:
            if self._typed:
                self._typed.clear()
                self.tell("The screen took too long; what was typed meanwhile is forgotten", severity="warning")
        finally:
            if self._typed:
                self.call_later(self._answer_next)
            else:
                self._answer = None

    async def _answered_by(self, target: DOMNode) -> None:
        for node in list(target.ancestors_with_self):  # the way a key bubbles
            await _worked_off(node)
        for worker in [worker for worker in self.workers if worker.group == GOING]:
            with contextlib.suppress(Exception):
                await worker.wait()
        await _worked_off(self)  # focus is set a turn later
        await _worked_off(self.screen)  # one that was opened mounts first
        await _worked_off(self)
        if self.focused is not None:
            await _worked_off(self.focused)


def _urgent(event: events.Key | events.Paste) -> bool:
    return isinstance(event, events.Key) and event.key in _AT_ONCE


async def _worked_off(node: MessagePump) -> None:
    """Until a part has answered all that it was sent so far, or is gone."""
    done = asyncio.Event()
    if not node.call_later(done.set):
        return
    while node.is_running and not done.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), _LOOK)
