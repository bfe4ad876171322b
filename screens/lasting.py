"""The terminal's driver: it outlives its terminal, counts what goes there, and never stops an engine with itself.

Textual writes from a thread of its own, over a bounded queue. A terminal that hangs up makes a write fail and would end
that thread; whoever leaves next then waits for ever for room in a queue that nobody empties.
"""

from __future__ import annotations

import contextlib
import os
import select
from typing import IO, Any, Protocol, cast

from textual import messages
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.drivers.web_driver import WebDriver

from screens.cells import placed
from screens.pacing import Meter


class Host(Protocol):
    """What the driver asks of the app it draws for."""

    meter: Meter

    @property
    def may_suspend(self) -> bool: ...

    def refuse_suspending(self) -> None: ...

    def went_on(self) -> None: ...


class LastingDriver(LinuxDriver):
    """Textual's own, but for the file it writes to, and for what SIGTSTP does."""

    def __init__(self, app: Any, *arguments: Any, **named: Any) -> None:
        super().__init__(app, *arguments, **named)
        self._host = cast("Host", app)
        self._file: Any = _Forgiving(self._file, self._host.meter)
        self._is_suspended = False

    def write(self, data: str) -> None:
        data = placed(data)
        self._host.meter.queue(_size(data))
        super().write(data)

    def _sigtstp_application(self, *_: Any) -> None:
        """Stopping the process would stop an engine that lives in it, on whatever thread: that is refused."""
        if self._host.may_suspend:
            self._is_suspended = True
            super()._sigtstp_application()
        else:
            self._host.refuse_suspending()

    def _sigcont_application(self, *_: Any) -> None:
        """Going on, also after a stop that nothing could refuse: whoever had the terminal meanwhile changed it."""
        if not self._is_suspended:
            self.suspend_application_mode()
        self._is_suspended = False
        super()._sigcont_application()
        self._host.went_on()


class CountingWebDriver(WebDriver):
    """The driver of a console in a browser, counted as well."""

    def __init__(self, app: Any, *arguments: Any, **named: Any) -> None:
        super().__init__(app, *arguments, **named)
        self._meter: Meter = app.meter

    def run_input_thread(self) -> None:
        """Whoever passed on the keys has gone: nobody is left to draw for."""
        super().run_input_thread()
        self._app.post_message(messages.ExitApp())

    def write(self, data: str) -> None:
        data = placed(data)
        size = _size(data)
        self._meter.queue(size)
        self._meter.begin()
        super().write(data)
        self._meter.end(size)


def lasting(found: type[Driver]) -> type[Driver]:
    """Our driver in place of Textual's; any other, such as a test's, as it is."""
    return {LinuxDriver: LastingDriver, WebDriver: CountingWebDriver}.get(found, found)


class _Forgiving:
    """A file whose writes go nowhere once it is gone. What it takes, and how long that takes, is counted."""

    def __init__(self, file: IO[str], meter: Meter) -> None:
        self._file, self._meter = file, meter

    def write(self, text: str) -> int:
        """Straight to the terminal: a buffer between would hide how long it takes."""
        left = memoryview(text.encode(errors="replace"))
        self._meter.begin()
        with contextlib.suppress(OSError, ValueError):
            while left:
                left = left[self._take(left) :]
        self._meter.end(_size(text))
        return len(text)

    def _take(self, left: memoryview) -> int:
        """How much of it the terminal took. Another program on it may have told it not to wait: so we do."""
        file = self._file.fileno()
        try:
            return os.write(file, left)
        except BlockingIOError:
            select.select([], [file], [], 1.0)
            return 0

    def flush(self) -> None:
        """Nothing is kept back."""

    def fileno(self) -> int:
        return self._file.fileno()


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="replace"))
