"""The commands that look at workflows: which step each campaign is at, how far, and what keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from huntaze_console.cli.flags import Ordered, Where, about
from huntaze_console.cli.line import reading
from huntaze_console.cli.paper import Tone, count, moment, say, say_json, table
from huntaze_console.cli.reading import LIMIT

if TYPE_CHECKING:
    from engine.surface.rows import WorkflowRow, WorkflowStep

_MARKS = {"done": "✔", "failed": "✘", "skipped": "–"}
_TONES = {"done": Tone.GOOD, "failed": Tone.BAD, "cancelled": Tone.BAD, "paused": Tone.WARN}


@click.group(cls=Ordered, short_help="Each campaign's way: plan, generate, moderate, approve, send.")
@about
def workflow(_: Where) -> None:
    """Look at the workflows that campaigns follow."""


@workflow.command("list", short_help="All workflows, newest first.")
@click.option("--state", default="", help="Only those: waiting, running, paused, done, cancelled, failed.")
@LIMIT
@about
def list_workflows(place: Where, *, state: str, limit: int) -> None:
    """List the workflows with the steps they are at."""
    from engine.surface.queries import ListWorkflows

    with reading(place) as line:
        page = line.query(ListWorkflows(state=state, limit=limit))
    if place.json:
        say_json({"rows": page.rows, "next": page.next, "as_of": page.as_of})
        return
    table(
        ("workflow", "campaign", "state", "steps"),
        ((row.workflow_id, row.name, row.state, in_one_line(row)) for row in page.rows),
    )


@workflow.command("show", short_help="One workflow, step by step.")
@click.argument("name", metavar="ID")
@about
def show(place: Where, *, name: str) -> None:
    """Show every step of a workflow, by its id or its campaign's: how far it is, since when, and what failed last."""
    from engine.surface.queries import GetWorkflow

    with reading(place) as line:
        row: WorkflowRow = line.query(GetWorkflow(workflow_id=name)).rows[0]
        zone = line.snapshot().engine.time_zone
    if place.json:
        say_json(row)
        return
    say(f"{row.workflow_id}  {row.name}  ", (row.state, _TONES.get(row.state, Tone.DIM)))
    say(in_one_line(row))
    say()
    table(
        (
            "step",
            "state",
            "came",
            "here",
            "passed",
            "otherwise",
            "tries",
            "retries",
            f"since ({zone})",
            "until",
            "cause",
        ),
        (
            (
                one.step,
                _state(one),
                *map(count, (one.entered, one.open, one.passed)),
                _lost(one, row),
                str(one.tries),
                count(one.retries),
                moment(one.started_at, zone),
                moment(one.ended_at, zone),
                one.cause or "-",
            )
            for one in row.steps
        ),
        right=(2, 3, 4, 6, 7),
    )


def in_one_line(row: WorkflowRow) -> str:
    """`plan ✔ → generate 412/1,000 → moderate 412 → approve (waits for you: 3) → send …`."""
    return " → ".join(_short(one) for one in row.steps)


def _short(one: WorkflowStep) -> str:
    if one.state in _MARKS:
        return f"{one.step} {_MARKS[one.state]}"
    if one.waits_for == "person" and one.open:
        return f"{one.step} (waits for you: {one.open:,})"
    if one.waits_for == "time":
        return f"{one.step} (waits for its time: {one.open:,})"
    if one.state == "running":
        return f"{one.step} {one.entered - one.open:,}/{one.entered:,}"
    return f"{one.step} …"


def _state(one: WorkflowStep) -> str:
    if one.waits_for == "time":
        return "waits for its time"
    return "waits for you" if one.waits_for == "person" and one.open else one.state


def _lost(one: WorkflowStep, row: WorkflowRow) -> str:
    """Items that left the step on another way than the one it is for."""
    good = {edge.outcome for edge in row.edges if edge.step == one.step}
    return ", ".join(f"{name} {number:,}" for name, number in one.outcomes.items() if name not in good) or "-"
