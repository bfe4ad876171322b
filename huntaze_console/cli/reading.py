"""The commands that look: providers, queue, limits; and those that act on what they show."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.periods import day_bounds
from engine.kernel.values import DAY, HOUR, MINUTE, from_datetime, iso, seconds
from huntaze_console.cli.flags import Ordered, Where, about, alone
from huntaze_console.cli.line import Line, reading, writing
from huntaze_console.cli.paper import (
    Tone,
    count,
    moment,
    money,
    plain,
    say,
    say_json,
    span,
    table,
)

if TYPE_CHECKING:
    from engine.surface.commands import Command
    from engine.surface.rows import JobRow, LimitRow
    from engine.surface.snapshot import Snapshot

_AGO = re.compile(r"([1-9]\d{0,4})([mhd])(?: ago)?")
_UNITS: Mapping[str, int] = {"m": MINUTE, "h": HOUR, "d": DAY}

LIMIT = click.option("--limit", type=click.IntRange(1, 1_000), default=100, help="At most so many rows [100].")


def tell(where: Where, command: Command) -> None:
    """Carry a command out on the running engine, and say what was done."""
    with writing(where) as line:
        done = line.submit(command)
    if where.json:
        say_json({"summary": done.summary, **done.data})
    else:
        say(done.summary)
        if "campaign_id" in done.data:
            say(f"campaign {done.data['campaign_id']}")


@click.command(short_help="Each model: today's cost, calls, errors, speed, breaker.")
@about
def providers(place: Where) -> None:
    """Show each provider's models: breaker, today's cost and calls, failures, response times, last error."""
    from engine.surface.snapshot import quantile

    with reading(place) as line:
        snapshot = line.snapshot()
    models = sorted(snapshot.models.values(), key=lambda model: -model.today)
    if place.json:
        rows = [
            {
                **plain(model),
                "p50_seconds": _seconds(quantile(model.latencies, 0.5)),
                "p95_seconds": _seconds(quantile(model.latencies, 0.95)),
            }
            for model in models
        ]
        say_json({"rows": rows, "as_of": snapshot.event_id})
        return
    table(
        ("provider", "model", "breaker", "today", "month", "calls", "failed", "p50", "p95", "last error"),
        (
            (
                model.provider,
                model.model,
                model.breaker.replace("_", " "),
                money(model.today),
                money(model.month),
                count(model.calls),
                count(model.failed),
                _span(quantile(model.latencies, 0.5)),
                _span(quantile(model.latencies, 0.95)),
                model.last_error or "-",
            )
            for model in models
        ),
        right=range(3, 9),
    )


# ── queue ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@click.group(cls=Ordered, invoke_without_command=True, short_help="Queues: depth and age; dead jobs, redrive, purge.")
@about
def queue(place: Where) -> None:
    """Show each queue's depth and the age of its oldest ready job. See the commands below for single jobs."""
    if not alone():
        return
    with reading(place) as line:
        snapshot = line.snapshot()
    if place.json:
        say_json({"rows": list(snapshot.queues.values()), "as_of": snapshot.event_id})
        return
    table(
        ("queue", "ready", "delayed", "leased", "parked", "dead", "oldest since"),
        (
            (
                view.queue,
                *map(count, (view.ready, view.delayed, view.leased, view.parked, view.dead)),
                moment(view.oldest_at, snapshot.engine.time_zone),
            )
            for view in sorted(snapshot.queues.values(), key=lambda view: view.queue)
        ),
        right=range(1, 6),
    )


@queue.command("dead", short_help="List dead jobs with their cause.")
@click.argument("name", metavar="[QUEUE]", default="")
@LIMIT
@about
def dead(place: Where, *, name: str, limit: int) -> None:
    """List the jobs that were given up, of one queue or of all, with their cause."""
    from engine.surface.queries import ListJobs

    with reading(place) as line:
        page = line.query(ListJobs(queue=name, state="dead", limit=limit))
        zone = line.snapshot().engine.time_zone
    if place.json:
        say_json({"rows": page.rows, "next": page.next, "as_of": page.as_of})
        return
    table(
        ("job", "queue", "attempts", f"put ({zone})", "cause"),
        ((row.job_id, row.queue, str(row.attempts), moment(row.put_at, zone), row.cause) for row in page.rows),
        right=(2,),
    )


@queue.command("show", short_help="Show one job.")
@click.argument("job_id", metavar="JOB")
@about
def show_job(place: Where, *, job_id: str) -> None:
    """Show everything about one job."""
    from engine.surface.queries import GetJob

    with reading(place) as line:
        page = line.query(GetJob(job_id=job_id))
        zone = line.snapshot().engine.time_zone
    if not page.rows:
        raise CommandRefused(Refusal.NOT_FOUND, f"there is no job {job_id}")
    if place.json:
        say_json(page.rows[0])
    else:
        _say_job(page.rows[0], zone)


def _say_job(row: JobRow, zone: str) -> None:
    table(
        ("job", row.job_id),
        (
            ("queue", row.queue),
            ("state", row.state),
            ("attempts", f"{row.attempts} of {row.max_attempts}"),
            ("priority", str(row.priority)),
            (f"put ({zone})", moment(row.put_at, zone)),
            ("ready", moment(row.ready_at, zone)),
            ("leased until", moment(row.leased_until, zone)),
            ("cause", row.cause or "-"),
            ("payload", row.payload),
        ),
    )


@queue.command("redrive", short_help="Give dead jobs another chance.")
@click.argument("name", metavar="QUEUE")
@click.argument("job_ids", metavar="[JOB]…", nargs=-1)
@about
def redrive(place: Where, *, name: str, job_ids: tuple[str, ...]) -> None:
    """Give dead jobs of a queue another chance: those named, or all of them."""
    from engine.surface.commands import RedriveJobs

    tell(place, RedriveJobs(queue=name, job_ids=job_ids))


@queue.command("purge", short_help="Delete dead jobs for good.")
@click.argument("name", metavar="QUEUE")
@click.argument("job_ids", metavar="[JOB]…", nargs=-1)
@click.option("--yes", is_flag=True, help="Do not ask.")
@about
def purge(place: Where, *, name: str, job_ids: tuple[str, ...], yes: bool) -> None:
    """Delete dead jobs of a queue for good: those named, or all of them."""
    from engine.surface.commands import PurgeJobs

    which = f"{len(job_ids)} dead jobs" if job_ids else "all dead jobs"
    ask(f"Delete {which} of {name} for good?", yes=yes)
    tell(place, PurgeJobs(queue=name, job_ids=job_ids))


def ask(question: str, *, yes: bool) -> None:
    """Let a person confirm; a program must say --yes. Raises click.Abort for a no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("nobody is here to confirm this: add --yes")
    click.confirm(question, abort=True, err=True)


# ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@click.group(cls=Ordered, invoke_without_command=True, short_help="Message slots per account, and limits on calls.")
@about
def limits(place: Where) -> None:
    """Show each account's free message slots, and what is used of the limits on calls of the models."""
    if not alone():
        return
    with reading(place) as line:
        snapshot = line.snapshot()
        calls, unknown = _windows(line)
    now = present(snapshot)
    accounts = sorted(snapshot.accounts.values(), key=lambda account: account.account_id)
    if place.json:
        rows = [{**plain(each), "free": each.free(now), **_next(each.next_free_at(now))} for each in accounts]
        found = {"halted_by": snapshot.engine.halted_by or None, "rows": rows, "calls": [plain(each) for each in calls]}
        found["calls_unknown"] = unknown or None
        say_json({**found, "as_of": snapshot.event_id})
        return
    _say_halt(snapshot)
    zone = snapshot.engine.time_zone
    table(
        ("account", "name", "free", "of", "per", f"next at ({zone})", "paused"),
        (
            (
                each.account_id,
                each.name or "-",
                str(each.free(now)),
                str(each.allowed(now)),
                span(each.window),
                moment(each.next_free_at(now), zone),
                each.paused or "-",
            )
            for each in accounts
        ),
        right=(2, 3),
    )

    if unknown:
        say()
        say((f"the limits on calls are not known: {unknown}", Tone.BAD))
    if calls:
        say()
        _say_windows(calls, zone)


def _windows(line: Line) -> tuple[Sequence[LimitRow], str]:
    """The windows of calls, or why nobody knows."""
    from engine.surface.queries import ListLimits

    try:
        return line.query(ListLimits()).rows, ""
    except CommandRefused as error:
        if error.reason is not Refusal.UNAVAILABLE:
            raise
        return (), str(error)


def _say_windows(calls: Sequence[LimitRow], zone: str) -> None:
    table(
        ("layer", "of", "counts", "per", "used", "of at most", f"frees at ({zone})"),
        (
            (
                each.layer.replace("_", " "),
                each.key or "-",
                each.measure,
                each.per,
                f"{each.used:,}",
                f"{each.allowed:,}" if each.allowed == each.limit else f"{each.allowed:,} (throttled, {each.limit:,})",
                moment(each.frees_at, zone),
            )
            for each in calls
        ),
        right=(4, 5),
    )


@limits.command("resume", short_help="Let a paused account send again.")
@click.argument("account_id", metavar="ACCOUNT")
@about
def resume_account(place: Where, *, account_id: str) -> None:
    """Let an account send again that was paused because its platform refused it."""
    from engine.surface.commands import ResumeAccount

    tell(place, ResumeAccount(account_id=account_id))


def _say_halt(snapshot: Snapshot) -> None:
    if snapshot.engine.halted_by:
        who = snapshot.engine.halted_by
        say((f"all sending was halted by {who}; huntaze resume lets it go on", Tone.BAD))
        say()


# ── small things ────────────────────────────────────────────────────────────────────────────────────────────────────


def instant_of(flag: str, text: str | None, zone: str, now: int | None = None) -> int | None:
    """An instant from a flag: a day begins at midnight in the costs' zone, a time needs an offset.

    Where the engine's present is given, `today` and `2h`, or `2h ago`, are understood as well.
    """
    if text is None:
        return None
    if now is not None and text == "today":
        return day_bounds(now, ZoneInfo(zone))[0]
    if now is not None and (ago := _AGO.fullmatch(text)):
        return now - int(ago[1]) * _UNITS[ago[2]]
    try:
        if len(text) == len("2026-11-20"):
            return day_bounds(from_datetime(datetime.fromisoformat(f"{text}T12:00:00+00:00")), ZoneInfo(zone))[0]
        return from_datetime(datetime.fromisoformat(text))
    except ValueError as error:
        what = "a day such as 2026-11-20, or a time with its offset" + (
            ", today, or 2h for two hours ago" if now is not None else ""
        )
        raise click.UsageError(f"--{flag}: {what}: {error}") from error


def present(snapshot: Snapshot) -> int:
    """The engine's present, as well as a command can know it: a simulation's time is that of its newest event."""
    from engine.kernel.clock import SystemClock

    return snapshot.at if snapshot.engine.mode == "simulated" else max(snapshot.at, SystemClock().now())


def _next(instant: int | None) -> dict[str, str | None]:
    return {"next_free_at": None if instant is None else iso(instant)}


def _seconds(duration: int | None) -> float | None:
    return None if duration is None else seconds(duration)


def _span(duration: int | None) -> str:
    return "-" if duration is None else span(duration)
