"""The real engine, with one addition: it kills itself with SIGKILL when it reaches a named point for the n-th time.

`ACCEPTANCE_DOOM=point:n`. The product knows nothing of this: the points are put around its adapters from outside.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from engine.messaging.platforms.onlyfans import OnlyFans
from engine.providers.calling import SdkProvider
from engine.providers.openai_sdk import OpenAIWire
from engine.storage.sqlite import Database

POINTS = (
    "intent-committed",  # the intent to send is on disk, no byte has left
    "send-under-way",  # the platform has the message, its answer has not come
    "send-answered",  # the answer is here, nothing of it is written
    "attempt-committed",  # the attempt is on disk, no byte has left
    "call-under-way",  # the provider has answered its first byte
    "call-answered",  # the answer is here, nothing of it is written
    "before-commit",  # rows are written, the commit is not
    "after-commit",  # the commit stands, nobody was told
    "checkpoint",  # in the middle of looking after the WAL
)


class Doom:
    """Counts how often its point is reached."""

    def __init__(self, text: str) -> None:
        self.point, _, count = text.partition(":")
        self.left = int(count)

    def meet(self, point: str) -> None:
        if point != self.point:
            return
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def around(kind: type, method: str, doom: Doom, before: str, after: str) -> None:
    """Put a point before and one after an asynchronous method."""
    inner: Callable[..., Awaitable[Any]] = getattr(kind, method)

    async def reached(*args: Any, **kwargs: Any) -> Any:
        doom.meet(before)
        result = await inner(*args, **kwargs)
        doom.meet(after)
        return result

    setattr(kind, method, reached)


def arm(doom: Doom) -> None:
    around(OnlyFans, "send", doom, "intent-committed", "send-answered")
    around(OnlyFans, "_outcome", doom, "send-under-way", "")
    around(SdkProvider, "complete", doom, "attempt-committed", "call-answered")
    around(OpenAIWire, "post", doom, "", "call-under-way")
    commit, bound = Database._commit, Database._bound_wal

    def committed(self: Database, connection: Any, group: Any) -> Any:
        group[-1].write = also(group[-1].write, doom)
        done = commit(self, connection, group)
        doom.meet("after-commit")
        return done

    def bounded(self: Database, connection: Any) -> None:
        doom.meet("checkpoint")
        bound(self, connection)

    Database._commit, Database._bound_wal = committed, bounded  # type: ignore[method-assign]


def also(write: Callable[[Any], Any], doom: Doom) -> Callable[[Any], Any]:
    """The write, and then the point just before its commit."""

    def run(tx: Any) -> Any:
        result = write(tx)
        doom.meet("before-commit")
        return result

    return run


if __name__ == "__main__":
    arm(Doom(os.environ["ACCEPTANCE_DOOM"]))
    from huntaze_console.cli import main

    main()
