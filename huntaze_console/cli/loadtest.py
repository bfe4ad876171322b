"""The command that runs a tool many times at once, and says what came of it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import click

from huntaze_console.cli import exits
from huntaze_console.cli.flags import Where, about
from huntaze_console.cli.line import Line, writing
from huntaze_console.cli.monitor import latency
from huntaze_console.cli.paper import Tone, count, money, say, say_json, table
from huntaze_console.cli.reading import ask

if TYPE_CHECKING:
    from engine.surface.rows import LoadTestRow

_LOOK = 0.2  # real seconds between looks at the test
_RUNNING = "running"


@click.command(short_help="Run a tool many times at once, with real calls.")
@click.option("--tool", default="message", metavar="TOOL", help="The tool to run [message].")
@click.option("-n", "number", type=click.IntRange(1, 200), default=20, show_default=True, help="How many calls.")
@click.option("--concurrency", type=click.IntRange(1, 32), default=5, show_default=True, help="How many at once.")
@click.option("--calls", "each", is_flag=True, help="List every call, not only the sums.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@about
def loadtest(place: Where, *, tool: str, number: int, concurrency: int, each: bool, yes: bool) -> None:
    """Run a tool in parallel through the whole engine: routing, limits, budgets, breakers, fallback. It costs money.

    Who answered, how fast, what failed and what it cost is said at the end. Ctrl-C cancels it; calls under way are
    booked for what they cost. It ends with code 1 when a call failed.

    \b
    Examples:
      huntaze loadtest -n 5 --concurrency 2
    """
    from engine.surface.commands import StartLoadTest
    from engine.surface.queries import BoundLoadTest

    with writing(place) as line:
        bound = line.query(BoundLoadTest(tool=tool, count=number)).rows[0]
        unknown = "of unknown price: a model of its chain is unpriced"
        most = unknown if bound.cost is None else f"at most {money(bound.cost)}"
        ask(f"Make {number} real calls with {tool}, {most}?", yes=yes)
        test_id = line.submit(StartLoadTest(tool=tool, count=number, concurrency=concurrency)).data["test_id"]
        row = _watch(line, test_id, quiet=place.json)
    if place.json:
        say_json(_plain(row))
    else:
        _say(row, each=each)
    if row.state == "cancelled":
        click.get_current_context().exit(exits.INTERRUPTED)
    if row.errors:
        click.get_current_context().exit(exits.FAILED)


def _watch(line: Line, test_id: str, *, quiet: bool) -> LoadTestRow:
    """Wait for the end and tell how far it is. Interrupted, it cancels the test and reports what there is."""
    from engine.surface.commands import CancelLoadTest
    from engine.surface.queries import GetLoadTest

    told = -1
    try:
        while True:
            row: LoadTestRow = line.query(GetLoadTest(test_id=test_id)).rows[0]
            if row.state != _RUNNING:
                return row
            if not quiet and len(row.calls) != told:
                told = len(row.calls)
                click.echo(f"{told} of {row.count} calls", err=True)
            threading.Event().wait(_LOOK)
    except KeyboardInterrupt:
        line.submit(CancelLoadTest(test_id=test_id))
        while True:
            row = line.query(GetLoadTest(test_id=test_id)).rows[0]
            if row.state != _RUNNING:
                return row
            threading.Event().wait(_LOOK)


def _say(row: LoadTestRow, *, each: bool) -> None:
    if each:
        table(
            ("call", "outcome", "answered by", "after failing", "time", "attempts", "cost", "tokens"),
            (
                (
                    str(call.number),
                    call.outcome,
                    call.target or "-",
                    ", ".join(call.failed) or "-",
                    latency(call.duration),
                    str(call.attempts),
                    money(call.cost),
                    f"{call.input_tokens:,}+{call.output_tokens:,}",
                )
                for call in row.calls
            ),
            right=(0, 4, 5, 6, 7),
        )
    failed = sum(row.errors.values())
    words = f"{row.tool}: {count(row.answered)} of {count(row.count)} calls answered, {row.concurrency} at once"
    say((f"{words}; cancelled" if row.state == "cancelled" else words, Tone.BAD if failed else Tone.GOOD))
    say(f"time     p50 {latency(row.p50)}, p95 {latency(row.p95)}, longest {latency(row.longest)}")
    say(f"by       {_counted(row.answered_by)}")
    say(f"failed   {_counted(row.errors)}; {count(row.fallbacks)} answers from a fallback")
    unpriced = f", and {count(row.unpriced)} attempts unpriced" if row.unpriced else ""
    say(f"cost     {money(row.cost)}{unpriced}; {count(row.input_tokens)} tokens in, {count(row.output_tokens)} out")


def _counted(found: object) -> str:
    pairs = dict(found).items() if isinstance(found, dict) else ()
    return ", ".join(f"{name} {number:,}" for name, number in sorted(pairs, key=lambda pair: -pair[1])) or "none"


def _plain(row: LoadTestRow) -> dict[str, object]:
    from huntaze_console.cli.paper import plain

    found: dict[str, object] = plain(row)
    for name in ("p50", "p95", "longest"):
        found[f"{name}_seconds"] = None if (value := found.pop(name)) is None else int(str(value)) / 1e9
    return found
