"""Events as one line each; which of them belong together, and which are worth a look."""

from __future__ import annotations

from collections.abc import Mapping

from engine import events
from engine.events import Event, Recorded
from screens.drawing import Line, cut
from screens.formatting import clean, clock_exact
from screens.telling import told
from screens.view import View

_QUIET = (events.QueueSampled, events.SlotTaken, events.SlotSettled, events.LedgerSyncSampled, events.AnswersKept)

TOPICS = ("calls", "money", "providers", "queue", "accounts", "campaigns", "alerts", "people", "engine")
_OF: Mapping[str, tuple[str, ...]] = {
    "calls": ("CallSettled", "CallsShared", "CallRated", "FallbackTaken", "Answer", "Shadow"),
    "money": ("Budget", "Thresholds"),
    "providers": ("Breaker", "ServiceLevel", "Drill", "Route"),
    "queue": ("Queue", "Job", "Concurrency"),
    "accounts": ("Account", "Slot", "Limit", "Sending"),
    "campaigns": ("Campaign", "Deliver", "Workflow"),
    "alerts": ("Alert", "Silence", "Notification"),
    "people": ("Action", "Key", "Flag"),
}


def topic_of(kind: str) -> str:
    """What an event of a kind is about; of what is known nowhere else, the engine."""
    return next((topic for topic, begins in _OF.items() if kind.startswith(begins)), "engine")


def is_quiet(event: Event) -> bool:
    """Is it one of many that only keep figures up to date?"""
    return isinstance(event, _QUIET)


def event_lines(view: View, width: int, rows: int) -> list[Line]:
    """The newest events worth a look, newest first."""
    shown = [one for one in reversed(view.recent) if not is_quiet(one.event)][: max(rows, 0)]
    return [event_line(one, view, width) for one in shown]


def event_line(recorded: Recorded, view: View, width: int) -> Line:
    text, tone = told(recorded.event, view)
    return cut(((f"  {clock_exact(recorded.event.at, view.zone)} ", "dim"), (clean(text, longest=300), tone)), width)
