"""Every event either changes the snapshot or is left out of it on purpose."""

from __future__ import annotations

from engine.events import EVENTS
from engine.surface import projection

# Told by the recorder, the log and the event stream; no panel shows a figure made of them.
NOT_SHOWN = {
    "FlagChanged",  # asked for with ListFlags
    "ShadowChanged",  # asked for with ListShadows
    "ShadowCompared",  # likewise
    "CallRated",  # the monitor counts it when it is asked
    "DrillEnded",  # whoever asked for it was answered; its calls are shown
    "RouteChanged",  # whoever shows routes asks for them
    "ConcurrencyChanged",  # the queue's samples show what it does
    "JobDied",  # the queue's next sample counts it
    "ActionTaken",  # the audit is asked for, by whoever hears of it
    "KeyCreated",  # shown with the list of keys, which is asked for
    "KeyRevoked",  # likewise
    "WorkflowStepMoved",  # the campaign's panel asks for its steps, whose counts move without events
    "NotificationSent",  # the alerts' history has it
    "NotificationFailed",  # likewise, and its alert stays open
}


def test_every_event_is_shown_or_left_out_on_purpose() -> None:
    handled = {kind.__name__ for kind in projection._HANDLERS}

    assert handled | NOT_SHOWN == set(EVENTS)
    assert handled & NOT_SHOWN == set()
