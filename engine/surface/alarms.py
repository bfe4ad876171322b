"""The projection's part for alerts and the silences over them. See projection.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from engine import events
from engine.surface.snapshot import AlertView, SilenceView, Snapshot, silenced_until


def alert_opened(snapshot: Snapshot, event: events.AlertOpened) -> Snapshot:
    view = AlertView(
        alert_id=event.alert_id,
        rule=event.rule,
        subject=event.subject,
        severity=event.severity,
        summary=event.summary,
        opened_at=event.at,
        silenced_until=silenced_until(snapshot.silences.values(), event.rule, event.subject, event.severity),
    )
    return replace(snapshot, alerts={**snapshot.alerts, event.alert_id: view})


def alert_updated(snapshot: Snapshot, event: events.AlertUpdated) -> Snapshot:
    alert = snapshot.alerts.get(event.alert_id)
    until = alert and silenced_until(snapshot.silences.values(), alert.rule, alert.subject, event.severity)
    changes = {"severity": event.severity, "summary": event.summary, "silenced_until": until}
    return _change_alert(snapshot, event.alert_id, **changes)


def alert_acknowledged(snapshot: Snapshot, event: events.AlertAcknowledged) -> Snapshot:
    return _change_alert(snapshot, event.alert_id, acknowledged_by=event.actor)


def alert_unacknowledged(snapshot: Snapshot, event: events.AlertUnacknowledged) -> Snapshot:
    return _change_alert(snapshot, event.alert_id, acknowledged_by="")


def alerts_silenced(snapshot: Snapshot, event: events.AlertsSilenced) -> Snapshot:
    view = SilenceView(
        silence_id=event.silence_id,
        rule=event.rule,
        subject=event.subject,
        severity=event.severity,
        reason=event.reason,
        actor=event.actor,
        created_at=event.at,
        ends_at=event.ends_at,
    )
    return _silenced(snapshot, {**snapshot.silences, event.silence_id: view})


def silence_ended(snapshot: Snapshot, event: events.SilenceEnded) -> Snapshot:
    return _silenced(snapshot, {key: one for key, one in snapshot.silences.items() if key != event.silence_id})


def _silenced(snapshot: Snapshot, silences: Mapping[str, SilenceView]) -> Snapshot:
    """With these silences, and on each open alert how long it is silenced."""
    alerts = {
        key: replace(one, silenced_until=silenced_until(silences.values(), one.rule, one.subject, one.severity))
        for key, one in snapshot.alerts.items()
    }
    return replace(snapshot, silences=silences, alerts=alerts)


def _change_alert(snapshot: Snapshot, alert_id: str, **changes: Any) -> Snapshot:
    alert = snapshot.alerts.get(alert_id)
    if alert is None:
        return snapshot
    return replace(snapshot, alerts={**snapshot.alerts, alert_id: replace(alert, **changes)})


def alert_resolved(snapshot: Snapshot, event: events.AlertResolved) -> Snapshot:
    return replace(snapshot, alerts={key: view for key, view in snapshot.alerts.items() if key != event.alert_id})
