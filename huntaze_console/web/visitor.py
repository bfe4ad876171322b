"""One visitor's console: a process of its own, attached to the engine with the visitor's own token.

The token reaches it through a pipe: other users can read a command line, and the environment goes to every child.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

from engine.kernel.secret import Secret
from screens.sources.line import Address

_GOODBYE = 5.0  # seconds for a console to leave by itself
LEAST, MOST = (2, 2), (500, 200)  # cells of a browser's window that a console is drawn for


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What a visitor's console is told."""

    address: Address
    state_dir: Path
    config: Path | None
    actor: str
    read_only: bool

    def dump(self, token: Secret) -> bytes:
        address = self.address
        return json.dumps(
            {
                "token": token.reveal(),
                "host": address.host,
                "port": address.port,
                "socket": _text(address.socket),
                "tls": address.tls,
                "ca_file": _text(address.ca_file),
                "path": address.path,
                "state_dir": str(self.state_dir),
                "config": _text(self.config),
                "actor": self.actor,
                "read_only": self.read_only,
            }
        ).encode()


class VisitorService(AppService):
    """textual-serve's bridge between a web socket and a console, started without a shell and ended for certain."""

    def __init__(
        self,
        visit: Visit,
        token: Secret,
        *,
        write_bytes: Callable[[bytes], Awaitable[None]],
        close: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(
            "", write_bytes=write_bytes, write_str=_ignore, close=close, download_manager=DownloadManager()
        )
        self._visit, self._token = visit, token

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        ours, theirs = os.pipe()
        try:
            os.write(theirs, self._visit.dump(self._token))
            os.close(theirs)
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "huntaze_console.visiting",
                str(ours),
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                pass_fds=(ours,),
                start_new_session=True,
                env=_environment(os.environ, self._build_environment(width, height)),
            )
        finally:
            os.close(ours)
        self._stdin = self._process.stdin
        return self._process

    async def run(self) -> None:
        """Until the console ends, however it does; then the page is told."""
        await super().run()
        with contextlib.suppress(ConnectionError, RuntimeError):
            await self.remote_close()

    async def on_meta(self, data: bytes) -> None:
        """The console's end closes the page; it neither opens addresses in the browser nor delivers files."""
        if json.loads(data).get("type") == "exit":
            await self.remote_close()

    async def on_packed(self, payload: bytes) -> None:
        """Files are not delivered."""

    async def stop(self) -> None:
        """Ask it to leave, and see to it that it does."""
        process, task = self._process, self._task
        if process is None or task is None:
            return
        self._task = None
        with contextlib.suppress(ConnectionError, RuntimeError):
            await self.send_meta({"type": "quit"})
        try:
            await asyncio.wait_for(process.wait(), _GOODBYE)
        except TimeoutError:
            process.kill()
            await process.wait()
        await asyncio.wait({task}, timeout=_GOODBYE)
        task.cancel()


def resized(data: object) -> tuple[int, int] | None:
    """The columns and rows that a browser says it has, within reason; None for what is no size."""
    if not isinstance(data, dict):
        return None
    width, height = data.get("width"), data.get("height")
    if not isinstance(width, int) or not isinstance(height, int):
        return None
    return min(max(width, LEAST[0]), MOST[0]), min(max(height, LEAST[1]), MOST[1])


def _environment(ours: Mapping[str, str], built: Mapping[str, str]) -> dict[str, str]:
    """What the console needs of this environment: no provider's key, and no token."""
    kept = {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "XDG_CONFIG_HOME", "XDG_STATE_HOME"}
    added = {name: value for name, value in built.items() if ours.get(name) != value}
    return {
        **{name: value for name, value in ours.items() if name in kept or name.startswith("PYTHON")},
        **added,
        "COLUMNS": built["COLUMNS"],
        "ROWS": built["ROWS"],
        "TEXTUAL_FPS": "30",
    }


async def _ignore(_: str) -> None:
    """Where words for the page's script go that no console of ours sends."""


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
