"""What putting an act of the audit back would do: asked as the act that leads back is asked itself. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal, cast

import orjson

from engine.kernel.values import from_datetime, usd
from engine.surface.queries import PreviewBreaker, PreviewBudget, PreviewRoute, PreviewThreshold, Query
from engine.surface.rows import AuditRow
from screens.effects import breaker_effect, budget_effect, route_effect, threshold_effect
from screens.facts import by_name
from screens.formatting import clean, moment, money
from screens.questions import halt_question, pause_question, resume_all_question, resume_question
from screens.view import View

Facts = Mapping[str, Any]
"""A small JSON object of the audit: how something stood."""


def facts(text: str) -> Facts:
    """Facts as a row holds them; none for what is no JSON object."""
    try:
        found = orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def undo_question(row: AuditRow, view: View) -> str:
    """Resume spring-ppv? 588 messages wait, until 15:31."""
    then, now = facts(row.before), facts(row.after)
    for name, ask in _ASKS.items():
        if (name in then or name in now) and (found := ask(row, then, now, view)):
            return found
    return f"Put {clean(by_name(row.subject, view), longest=80) or 'this'} back as it was?"


def undo_preview(row: AuditRow) -> Query | None:
    """What the engine is asked about it first; None where it can tell no more than the question does."""
    then, now = facts(row.before), facts(row.after)
    if "limit_usd" in now:
        scope, key, window = _budget_of(row)
        return PreviewBudget(scope=scope, key=key, window=window, limit=_nanos(then.get("limit_usd")))
    if {"day_usd", "month_usd"} & then.keys():
        return PreviewThreshold(day=_nanos(then.get("day_usd")), month=_nanos(then.get("month_usd")))
    if "chain" in now or "chain" in then:
        if "chain" not in then:
            return PreviewRoute(tool=row.subject, reset=True)
        weights = tuple(int(weight) for weight in str(then.get("weights", "")).split(", ") if weight.isdecimal())
        chain = tuple(str(then["chain"]).split(", "))
        return PreviewRoute(tool=row.subject, strategy=str(then.get("strategy", "")), chain=chain, weights=weights)
    if "held" in then:
        provider, _, model = row.subject.partition("/")
        held = cast("Literal['open', 'closed', 'auto']", then["held"])
        return PreviewBreaker(provider=provider, model=model, state=held)
    return None


def undo_effect(query: Query, rows: tuple[Any, ...], view: View) -> str:
    """The answer to `undo_preview`, in words."""
    match query:
        case PreviewBudget():
            return budget_effect(rows[0], view.now, view.zone)
        case PreviewThreshold():
            return threshold_effect(rows)
        case PreviewRoute():
            return route_effect(rows[0])
        case _:
            return breaker_effect(rows)


def _nanos(dollars: object) -> int | None:
    """None also for what is no sum."""
    try:
        return usd(str(dollars)) if dollars is not None else None
    except ValueError:
        return None


def _instant(text: object) -> int | None:
    """None also for what is no time."""
    try:
        return from_datetime(datetime.fromisoformat(str(text))) if text is not None else None
    except ValueError:
        return None


def _sum(dollars: object) -> str:
    return money(_nanos(dollars))


def _budget_of(row: AuditRow) -> tuple[str, str, str]:
    scope, _, rest = row.subject.partition(":")
    key, _, window = rest.rpartition(":")
    return scope, key, window


# ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _sending(_row: AuditRow, _then: Facts, now: Facts, view: View) -> str:
    return resume_all_question(view) if now.get("halted") else halt_question(view)


def _campaign(row: AuditRow, then: Facts, now: Facts, view: View) -> str:
    campaign = view.snapshot.campaigns.get(row.subject)
    if campaign is None:
        return ""
    if now.get("state") == "paused":
        return resume_question(campaign, view)
    if then.get("state") == "paused":
        return pause_question(campaign)
    at = _instant(then.get("starts_at"))
    start = moment(at, view.now, view.zone) if at is not None else "as soon as it can"
    return f"Move the start of {clean(campaign.name)} back? It would start {start}."


def _budget(row: AuditRow, then: Facts, _now: Facts, view: View) -> str:
    scope, key, window = _budget_of(row)
    whose = clean(f"{scope} {row.names.get(key) or by_name(key, view)}", longest=100) if key else "everything"
    span = "in all" if window == "total" else f"by the {window}"
    if then.get("limit_usd") is None:
        return f"Take the limit of {whose} {span} away again?"
    return f"Put the limit of {whose} {span} back to {_sum(then['limit_usd'])}?"


def _thresholds(_row: AuditRow, then: Facts, _now: Facts, _view: View) -> str:
    told = [f"{_sum(then[f'{period}_usd'])} a {period}" for period in ("day", "month") if f"{period}_usd" in then]
    return f"Alert from {' and '.join(told)} on again?" if told else "Let the file decide over both thresholds again?"


def _breaker(row: AuditRow, then: Facts, _now: Facts, _view: View) -> str:
    model = clean(row.subject, longest=100)
    if then.get("held") == "auto":
        return f"Let the breaker of {model} move by itself again?"
    return f"Hold the breaker of {model} {clean(str(then.get('held')), longest=20)} again?"


def _alert(_row: AuditRow, _then: Facts, now: Facts, _view: View) -> str:
    return (
        "Nobody is on this alert after all? It notifies again." if now.get("acknowledged") else "Acknowledge it again?"
    )


def _silence(_row: AuditRow, _then: Facts, now: Facts, _view: View) -> str:
    if now.get("live"):
        return "End this silence? What it covers and is still open notifies again."
    return "Silence this again, until when it was to end?"


_ASKS: Mapping[str, Callable[[AuditRow, Facts, Facts, View], str]] = {
    "halted": _sending,
    "state": _campaign,
    "limit_usd": _budget,
    "day_usd": _thresholds,
    "month_usd": _thresholds,
    "held": _breaker,
    "acknowledged": _alert,
    "until": _silence,
}
"""By a fact that only such an act has."""
