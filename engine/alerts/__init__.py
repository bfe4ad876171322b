"""Alerts: rules over the snapshot, who is told of what, and what became of it. Channels' adapters stay off the face."""

from engine.alerts.alert import Alert, Firing, Rule, Severity
from engine.alerts.channel import Channel, ChannelError, Kind, Line, Notice
from engine.alerts.history import acknowledge, list_alerts, open_alerts, unacknowledge
from engine.alerts.rules import conditions
from engine.alerts.service import AlertService
from engine.alerts.settings import AlertSettings, SmtpSettings
from engine.alerts.silences import create as create_silence
from engine.alerts.silences import end as end_silence
from engine.alerts.silences import list_silences
from engine.alerts.silences import live as live_silences

__all__ = [
    "Alert",
    "AlertService",
    "AlertSettings",
    "Channel",
    "ChannelError",
    "Firing",
    "Kind",
    "Line",
    "Notice",
    "Rule",
    "Severity",
    "SmtpSettings",
    "acknowledge",
    "conditions",
    "create_silence",
    "end_silence",
    "list_alerts",
    "list_silences",
    "live_silences",
    "open_alerts",
    "unacknowledge",
]
