"""The commands about routes: how each tool's models are chosen, why a model is taken or passed over, changing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from engine.kernel.values import decimal_usd, iso, nanos, seconds
from huntaze_console.cli.dry import dry, foretell
from huntaze_console.cli.flags import Ordered, Where, about
from huntaze_console.cli.line import reading
from huntaze_console.cli.paper import Tone, count, moment, money, say, say_json, span, table
from huntaze_console.cli.reading import tell

if TYPE_CHECKING:
    from engine.surface.queries import PreviewRoute
    from engine.surface.rows import CandidateRow, RouteRow

_STRATEGIES = click.Choice(("fixed", "cheapest", "fastest", "best", "weighted", "least_busy"))
_NEEDS = click.Choice(("schema", "tools", "images"))
_TOOL = click.option("--tool", required=True, metavar="TOOL", help="The tool, by its name or an alias.")


@click.group(cls=Ordered, short_help="How each tool's models are chosen, and why.")
@about
def route(_: Where) -> None:
    """Show, explain and change how each tool's models are chosen."""


@route.command(short_help="Each tool's route, and who says so.")
@click.option("--tool", default="", metavar="TOOL", help="Only this one.")
@about
def show(place: Where, *, tool: str) -> None:
    """Show each tool's strategy and chain.

    A route set by an operator holds over the file's, also after a change of the file, until `huntaze route reset`.
    """
    from engine.surface.queries import ListRoutes

    with reading(place) as line:
        page = line.query(ListRoutes(tool=tool))
        zone = line.snapshot().engine.time_zone
    if place.json:
        say_json({"rows": [_route(row) for row in page.rows], "as_of": page.as_of})
        return
    table(
        ("tool", "strategy", "chain", "from"),
        ((row.tool, row.strategy, _chain(row), row.set_by or "file") for row in page.rows),
    )
    for row in (row for row in page.rows if row.set_by):
        theirs = ", ".join(row.file_chain)
        say()
        say(f"{row.tool} was set by {row.set_by} at {moment(row.set_at, zone)} and holds over the file, which says")
        say(f"{row.file_strategy} over {theirs}. huntaze route reset --tool {row.tool} lets the file decide.")


@route.command(short_help="Whom a task would go to now, and why nobody else.")
@_TOOL
@click.option("--needs", type=_NEEDS, multiple=True, help="What the task asks of a model; may be repeated.")
@click.option("--strategy", type=_STRATEGIES, help="Instead of the tool's own.")
@click.option("--characters", type=click.IntRange(0, 4_000_000), default=1_000, help="How long the prompt is [1000].")
@click.option("--campaign", default="", metavar="CAMPAIGN", help="As a task of this campaign: its budgets count too.")
@click.option("--account", default="", metavar="ACCOUNT", help="As one of this account.")
@click.option("--tenant", default="", metavar="ID", help="As one of this tenant.")
@click.option("--user", default="", metavar="ID", help="As one of this user: their limits count too.")
@about
def explain(
    place: Where,
    *,
    tool: str,
    needs: tuple[str, ...],
    strategy: str | None,
    characters: int,
    campaign: str,
    account: str,
    tenant: str,
    user: str,
) -> None:
    """Explain whom a task of a tool would be given to now, and why each other model stands behind or is passed over.

    Nothing is asked, and nothing is held. Without a running engine it is explained from the files: nothing is measured
    then, and every breaker counts as closed.

    \b
    Examples:
      huntaze route explain --tool message
      huntaze route explain --tool message --needs images --account anna
    """
    from engine.surface.queries import ExplainRoute

    query = ExplainRoute(
        tool=tool,
        needs=needs,
        strategy=strategy or "",
        characters=characters,
        campaign_id=campaign,
        account_id=account,
        tenant_id=tenant,
        user_id=user,
    )
    with reading(place) as line:
        page = line.query(query)
    if place.json:
        say_json({"tool": tool, "candidates": [_candidate(row) for row in page.rows], "as_of": page.as_of})
        return
    table(
        ("", "model", "verdict", "at most", "latency", "in flight", "quality"),
        (
            (
                str(row.position) if row.position else "-",
                f"{row.provider}/{row.model}",
                row.verdict.replace("_", " "),
                money(row.worst_cost) if row.worst_cost is not None else "unknown",
                span(row.latency) if row.latency is not None else "-",
                count(row.in_flight),
                f"{row.quality:.2f}",
            )
            for row in page.rows
        ),
        right=(3, 4, 5, 6),
    )
    say()
    for row in page.rows:
        tone = Tone.GOOD if row.verdict == "taken" else Tone.DIM if row.verdict == "stands_in" else Tone.WARN
        say((f"{row.provider}/{row.model}: ", tone), row.why)


@route.command("set", short_help="Change a tool's route, from now on.")
@_TOOL
@click.option("--strategy", type=_STRATEGIES, help="How the chain is put in order for each task.")
@click.option("--chain", metavar="MODEL,…", help="Models as provider/model, first choice first.")
@click.option("--weights", metavar="N,…", help="One number for each model, for the strategy weighted.")
@click.option(
    "--too-slow",
    type=click.FloatRange(0, 3_600),
    metavar="SECONDS",
    help="A model expected to take longer stands last; 0 for no bound.",
)
@dry
@about
def change(
    place: Where,
    *,
    tool: str,
    strategy: str | None,
    chain: str | None,
    weights: str | None,
    too_slow: float | None,
    dry_run: bool,
) -> None:
    """Change how a tool's models are chosen, from the next task on and across restarts. What is not given stays.

    It holds over the configuration file until `huntaze route reset`.

    \b
    Examples:
      huntaze route set --tool message --strategy cheapest --dry-run
      huntaze route set --tool message --chain openai/gpt-4o-mini,deepseek/deepseek-chat
    """
    from engine.surface.commands import SetRoute
    from engine.surface.queries import PreviewRoute

    if strategy is None and chain is None and weights is None and too_slow is None:
        raise click.UsageError("say what to change: --strategy, --chain, --weights or --too-slow")
    wanted: dict[str, Any] = {
        "tool": tool,
        "strategy": strategy or "",
        "chain": None if chain is None else tuple(_parts(chain)),
        "weights": None if weights is None else tuple(map(_weight, _parts(weights))),
        "too_slow": None if too_slow is None else nanos(too_slow),
    }
    if dry_run:
        _foretell(place, PreviewRoute(**wanted))
    else:
        tell(place, SetRoute(**wanted))


@route.command(short_help="Let the configuration file decide over a tool again.")
@_TOOL
@dry
@about
def reset(place: Where, *, tool: str, dry_run: bool) -> None:
    """Let the configuration file decide over a tool again."""
    from engine.surface.commands import ResetRoute
    from engine.surface.queries import PreviewRoute

    if dry_run:
        _foretell(place, PreviewRoute(tool=tool, reset=True))
    else:
        tell(place, ResetRoute(tool=tool))


def _foretell(place: Where, query: PreviewRoute) -> None:
    from screens.effects import route_effect

    foretell(place, query, lambda rows: route_effect(rows[0]))


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _weight(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise click.UsageError(f"--weights: {text!r} is no whole number")
    return int(text)


def _chain(row: RouteRow) -> str:
    if not row.weights:
        return ", ".join(row.chain)
    return ", ".join(f"{name} ×{weight}" for name, weight in zip(row.chain, row.weights, strict=True))


def _route(row: RouteRow) -> dict[str, object]:
    return {
        "tool": row.tool,
        "strategy": row.strategy,
        "chain": row.chain,
        "weights": row.weights,
        "too_slow_seconds": None if row.too_slow is None else seconds(row.too_slow),
        "set_by": row.set_by,
        "set_at": None if row.set_at is None else iso(row.set_at),
        "file": {
            "strategy": row.file_strategy,
            "chain": row.file_chain,
            "weights": row.file_weights,
            "too_slow_seconds": None if row.file_too_slow is None else seconds(row.file_too_slow),
        },
    }


def _candidate(row: CandidateRow) -> dict[str, object]:
    return {
        "position": row.position,
        "provider": row.provider,
        "model": row.model,
        "verdict": row.verdict,
        "flaw": row.flaw,
        "why": row.why,
        "worst_cost_usd": None if row.worst_cost is None else decimal_usd(row.worst_cost),
        "latency_seconds": None if row.latency is None else seconds(row.latency),
        "in_flight": row.in_flight,
        "quality": row.quality,
        "budget_left_usd": None if row.room is None else decimal_usd(row.room),
    }
