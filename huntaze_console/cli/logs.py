"""The command that reads the engine's log: the running one's, or what the last one wrote into its file."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.kernel.errors import HuntazeError
from engine.kernel.text import clean
from huntaze_console.cli.exits import NeedsEngine
from huntaze_console.cli.flags import Where, about
from huntaze_console.cli.line import writing
from huntaze_console.cli.paper import Tone, moment, plain, say, say_json

if TYPE_CHECKING:
    from engine.surface.rows import LogRow

LEVELS = ("debug", "info", "warning", "error", "critical")
_FILE = "engine.log"  # in the state directory
_LOOK = 0.5  # seconds between two looks at what is new
_MOST = 1_000
_TAIL = 4_000_000  # bytes of the file that are read, from its end
_TONES = {"warning": Tone.WARN, "error": Tone.BAD, "critical": Tone.BAD, "debug": Tone.DIM}


@click.command(short_help="What the engine says of itself.")
@click.option("--level", type=click.Choice(LEVELS), default="info", help="The least that is shown [info].")
@click.option("--text", default="", metavar="TEXT", help="Only records with this in them.")
@click.option("-n", "--limit", type=click.IntRange(1, _MOST), default=100, help="The newest so many [100].")
@click.option("-f", "--follow", is_flag=True, help="Go on until interrupted; with --json an object a line.")
@about
def logs(place: Where, *, level: str, text: str, limit: int, follow: bool) -> None:
    """Show the engine's log, the newest at the end. Secrets are hidden in it, and texts of exceptions left out.

    Where no engine runs, it is what the last one wrote into engine.log in the state directory.

    \b
    Examples:
      huntaze logs --level warning --follow
      huntaze logs --text cmp_01kaesv7 -n 20
    """
    try:
        _ask(place, level, text, limit, follow=follow)
    except NeedsEngine:
        file = place.state_dir / _FILE
        if follow or not file.exists():
            raise
        _read(place, file, level, text, limit)


def _ask(place: Where, level: str, text: str, limit: int, *, follow: bool) -> None:
    from engine.surface.queries import ListLogs

    with writing(place) as line:
        zone = line.snapshot().engine.time_zone
        page = line.query(ListLogs(level=level, text=text, limit=limit))  # type: ignore[arg-type]
        if place.json and not follow:
            say_json({"rows": page.rows, "next": page.next, "as_of": page.as_of})
            return
        _say(page.rows, zone, as_json=place.json)
        if not page.rows and not follow:
            click.echo("nothing was logged")
        seen = page.rows[-1].seq if page.rows else 0
        while follow:
            page = line.query(ListLogs(level=level, text=text, after=seen, limit=_MOST))  # type: ignore[arg-type]
            _say(page.rows, zone, as_json=place.json)
            if page.rows:
                seen = page.rows[-1].seq
            if len(page.rows) < _MOST:
                threading.Event().wait(_LOOK)


def _say(rows: Sequence[LogRow], zone: str, *, as_json: bool) -> None:
    for row in rows:
        if as_json:
            click.echo(json.dumps(plain(row)))
            continue
        fields = "".join(f" {name}={value}" for name, value in row.fields.items())
        broke = f" [{row.error}]" if row.error else ""
        head = (f"{moment(row.at, zone)} {row.level:<8}", _TONES.get(row.level, Tone.GOOD))
        say(head, clean(f" {row.area}: {row.message}{broke}{fields}"))


def _read(place: Where, file: Path, level: str, text: str, limit: int) -> None:
    """The end of the file. Nobody else vouches for its lines: they are read as what they say, and cleaned again."""
    least, wanted = LEVELS.index(level), text.casefold()
    found = [
        record
        for record in _records(file)
        if LEVELS.index(record["level"]) >= least and (not wanted or wanted in json.dumps(record).casefold())
    ][-limit:]
    if place.json:
        say_json({"rows": found, "next": None, "file": str(file)})
        return
    click.echo(f"no engine runs here; the last one wrote into {file}:", err=True)
    for record in found:
        broke = f" [{record['error']}]" if record.get("error") else ""
        head = (f"{clean(record['at'][:19])} {record['level']:<8}", _TONES.get(record["level"], Tone.GOOD))
        say(head, clean(f" {record['area']}: {record['message']}{broke}"))


def _records(file: Path) -> Iterator[dict[str, Any]]:
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, file.stat().st_size - _TAIL))
            lines = stream.read(_TAIL).decode("utf-8", "replace").splitlines()
    except OSError as error:
        raise HuntazeError(f"{file} cannot be read: {error.strerror}", remedy="Run this as its owner") from error
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue  # the first line may be the end of one
        if _sound(record):
            yield record


def _sound(record: Any) -> bool:
    needed = ("at", "level", "area", "message")
    return (
        isinstance(record, dict)
        and all(isinstance(record.setdefault(name, ""), str) for name in needed)
        and record["level"] in LEVELS
    )
