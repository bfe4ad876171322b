"""What an act would do, in a sentence: previews of the engine as an operator reads them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from engine.surface.effects import (
    BudgetEffectRow,
    FlagEffectRow,
    RouteEffectRow,
    ShadowEffectRow,
    ThresholdEffectRow,
)
from screens.formatting import clean, count, moment, money, plural, price

_NAMED = 3  # campaigns told by name; of more, how many


def budget_effect(row: BudgetEffectRow, now: int, zone: ZoneInfo) -> str:
    """limit $50 → $30: $18.42 is spent, $11.58 left; 2 campaigns would pause"""
    before, after = (money(limit) if limit is not None else "none" for limit in (row.before, row.after))
    parts = [f"limit {before} → {after}: {money(row.spent)} is spent"]
    if row.held:
        parts.append(f"{money(row.held)} is held by calls under way")
    if row.left is not None:
        parts.append(f"{money(row.left)} left")
    text = ", ".join(parts)
    if row.resets_at is not None:
        text += f" until {moment(row.resets_at, now, zone)}"
    if row.pauses:
        what = "pause" if row.actions[-1:] == ("stop",) else f"be held back ({', then '.join(row.actions)})"
        text += f"; {_campaigns(row.pauses)} would {what}"
    if row.goes_on:
        text += f"; {_campaigns(row.goes_on)} would go on"
    if not row.left and row.left is not None:
        text += f"; no call it covers would fit any more: {', then '.join(row.actions)}"
    elif not row.pauses and not row.goes_on:
        text += "; no campaign would stop or go on by it"
    return text


def _campaigns(names: Sequence[str]) -> str:
    shown = ", ".join(clean(name, longest=40) for name in names[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{plural(len(names), 'campaign')} ({shown}{more})"


def route_effect(row: RouteEffectRow) -> str:
    """would take: deepseek/deepseek-chat for message, ~$0.0003 a text instead of $0.0011"""
    tool, after = clean(row.tool, longest=60), clean(row.after, longest=100)
    if not row.after:
        return f"nobody would take {tool}: {clean(row.why, longest=300)}"
    cost, was = _each(row.cost_after), _each(row.cost_before)
    if row.before == row.after:
        return f"no change for {tool}: {after} takes it all the same, {cost} a text"
    instead = f" instead of {clean(row.before, longest=100)} at {was}" if row.before else " where nobody could"
    return f"would take: {after} for {tool}, {cost} a text{instead}. {clean(row.why, longest=200)}"


def breaker_effect(rows: Sequence[RouteEffectRow]) -> str:
    """What each tool whose chain names the model would do."""
    if not rows:
        return "no tool's chain names this model, so no task moves by it"
    moved = [row for row in rows if row.before != row.after]
    if not moved:
        return f"{plural(len(rows), 'tool')} would be served by the same model as now"
    told = "; ".join(map(_moves, moved[:_NAMED]))
    rest = f"; and {plural(len(moved) - _NAMED, 'more tool')}" if len(moved) > _NAMED else ""
    return told + rest


def _moves(row: RouteEffectRow) -> str:
    """message would go to deepseek/deepseek-chat, ~$0.0003 a text instead of ~$0.0011"""
    tool, after = clean(row.tool, longest=60), clean(row.after, longest=100)
    if not row.after:
        return f"nobody would take {tool}"
    instead = f" instead of {_each(row.cost_before)}" if row.before else ""
    return f"{tool} would go to {after}, {_each(row.cost_after)} a text{instead}"


def _each(cost: int | None) -> str:
    return "an unknown price" if cost is None else f"~{price(cost)}"


def threshold_effect(rows: Sequence[ThresholdEffectRow]) -> str:
    """day $50 → $30: $18.42 is spent; a warning would open"""
    told = []
    for row in rows:
        before, after = (money(limit) if limit else "none" for limit in (row.before, row.after))
        told.append(f"{row.period} {before} → {after}: {money(row.spent)} is spent; {_alert(row)}")
    return "; ".join(told) or "nothing would change"


def _alert(row: ThresholdEffectRow) -> str:
    was, would = row.severity_before, row.severity_after
    if was == would:
        return f"its {was} alert stays open" if was else "no alert opens by it"
    if not was:
        return f"an alert would open: {would}"
    return f"its {was} alert would be {would}" if would else f"its {was} alert would resolve"


def flag_effect(row: FlagEffectRow) -> str:
    change = f"{row.described_before} → {row.described_after}"
    if not row.users:
        return f"{change}; nobody called in the last 7 days"
    of = f"{count(row.before)} → {count(row.after)} of {plural(row.users, 'user')} of the last 7 days"
    return f"{change}: on for {of}"


def shadow_effect(row: ShadowEffectRow) -> str:
    cost = "an unknown price" if row.cost is None else f"about {price(row.cost)} a day"
    of = f"{count(row.tried)} of {plural(row.tasks, 'task')} of the last 24 hours"
    return f"would try {clean(row.target, longest=100)} on {of}: {cost}, never more than {money(row.budget)}"
