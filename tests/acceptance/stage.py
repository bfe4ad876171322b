"""A world that lives on and an engine that is killed: what the acceptance tests are played on.

Both are real processes. The engine is `huntaze daemon`, or the same with a doom (tests/acceptance/doomed.py): a named
point at which it kills itself with SIGKILL.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.kernel.errors import EngineUnavailable
from engine.simulation.launch import RunningWorld, launched
from engine.simulation.options import WorldOptions
from engine.storage.directory import StateDirectory
from engine.surface.commands import Audience, CampaignDraft, CreateCampaign
from engine.surface.queries import ListCampaigns, ListDeliveries
from huntaze_console.client import connect

ONE_PROVIDER = "".join(
    f"[providers.{name}]\nenabled = false\n" for name in ("anthropic", "azure", "deepseek", "gemini", "xai")
)
"""A configuration whose engine starts fast: it loads one provider's SDK only."""

READY_WITHIN = 30.0  # real seconds
POLL = 0.1  # real seconds between two looks from outside


@dataclass
class Daemon:
    """One run of the engine on a state directory."""

    process: subprocess.Popen[str]
    state: StateDirectory

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.gone()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(READY_WITHIN)

    def gone(self) -> int:
        """Wait until it has ended; its exit code."""
        code = self.process.wait(120)
        if self.process.stdout:
            self.process.stdout.close()
        return code

    @property
    def alive(self) -> bool:
        return self.process.poll() is None


@dataclass
class Stage:
    """A world, and the state directory of the engine that plays in it."""

    world: RunningWorld
    record: Path
    state: Path
    config: Path | None = None
    daemons: list[Daemon] = field(default_factory=list)

    def start(self, *flags: str, doom: str = "") -> Daemon:
        """Start the engine and wait until it says that it is ready."""
        module = "tests.acceptance.doomed" if doom else "huntaze_console"
        command = [sys.executable, "-m", module, "daemon", "--simulate", "--world", self.world.url, "--port", "0"]
        command += ["--state-dir", str(self.state), *(["--config", str(self.config)] if self.config else []), *flags]
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "ACCEPTANCE_DOOM": doom},
            )
        daemon = Daemon(process, StateDirectory(self.state))
        self.daemons.append(daemon)
        assert process.stdout is not None
        line = process.stdout.readline()
        if doom and not line:
            return daemon  # it met its doom at the start
        assert "ready at" in line, (line, self._log.read_text()[-2000:])
        return daemon

    def said(self) -> str:
        """What the engines wrote to their log so far."""
        return self._log.read_text()

    @property
    def _log(self) -> Path:
        return self.state.parent / "engine.log"

    def ask(self, call: Callable[[Any], Any], *, patience: float = READY_WITHIN) -> Any:
        """One question or command over the socket, tried again while the engine is away, for so many real seconds."""
        give_up = time.monotonic() + patience
        while True:
            try:
                with connect(StateDirectory(self.state)) as client:
                    return call(client)
            except EngineUnavailable:
                if time.monotonic() > give_up:
                    raise
                time.sleep(POLL)

    def create(
        self,
        name: str,
        account: str,
        *,
        fans: tuple[str, ...] = (),
        tag: str = "",
        patience: float = READY_WITHIN,
        **draft: Any,
    ) -> str:
        """Create and start a campaign; repeated under one key until it is acknowledged. Returns its id."""
        audience = Audience(all=not fans and not tag, tag=tag, fan_ids=fans)
        fields = {"prompt": "Say hello and ask about their day.", "approval": "automatic", **draft}
        command = CreateCampaign(
            draft=CampaignDraft(name=name, account_id=account, audience=audience, **fields), start=True, key=name
        )
        done = self.ask(lambda client: client.submit(command), patience=patience)
        campaign_id: str = done.data["campaign_id"]
        return campaign_id

    def campaigns(self, *, patience: float = READY_WITHIN) -> list[Any]:
        return list(self.ask(lambda client: client.query(ListCampaigns(limit=1000)), patience=patience).rows)

    def deliveries(self, campaign_id: str) -> list[Any]:
        found: list[Any] = []
        cursor = ""
        while True:
            query = ListDeliveries(campaign_id=campaign_id, limit=1000, cursor=cursor)
            page = self.ask(lambda client, query=query: client.query(query))
            found += page.rows
            if page.next is None:
                return found
            cursor = page.next

    def wait(self, done: Callable[[], bool], *, within: float) -> None:
        """Look again and again until it is so."""
        give_up = time.monotonic() + within
        while not done():
            assert time.monotonic() < give_up, "it did not happen in time"
            time.sleep(POLL)

    def records(self, kind: str) -> list[dict[str, Any]]:
        """What arrived at the world, in order."""
        lines = self.record.read_text().splitlines()
        return [found for found in map(json.loads, lines) if found["kind"] == kind]


@contextmanager
def stage(
    folder: Path, *, speed: float, scenario: str = "quiet-day", seed: int = 7, config: str = ""
) -> Iterator[Stage]:
    """A world for the length of the block; every engine started on it has ended afterwards."""
    record = folder / "record.jsonl"
    record.touch()
    file = folder / "config.toml" if config else None
    if file is not None:
        file.write_text(config)
    options = WorldOptions(
        speed=speed, seed=seed, scenario=scenario, record=record, state=folder / "world", parent_pid=os.getpid()
    )
    with launched(options) as world:
        playing = Stage(world, record, folder / "state", file)
        try:
            yield playing
        finally:
            for daemon in playing.daemons:
                if daemon.alive:
                    daemon.kill()
                elif daemon.process.stdout and not daemon.process.stdout.closed:
                    daemon.process.stdout.close()


def scenario_file(folder: Path, text: str) -> str:
    """A scenario of the test's own."""
    path = folder / "scenario.toml"
    path.write_text(text)
    return str(path)


def most_in_any_window(arrivals: list[int], width: int) -> int:
    """The receiver's count: the most arrivals in any closed span of one width (nanoseconds)."""
    ordered = sorted(arrivals)
    worst, first = 0, 0
    for last, at in enumerate(ordered):
        while ordered[first] < at - width:
            first += 1
        worst = max(worst, last - first + 1)
    return worst
