"""Alerts: rules over the snapshot, who is told of what, and what became of it. Channels' adapters stay off the face."""

from engine.alerts.alert import Alert, Firing, Rule, Severity
from engine.alerts.channel import Channel, ChannelError, Kind, Line, Notice
from engine.alerts.history import acknowledge, list_alerts, open_alerts
from engine.alerts.rules import conditions
from engine.alerts.service import AlertService
from engine.alerts.settings import AlertSettings, SmtpSettings

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
    "list_alerts",
    "open_alerts",
]
