"""A recording being made: on a thread of its own, beside the screens or without any."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from engine.kernel.errors import EngineUnavailable, HuntazeError
from screens.recording.recorder import Recorder
from screens.recording.tape import Tape

if TYPE_CHECKING:
    from screens.source import Source

MOST_BYTES = 256 << 20  # of a recording, where nobody says otherwise
_EVERY = 1.0  # real seconds between two turns: what a kill may lose


class Taping:
    """Records from a source until `stop`, the file is full, or something breaks. `start` raises RecordingError."""

    def __init__(
        self, source: Source, path: Path, *, most_bytes: int = MOST_BYTES, rolls: bool = False, with_text: bool = False
    ) -> None:
        self.path = path
        self.failure: HuntazeError | None = None
        self.over = threading.Event()
        self._source = source
        self._sizes = (most_bytes, rolls, with_text)
        self._tape: Tape | None = None
        self._recorder: Recorder | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        most_bytes, rolls, with_text = self._sizes
        self._tape = Tape(self.path, most_bytes=most_bytes, rolls=rolls, with_text=with_text)
        self._recorder = Recorder(self._source.query, self._tape)
        self._thread.start()

    def stop(self, *, within: float = 30.0) -> None:
        """Write what is still to be written, and close the file; after so many real seconds it is left as it is."""
        self._stopping = True
        self.over.set()
        if self._thread.is_alive():
            self._thread.join(timeout=within)

    @property
    def going(self) -> bool:
        return self._thread.is_alive() and not self._stopping

    @property
    def full(self) -> bool:
        return self._tape is not None and self._tape.full

    @property
    def size(self) -> int:
        return self._tape.size if self._tape else 0

    @property
    def events(self) -> int:
        return self._tape.events if self._tape else 0

    @property
    def note(self) -> str:
        """What keeps it from going on just now; empty while nothing does."""
        return self._recorder.note if self._recorder else ""

    def _run(self) -> None:
        try:
            asyncio.run(self._follow())
        except HuntazeError as error:
            self.failure = error
        finally:
            self.over.set()
            self._close()

    async def _follow(self) -> None:
        assert self._recorder is not None  # noqa: S101 - set before the thread starts
        await self._begin(self._recorder)
        while not self._stopping and self._recorder.going:
            await self._recorder.turn(self._source.link().now)
            await asyncio.to_thread(self.over.wait, _EVERY)
        if self._recorder.going:
            await self._recorder.turn(self._source.link().now)

    async def _begin(self, recorder: Recorder) -> None:
        """Begin once the engine answers."""
        while True:
            try:
                return await recorder.begin(now=self._source.link().now)
            except EngineUnavailable as error:
                recorder.note = error.message
                if await asyncio.to_thread(self.over.wait, _EVERY):
                    raise

    def _close(self) -> None:
        assert self._recorder is not None  # noqa: S101 - set before the thread starts
        empty = self.size == 0
        try:
            self._recorder.end(None)
        except HuntazeError as error:
            self.failure = self.failure or error
        if empty:
            self.path.unlink(missing_ok=True)
