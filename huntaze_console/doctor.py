"""The doctor: what keeps an engine from working here, and what to do about it."""

from __future__ import annotations

import locale
import os
import shutil
import socket
import sqlite3
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from engine.kernel.errors import ConfigError, StorageError
from engine.kernel.text import clean
from engine.storage.directory import Mode, StateDirectory
from huntaze_console.options import SettingsSource

if TYPE_CHECKING:
    from engine.bus.settings import MqttSettings
    from huntaze_console.config import Settings
    from huntaze_console.configuration.settings import ProviderRow

_PYTHON = (3, 11)
_SQLITE_LEAST = (3, 37, 0)  # STRICT tables
_SQLITE_GOOD = (3, 51, 3)  # the first without the WAL-reset race, which one writing connection avoids as well
_DISK_LEAST = 200 * 1024**2  # bytes
_DISK_GOOD = 2 * 1024**3  # bytes
_YEAR_2025 = 1_735_689_600  # seconds since the epoch; an earlier clock is wrong
_SMALLEST = (80, 24)
_ONLINE_WITHIN = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: how it went, what was found, and what to do about it."""

    name: str
    state: Literal["ok", "warn", "fail"]
    message: str
    remedy: str = ""


def examine(state_dir: Path, config: Path | None, environ: Mapping[str, str], *, online: bool) -> Iterator[Finding]:
    """Every check in the order an operator would do them. Reads, and changes nothing."""
    state = StateDirectory(state_dir)
    yield _python(sys.version_info[:3])
    yield _sqlite(sqlite3.sqlite_version_info)
    yield from _state(state)
    yield _disk(state_dir)
    yield _clock(time.time())  # noqa: TID251 - whether the machine's clock is plausible is the question
    yield from _terminal(environ)
    try:
        settings = SettingsSource(file=config, environ=environ, simulated=_simulated(state)).load()
    except ConfigError as error:
        problems: tuple[ConfigError, ...] = getattr(error, "problems", (error,))
        for problem in problems:
            yield Finding("configuration", "fail", clean(str(problem)), "`huntaze config check` reads it again")
        return
    yield Finding("configuration", "ok", settings.source)
    yield from _keys(settings)
    yield _platform(settings)
    if settings.backends.limiter == "redis" and not settings.simulated:
        yield _redis(settings)
    if settings.mqtt is not None:
        yield _mqtt(settings.mqtt, simulated=settings.simulated)
    if online:
        yield from _online(settings)


def _simulated(state: StateDirectory) -> bool:
    try:
        return state.mode() is Mode.SIMULATED
    except (StorageError, OSError):
        return False


def _python(version: tuple[int, ...]) -> Finding:
    text = ".".join(map(str, version))
    if version < _PYTHON:
        return Finding("python", "fail", text, "Install Python 3.11 or newer")
    return Finding("python", "ok", text)


def _sqlite(version: tuple[int, ...]) -> Finding:
    text = ".".join(map(str, version))
    if version < _SQLITE_LEAST:
        return Finding("sqlite", "fail", text, "Use a Python that was built with SQLite 3.37 or newer")
    if version < _SQLITE_GOOD:
        return Finding("sqlite", "ok", f"{text}; before 3.51.3 a database must have one writer only, and it has")
    return Finding("sqlite", "ok", text)


def _state(state: StateDirectory) -> Iterator[Finding]:
    path = state.path
    if not path.exists():
        parent = next((each for each in path.parents if each.exists()), Path("/"))
        if os.access(parent, os.W_OK | os.X_OK):
            yield Finding("state", "ok", f"{path} will be created")
        else:
            yield Finding("state", "fail", f"{path} cannot be created in {parent}", "Choose another with --state-dir")
        return
    try:
        yield _permissions(path)
        mode = state.mode()
        yield Finding("mode", "ok", mode.value if mode else "new")
        yield _owner(state)
    except (StorageError, OSError) as error:
        yield Finding("state", "fail", clean(str(error)), "Run this as the user who owns the directory")
        return
    yield from _private_files(state)


def _permissions(path: Path) -> Finding:
    if not path.is_dir():
        return Finding("state", "fail", f"{path} is not a directory", "Choose another with --state-dir")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return Finding("state", "fail", f"{path} cannot be written", "Run this as the user who owns it")
    if path.stat().st_mode & 0o077:
        return Finding("state", "warn", f"{path} is open to others", f"chmod 700 {path}")
    return Finding("state", "ok", str(path))


def _owner(state: StateDirectory) -> Finding:
    owner = state.owner()
    if owner is None:
        return Finding("engine", "ok", "none runs here")
    who = f"{clean(str(owner.get('kind')))} (process {owner.get('pid')})"
    try:
        os.kill(int(owner.get("pid", 0)), 0)
    except (ProcessLookupError, ValueError, TypeError):
        return Finding("engine", "ok", f"none runs here; {who} ended without a word, and nothing is lost")
    except PermissionError:
        pass
    if state.endpoint() is None:
        return Finding("engine", "warn", f"{who} is starting or draining", "Look again in a moment")
    return Finding("engine", "ok", f"{who} runs here")


def _private_files(state: StateDirectory) -> Iterator[Finding]:
    for path in (state.token_path, state.database_path, state.socket_path):
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield Finding("private files", "fail", f"{path} can be read by others", f"chmod 600 {path}")


def _disk(path: Path) -> Finding:
    existing = next(each for each in (path, *path.parents) if each.exists())
    free = shutil.disk_usage(existing).free
    text = f"{free / 1024**3:.1f} GiB free at {existing}"
    if free < _DISK_LEAST:
        return Finding("disk", "fail", text, "Free some: a full disk stops every write, and so all sending")
    if free < _DISK_GOOD:
        return Finding("disk", "warn", text, "Free some soon")
    return Finding("disk", "ok", text)


def _clock(now: float) -> Finding:
    text = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < _YEAR_2025:
        return Finding("clock", "fail", text, "Set the clock: prices, limits and schedules depend on it")
    return Finding("clock", "ok", text)


def _terminal(environ: Mapping[str, str]) -> Iterator[Finding]:
    encoding = locale.getpreferredencoding(False)
    if encoding.lower().replace("-", "") != "utf8":
        yield Finding("encoding", "warn", encoding, "Set LANG to a UTF-8 locale, such as C.UTF-8")
    else:
        yield Finding("encoding", "ok", encoding)
    if not sys.stdout.isatty():
        yield Finding("terminal", "ok", "this is not one; the console needs one, the daemon does not")
        return
    columns, lines = shutil.get_terminal_size()
    text = f"{environ.get('TERM', 'unknown')}, {columns}x{lines}, {_colours(environ)}"
    if environ.get("TERM", "dumb") == "dumb":
        yield Finding("terminal", "fail", text, "The console cannot draw here: use another terminal, or set TERM")
    elif columns < _SMALLEST[0] or lines < _SMALLEST[1]:
        yield Finding("terminal", "warn", text, "80x24 shows everything; a smaller one shows a panel at a time")
    else:
        yield Finding("terminal", "ok", text)


def _colours(environ: Mapping[str, str]) -> str:
    if environ.get("NO_COLOR"):
        return "no colours (NO_COLOR)"
    if environ.get("COLORTERM") in ("truecolor", "24bit"):
        return "true colour"
    return "256 colours" if "256" in environ.get("TERM", "") else "16 colours"


def _keys(settings: Settings) -> Iterator[Finding]:
    if settings.simulated:
        yield Finding("keys", "ok", "this state is simulated: no key is read")
        return
    for name, row in settings.providers.items():
        if not row.enabled:
            yield Finding(f"provider {name}", "ok", "turned off")
        elif row.missing:
            yield Finding(f"provider {name}", "warn", f"cannot be used: {row.missing}", "Set it, or enabled = false")
        else:
            yield Finding(
                f"provider {name}", "ok", f"{row.api_key_env or 'no key'} is set" if row.api_key else "no key"
            )
    if idle := settings.idle_tools():
        which = "any tool" if len(idle) == len(settings.orchestrator.tools) else ", ".join(idle)
        remedy = "Set the key of one of their models; `huntaze demo` needs none"
        yield Finding("tools", "warn", f"no model can be used for {which}", remedy)


def _platform(settings: Settings) -> Finding:
    if settings.simulated:
        return Finding("platform", "ok", "this state is simulated")
    if not settings.platform.url:
        remedy = "Set platform.url or ONLYFANS_API_URL to your own gateway"
        return Finding("platform", "warn", "no address: nothing can be sent", remedy)
    if not settings.platform.token:
        return Finding("platform", "warn", f"{settings.platform.url} without a token", "Set ONLYFANS_API_TOKEN")
    return Finding("platform", "ok", settings.platform.url)


def _redis(settings: Settings) -> Finding:
    """The Redis that the limits are shared through: it is asked, since nothing goes out while it does not answer."""
    import asyncio

    from engine.storage.redis import RedisClient, where

    async def ask() -> dict[str, str]:
        client = RedisClient(settings.backends.redis_url, _ONLINE_WITHIN)
        try:
            return await client.facts()
        finally:
            await client.close()

    place = where(settings.backends.redis_url)
    try:
        facts = asyncio.run(ask())
    except StorageError as error:
        return Finding(
            "redis", "fail", f"{place}: {error.message}", "Nothing is sent or asked while it cannot be reached"
        )
    text, policy = (
        f"{place}, version {clean(facts.get('redis_version', '?'))}",
        facts.get("maxmemory_policy", "noeviction"),
    )
    if facts.get("maxmemory", "0") != "0" and policy != "noeviction":
        remedy = "Set maxmemory-policy noeviction: a slot that is evicted would be given twice"
        return Finding("redis", "fail", f"{text} throws keys away when it is full ({clean(policy)})", remedy)
    if facts.get("aof_enabled") == "0":
        remedy = "Set appendonly yes, or accept that a restart of it forgets what the hour and the day had used"
        return Finding("redis", "warn", f"{text} keeps nothing durable", remedy)
    return Finding("redis", "ok", text)


def _mqtt(settings: MqttSettings, *, simulated: bool) -> Finding:
    """The broker that events are published to: a connection is made and left; nothing is published."""
    import asyncio

    from engine.bus.mqtt import probe
    from huntaze_console.configuration.settings import LOOPBACK

    place = f"{clean(settings.host)}:{settings.port}"
    if simulated and settings.host not in LOOPBACK:
        return Finding("mqtt", "ok", f"this state is simulated: nothing is published to {place}")
    if error := asyncio.run(probe(settings)):
        remedy = "Check [mqtt] and the broker; the engine works without it and keeps the newest events for it"
        return Finding("mqtt", "fail", f"{place}: {error}", remedy)
    topics = f"{place}, publishes below huntaze/{settings.fleet}/{settings.node}"
    if not settings.tls and settings.host not in LOOPBACK:
        return Finding("mqtt", "warn", f"{topics} in the clear", "Set mqtt.tls: the password can be read on the way")
    return Finding("mqtt", "ok", topics)


def _online(settings: Settings) -> Iterator[Finding]:
    if settings.simulated:
        return
    for name, row in settings.providers.items():
        if row.enabled and row.base_url:
            yield _reach(name, row)


def _reach(name: str, row: ProviderRow) -> Finding:
    """Whether a connection can be made; nothing is asked, so nothing is billed and no key leaves."""
    parts = urlsplit(row.base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), timeout=_ONLINE_WITHIN).close()
    except OSError as error:
        remedy = "Check the address, the network and the firewall"
        return Finding(f"reach {name}", "fail", f"{parts.hostname}:{port}: {error.strerror or error}", remedy)
    return Finding(f"reach {name}", "ok", f"{parts.hostname}:{port}")
