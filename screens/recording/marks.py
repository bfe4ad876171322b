"""What in a recording is worth jumping to: alerts, breakers, and what people did to the whole."""

from __future__ import annotations

from engine import events
from engine.events import Event

WORDS = {
    "alert": "an alert opened",
    "resolved": "an alert was resolved",
    "breaker": "a breaker changed",
    "halt": "sending was stopped or resumed",
    "engine": "the engine started or stopped",
}


def mark_of(event: Event) -> str:
    """The kind of mark an event is; empty for none."""
    match event:
        case events.AlertOpened():
            return "alert"
        case events.AlertResolved():
            return "resolved"
        case events.BreakerChanged():
            return "breaker"
        case events.SendingHalted() | events.SendingResumed():
            return "halt"
        case events.EngineStarted() | events.EngineStopped():
            return "engine"
    return ""
