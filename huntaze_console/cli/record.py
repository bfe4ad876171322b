"""Recording what a console sees, and playing it again."""

from __future__ import annotations

import re
import signal
import sys
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from huntaze_console.cli.exits import NeedsEngine
from huntaze_console.cli.flags import (
    AWAY,
    FILE,
    Where,
    ask_secret,
    connecting,
    drawing,
    drawn,
    elsewhere,
    running,
    where,
)
from huntaze_console.cli.paper import say
from huntaze_console.options import ConsoleOptions

if TYPE_CHECKING:
    from engine.surface.queries import Page, Query
    from screens.recording import Recording, Taping
    from screens.source import Source

T = TypeVar("T")

_SPAN = re.compile(r"([1-9]\d{0,5})(s|m|h)")
_UNITS = {"s": 1, "m": 60, "h": 3600}  # seconds
_LOOK = 0.5  # real seconds between two looks at a recording being made
_HOUR = 3_600_000_000_000  # nanoseconds
_SAID_EVERY = 20  # looks between two lines where nobody watches


@click.command(short_help="Record what a console sees, to be played again.")
@click.argument("file", type=FILE)
@click.option("--for", "length", metavar="TIME", help="Stop by itself: 90s, 10m, 2h [when told: ctrl-c].")
@click.option("--max-mb", type=click.IntRange(1, 100_000), default=256, help="Megabytes it may grow to [256].")
@click.option("--roll", is_flag=True, help="At that size go on, and keep the newest in FILE and FILE.1 [stop].")
@click.option("--with-text", is_flag=True, help="Also the texts of messages; they are left out otherwise.")
@running
@connecting
def record(
    *,
    file: Path,
    length: str | None,
    max_mb: int,
    roll: bool,
    with_text: bool,
    state_dir: Path | None,
    config: Path | None,
    **flags: Any,
) -> None:
    """Record the running engine into FILE: what it was when the recording began, and every event since; with them what
    this month had cost by then, how the budgets stand each second, and what the engine logs, its secrets hidden.

    The file belongs to you alone, is compressed, and is written as things happen: a recorder that is killed loses a
    second. Play it with: huntaze replay FILE.

    \b
    Examples:
      huntaze record friday.rec --for 2h
      huntaze record night.rec --max-mb 100 --roll
    """
    seconds = _seconds(length)
    from huntaze_console.console import attached
    from screens.recording import Taping

    with attached(_options(state_dir, config, flags), ask=ask_secret) as source:
        if source is None:
            raise NeedsEngine("no engine runs here to be recorded", remedy="Start one with: huntaze daemon")
        taping = Taping(source, file, most_bytes=max_mb << 20, rolls=roll, with_text=with_text)
        taping.start()
        try:
            _wait(taping, seconds)
        finally:
            taping.stop()
    if taping.failure is not None:
        raise taping.failure
    why = " It reached its largest size and ended." if taping.full else ""
    say(f"Recorded {taping.events:,} events, {taping.size:,} bytes, in {file}.{why}")


def _wait(taping: Taping, seconds: int | None) -> None:
    """Until it is over, its time is up, or somebody says so; tells how it stands meanwhile."""
    told = threading.Event()
    kept = {each: signal.signal(each, lambda *_: told.set()) for each in (signal.SIGINT, signal.SIGTERM)}
    looks = 0
    try:
        while not told.wait(_LOOK) and taping.going:
            looks += 1
            if seconds is not None and looks * _LOOK >= seconds:
                return
            _report(taping, looks)
    finally:
        for each, handler in kept.items():
            signal.signal(each, handler)
        if sys.stderr.isatty():
            click.echo("\r\x1b[K", err=True, nl=False)


def _report(taping: Taping, looks: int) -> None:
    words = f"recording: {taping.events:,} events, {taping.size >> 10:,} kB"
    if taping.note:
        words += f"; waiting: {taping.note}"
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{words}  (ctrl-c stops)", err=True, nl=False)
    elif looks % _SAID_EVERY == 1:
        click.echo(words, err=True)


@click.command(short_help="Play a recording, or a past hour of an engine.")
@click.argument("file", type=FILE, required=False)
@click.option("--from", "from_", metavar="TIME", help="Instead of a file: an engine's log from 14:00, or 20m ago.")
@click.option("--to", metavar="TIME", help="Up to when [an hour later].")
@running
@connecting
@drawing
def replay(
    *,
    file: Path | None,
    from_: str | None,
    to: str | None,
    state_dir: Path | None,
    config: Path | None,
    **flags: Any,
) -> None:
    """Show a recording on the console's own screens: FILE, or with --from a past hour that an engine's log still has.

    space plays and pauses, [ and ] go a minute, { and } ten, . and , an event; + and - change the speed, n and N go to
    the next alert or breaker, g to a time. Nothing can be changed in a recording.

    \b
    Examples:
      huntaze replay friday.rec
      huntaze replay --from 14:00 --to 15:00
    """
    if (file is None) == (from_ is None):
        raise click.UsageError("say which: a FILE, or --from a time")
    if to is not None and from_ is None:
        raise click.UsageError("--to goes with --from")
    if file is not None and (given := next((name for name, value in flags.items() if name in AWAY and value), None)):
        raise click.UsageError(f"--{given.replace('_', '-')} is about an engine: it goes with --from")
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("a replay needs a terminal, for input and on stderr")
    look = drawn(flags)
    from huntaze_console.console import replay as show
    from screens.recording import Recording

    options = _options(state_dir, config, flags, look)
    recording = Recording(file) if file is not None else _past(options, str(from_), to)
    if recording.flaw:
        click.echo(f"{recording.path}: {recording.flaw}", err=True)
    sys.exit(show(recording, options))


def _past(options: ConsoleOptions, from_: str, to: str | None) -> Recording:
    """A past hour: from the running engine, one elsewhere, or the files of one that is stopped."""
    from huntaze_console.cli.line import reading
    from huntaze_console.cli.reading import present
    from huntaze_console.console import attached

    if options.remote is not None:
        with attached(options, ask=ask_secret) as source:
            assert source is not None  # noqa: S101 - there is a remote
            import asyncio

            return asyncio.run(_copied(source, from_, to))
    with reading(Where(state_dir=options.state_dir, config=options.settings.file)) as line:

        async def ask(query: Query) -> Page[Any]:
            return line.query(query)

        snapshot = line.snapshot()
        return _driven(_between(ask, present(snapshot), snapshot.engine.time_zone, from_, to))


async def _copied(source: Source, from_: str, to: str | None) -> Recording:
    zone = source.snapshot().engine.time_zone
    return await _between(source.query, source.link().now, zone, from_, to)


async def _between(ask: Any, now: int, zone_name: str, from_: str, to: str | None) -> Recording:
    from zoneinfo import ZoneInfo

    from engine.kernel.values import iso
    from screens.recording import copy_past, instant_of

    zone = ZoneInfo(zone_name)
    begin = instant_of(from_, now=now, zone=zone)
    end = instant_of(to, now=now, zone=zone) if to is not None else begin + _HOUR
    if to is not None and end < begin:
        raise click.UsageError("--to is before --from")
    if begin >= now:
        raise click.UsageError(f"--from has not come yet: the engine's time is {iso(now)}")
    try:
        return await copy_past(ask, begin, min(end, now), now=now, told=_progress)
    finally:
        if sys.stderr.isatty():
            click.echo("\r\x1b[K", err=True, nl=False)


def _progress(part: float, size: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[Kreading the log: {part:.0%}, {size / (1 << 20):.1f} MB", err=True, nl=False)


def _driven(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits: its line answers at once, and may have a loop of its own."""
    try:
        work.send(None)
    except StopIteration as done:
        found: T = done.value
        return found
    work.close()
    raise RuntimeError("it waited for something")


def _options(
    state_dir: Path | None, config: Path | None, flags: dict[str, Any], look: dict[str, Any] | None = None
) -> ConsoleOptions:
    remote = elsewhere(flags)
    place = where(state_dir, config)
    return ConsoleOptions(
        settings=place.source(simulated=False, flags=look or {}),
        state_dir=place.state_dir,
        remote=remote,
    )


def _seconds(length: str | None) -> int | None:
    if length is None:
        return None
    found = _SPAN.fullmatch(length.strip())
    if found is None:
        raise click.UsageError("--for: write 90s, 10m or 2h")
    return int(found[1]) * _UNITS[found[2]]
