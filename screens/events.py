"""Events as one line each."""

from __future__ import annotations

from engine import events
from engine.events import Event, Recorded
from screens.drawing import Line, cut, state
from screens.formatting import clean, clock_exact, price
from screens.view import View

_QUIET = (events.QueueSampled, events.SlotTaken, events.SlotSettled, events.LedgerSyncSampled, events.AnswersKept)


def event_lines(view: View, width: int, rows: int) -> list[Line]:
    """The newest events worth a look, newest first."""
    shown = [one for one in reversed(view.recent) if not isinstance(one.event, _QUIET)][: max(rows, 0)]
    return [event_line(one, view, width) for one in shown]


def event_line(recorded: Recorded, view: View, width: int) -> Line:
    text, tone = _words(recorded.event, view)
    return cut(((f"  {clock_exact(recorded.event.at, view.zone)} ", "dim"), (clean(text, longest=300), tone)), width)


def _words(event: Event, view: View) -> tuple[str, str]:
    match event:
        case events.CallSettled():
            tone = "plain" if event.outcome == "ok" else "warn"
            what = price(event.cost) if event.outcome == "ok" else event.outcome.replace("_", " ")
            return f"{event.provider} {event.model} {event.tool} {what}", tone
        case events.FallbackTaken():
            why = event.reason.replace("_", " ")
            return f"fell back to {event.provider} {event.model}: {event.failed_provider} {why}", "warn"
        case events.AnswerReused():
            saved = f", {price(event.saved)} saved" if event.saved else ""
            return f"{event.tool} answered from what is kept{saved}", "ok"
        case events.ServiceLevelChanged():
            tone = "ok" if event.level == "full" else "warn"
            return f"{event.tool} is served at the level {event.level}: {event.reason}", tone
        case events.BudgetWarned():
            known = view.snapshot.campaigns.get(event.key) if event.scope == "campaign" else None
            whose = f"{event.scope} {known.name if known else event.key}".strip()
            return f"budget {whose}, {event.window}: {event.percent} % reached", "warn"
        case events.RouteChanged():
            return f"{event.tool} is routed {event.strategy} over {event.chain} by {event.actor}", "accent"
        case events.BreakerChanged():
            return f"breaker {event.state.replace('_', ' ')}: {event.provider} {event.model} {event.reason}", state(
                event.state
            )[1]
        case events.DeliveryMoved():
            return f"{event.account_id} → {event.fan_id} {state(event.after)[2]} {event.reason}", state(event.after)[1]
        case events.CampaignCreated():
            return f"campaign {event.name} created, {event.fans:,} fans", "accent"
        case events.CampaignMoved():
            known = view.snapshot.campaigns.get(event.campaign_id)
            name = known.name if known else event.campaign_id
            return f"campaign {name} {event.after.replace('_', ' ')} {event.reason}", "accent"
        case events.DeliveriesMoved():
            return f"{event.count:,} messages {state(event.after)[2]} {event.reason}", state(event.after)[1]
        case events.AlertOpened():
            return f"alert: {event.summary}", state(event.severity)[1]
        case events.AlertResolved():
            return "an alert is resolved", "ok"
        case events.JobDied():
            return f"job {event.job_id} died: {event.cause}", "bad"
        case events.LimitAdapted():
            slower = f"{event.layer} {event.key} throttled: {event.allowed:,} of {event.limit:,} a window for now"
            return f"{slower}, whole again at {clock_exact(event.whole_at, view.zone)}", "warn"
        case events.AccountPaused():
            return f"account {event.account_id} paused: {event.reason}", "warn"
        case events.SendingHalted() | events.SendingResumed():
            return (
                f"sending {'halted' if isinstance(event, events.SendingHalted) else 'resumed'} by {event.actor}",
                "bad",
            )
        case _:
            return _split(type(event).__name__), "dim"


def _split(name: str) -> str:
    """EngineStarted → engine started."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
