"""What a start was asked for: settings, time and chance, and whether anything is to run."""

from __future__ import annotations

import random
from dataclasses import dataclass
from importlib.metadata import version as version_of
from typing import Literal

from engine.kernel.clock import Clock, SystemClock
from engine.kernel.redaction import Redactor
from engine.kernel.values import Random
from engine.storage import StateDirectory
from engine.telemetry import LogBook
from huntaze_console.config import Settings, secrets_in
from huntaze_console.logs import hide
from huntaze_console.worlds import World

VERSION = version_of("huntaze-console")

_LOG_FILE = "engine.log"  # in the state directory, JSON lines


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """An engine as its face wants it. `settings` are the world's own where there is one."""

    settings: Settings
    directory: StateDirectory
    kind: str  # of the face: console, daemon, command
    world: World | None
    idle: bool  # to be asked and told only: no provider, no service, nothing recovered
    clock: Clock
    chance: Random
    names: dict[str, str]  # of accounts, by id

    @property
    def mode(self) -> Literal["simulated", "real"]:
        return "simulated" if self.world else "real"

    def name_of(self, account_id: str) -> str:
        return self.names.get(account_id, account_id)


def begin(
    settings: Settings,
    directory: StateDirectory,
    *,
    kind: str,
    world: World | None,
    idle: bool,
    stopped: Clock | None,
) -> Start:
    """Take the world's time, seed and addresses where there is one; else the `stopped` clock, or the machine's."""
    if world is not None:
        settings = settings.for_world(world.url)
    return Start(
        settings=settings,
        directory=directory,
        kind=kind,
        world=world,
        idle=idle,
        clock=world.clock if world else stopped or SystemClock(),
        chance=random.Random(world.seed if world else None),  # noqa: S311 - jitter and ids, no secret
        names={account_id: account.name or account_id for account_id, account in settings.accounts.items()},
    )


def open_log(start: Start) -> LogBook:
    """The engine's log, in memory and in a file; from now on no line of this process shows a secret of the settings."""
    known = tuple(secrets_in(start.settings))
    hide(known)
    return LogBook(
        start.clock, Redactor(known), kept=start.settings.logging.kept, file=start.directory.path / _LOG_FILE
    )
