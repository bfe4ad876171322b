"""The commands about failing models: their breakers, how fast others took over, and rehearsing an outage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from engine.kernel.values import SECOND, decimal_usd
from huntaze_console.cli import exits
from huntaze_console.cli.dry import dry, foretell
from huntaze_console.cli.flags import Ordered, Where, about
from huntaze_console.cli.line import Line, reading, writing
from huntaze_console.cli.paper import Tone, count, moment, money, say, say_json, span, table
from huntaze_console.cli.reading import ask, tell

if TYPE_CHECKING:
    from engine.surface.rows import DrillRow

_TARGET = click.argument("target", metavar="PROVIDER/MODEL")
_PARTS = {
    "untouched": "not affected: its chain does not use it",
    "unaffected": "not affected: its first choice is another",
    "taken_over": "taken over",
    "unserved": "UNSERVED",
}


# ── breakers ────────────────────────────────────────────────────────────────────────────────────────────────────────


@click.group(cls=Ordered, short_help="Breakers: which models are left alone, and holding one open or closed.")
@about
def breaker(_: Where) -> None:
    """A breaker keeps calls from a model that fails, and tries it again by itself.

    Held open, nobody asks its model; held closed, everybody does whatever it does. Both last across restarts, until
    `huntaze breaker auto`.
    """


@breaker.command(name="list", short_help="Each model's breaker, why it is as it is, and since when.")
@about
def list_(place: Where) -> None:
    """Show every breaker: of the models in the tools' chains, and of others that were called lately."""
    from engine.surface.queries import ListBreakers

    with reading(place) as line:
        page = line.query(ListBreakers())
        zone = line.snapshot().engine.time_zone
    if place.json:
        say_json({"rows": page.rows, "as_of": page.as_of})
        return
    table(
        ("model", "breaker", "held by", "calls", "failed", "slow", f"since ({zone})", "next try", "why"),
        (
            (
                f"{row.provider}/{row.model}",
                row.state.replace("_", " "),
                row.held_by or "-",
                *map(count, (row.calls, row.failed, row.slow)),
                moment(row.changed_at, zone),
                moment(row.retry_at, zone),
                row.reason or "-",
            )
            for row in page.rows
        ),
        right=range(3, 6),
    )


@breaker.command(name="open", short_help="Ask a model no more, until it is closed or left to itself.")
@_TARGET
@dry
@about
def open_(place: Where, *, target: str, dry_run: bool) -> None:
    """Hold a model's breaker open: nobody asks it, others stand in."""
    _force(place, target, "open", dry_run=dry_run)


@breaker.command(name="close", short_help="Ask a model whatever it does, until it is left to itself.")
@_TARGET
@dry
@about
def close(place: Where, *, target: str, dry_run: bool) -> None:
    """Hold a model's breaker closed: it is asked however often it fails."""
    _force(place, target, "closed", dry_run=dry_run)


@breaker.command(name="auto", short_help="Let a breaker move by itself again.")
@_TARGET
@dry
@about
def auto(place: Where, *, target: str, dry_run: bool) -> None:
    """Let a held breaker move by itself again, with a clean slate."""
    _force(place, target, "auto", dry_run=dry_run)


def _force(place: Where, target: str, state: Any, *, dry_run: bool) -> None:
    from engine.surface.commands import ForceBreaker
    from engine.surface.queries import PreviewBreaker

    provider, _, model = target.partition("/")
    if not model:
        raise click.UsageError(f"{target} is no provider/model, such as openai/gpt-4o-mini")
    if dry_run:
        from screens.effects import breaker_effect

        foretell(place, PreviewBreaker(provider=provider, model=model, state=state), breaker_effect)
        return
    tell(place, ForceBreaker(provider=provider, model=model, state=state))


# ── recoveries ──────────────────────────────────────────────────────────────────────────────────────────────────────


@click.command(short_help="How fast another model took over, by tool.")
@about
def recoveries(place: Where) -> None:
    """Show by tool how often another model had to take over, and how long that took from the failure to the answer."""
    from engine.surface.snapshot import quantile

    with reading(place) as line:
        snapshot = line.snapshot()
    views = [view for _, view in sorted(snapshot.recoveries.items())]
    if place.json:
        rows = [
            {
                "tool": view.tool,
                "count": view.count,
                "p50_seconds": _seconds(quantile(view.latencies, 0.5)),
                "last_seconds": _seconds(view.latencies[-1] if view.latencies else None),
                "last_at": moment(view.last_at),
                "failed": view.failed,
                "target": view.target,
                "reason": view.reason,
            }
            for view in views
        ]
        say_json({"rows": rows, "as_of": snapshot.event_id})
        return
    if not views:
        say("No model has had to stand in for another lately.")
        return
    zone = snapshot.engine.time_zone
    table(
        ("tool", "times", "p50", "last", f"last at ({zone})", "failed", "taken over by", "why"),
        (
            (
                view.tool,
                count(view.count),
                span(quantile(view.latencies, 0.5) or 0),
                span(view.latencies[-1] if view.latencies else 0),
                moment(view.last_at, zone),
                view.failed,
                view.target,
                view.reason,
            )
            for view in views
        ),
        right=range(1, 4),
    )


def _seconds(duration: int | None) -> float | None:
    return None if duration is None else duration / SECOND


# ── drills ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@click.command(short_help="Rehearse a provider's outage with one small call a tool.")
@click.option("--down", required=True, metavar="PROVIDER", help="The provider that counts as down.")
@click.option("--tool", "tools", multiple=True, metavar="TOOL", help="Only this tool; may be given again [all].")
@click.option("--yes", is_flag=True, help="Do not ask.")
@about
def drill(place: Where, *, down: str, tools: tuple[str, ...], yes: bool) -> None:
    """Rehearse a provider's outage on the running configuration: who would take over, after how long, at what cost.

    Each tool gets one small task; the provider is not called, the others really are, and booked (user "drill"). Live
    traffic, breakers and the choice of models stay untouched. Ends with 1 when a tool would be served by nobody.

    \b
    Examples:
      huntaze drill --down openai
    """
    from engine.surface.commands import RunDrill
    from engine.surface.queries import PlanDrill

    with writing(place) as line:
        plan = line.query(PlanDrill(down=down, tools=tools)).rows
        ask(_question(down, plan), yes=yes)
        done = line.submit(RunDrill(down=down, tools=tools))
        _say_drill(place, line, done.summary, done.data)
    if done.data["unserved"]:
        click.get_current_context().exit(exits.FAILED)


def _question(down: str, plan: tuple[DrillRow, ...]) -> str:
    asked = [row for row in plan if row.models]
    most = money(sum(row.cost_high or 0 for row in asked))
    unpriced = sum(row.cost_high is None for row in asked)
    beside = f", and {unpriced} tools whose models' prices are not known" if unpriced else ""
    tasks = "1 real task" if len(asked) == 1 else f"{len(asked)} real tasks"
    return f"Rehearse {down} down with {tasks}, at most {most}{beside}?"


def _say_drill(place: Where, line: Line, summary: str, data: Any) -> None:
    if place.json:
        rows = [
            {
                **{name: value for name, value in row.items() if name not in ("took", "cost")},
                "took_seconds": row["took"] / SECOND,
                "cost_usd": decimal_usd(row["cost"]),
            }
            for row in data["tools"]
        ]
        say_json(
            {"down": data["down"], "unserved": data["unserved"], "cost_usd": decimal_usd(data["cost"]), "rows": rows}
        )
        return
    table(
        ("tool", "outcome", "by", "after", "cost", "failed"),
        (
            (
                row["tool"],
                _PARTS[row["part"]],
                row["target"] or "-",
                span(row["took"]) if row["target"] else "-",
                money(row["cost"]),
                ", ".join(row["failed"]) or row["error"] or "-",
            )
            for row in data["tools"]
        ),
        right=(3, 4),
    )
    say((f"{summary}. It cost {money(data['cost'])}.", Tone.BAD if data["unserved"] else Tone.GOOD))
