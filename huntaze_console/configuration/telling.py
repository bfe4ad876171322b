"""What the sections of config.toml may say that tell others of the engine: alerts, mail, the MQTT broker."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from engine.alerts.settings import AlertSettings
from engine.bus.settings import MqttSettings, unfit
from engine.kernel.secret import Secret
from engine.kernel.values import DAY, seconds
from huntaze_console.configuration.kinds import (
    Count,
    Key,
    Port,
    Rate,
    Seconds,
    Section,
    Wait,
    Words,
)

_ALERTS = AlertSettings()
_MQTT = MqttSettings(host="none", node="none")


class AlertsSection(Section):
    """The rules' figures, their notices, and where these go."""

    early_percent: Annotated[int, Field(ge=1, le=100)] = _ALERTS.early_percent
    error_rate: Rate = _ALERTS.error_rate
    error_rate_critical: Rate = _ALERTS.error_rate_critical
    error_window_seconds: Seconds = seconds(_ALERTS.error_window)
    error_least_calls: Count = _ALERTS.error_least_calls
    queue_age_seconds: Seconds = seconds(_ALERTS.queue_age)
    dead_letters: Count = _ALERTS.dead_letters
    limiter_saturated_seconds: Seconds = seconds(_ALERTS.limiter_saturated)
    limiter_backlog_seconds: Seconds = seconds(_ALERTS.limiter_backlog)
    sync_lag_seconds: Seconds = seconds(_ALERTS.sync_lag)
    broker_away_seconds: Seconds = seconds(_ALERTS.broker_away)
    hold_seconds: Wait = seconds(_ALERTS.hold)
    clear_seconds: Wait = seconds(_ALERTS.clear)
    flaps: Count = _ALERTS.flaps
    flap_window_seconds: Seconds = seconds(_ALERTS.flap_window)
    flap_clear_seconds: Wait = seconds(_ALERTS.flap_clear)
    check_seconds: Seconds = seconds(_ALERTS.check_every)
    throttle_seconds: Wait = seconds(_ALERTS.throttle)
    remind_seconds: Seconds = seconds(_ALERTS.remind_every)
    notify_from: Literal["info", "warning", "critical"] = _ALERTS.notify_from
    history_days: Annotated[int, Field(ge=1, le=3_650)] = _ALERTS.history // DAY
    send_timeout_seconds: Seconds = _ALERTS.send_timeout
    backoff_base_seconds: Seconds = seconds(_ALERTS.backoff.base)
    backoff_ceiling_seconds: Seconds = seconds(_ALERTS.backoff.ceiling)
    backoff_floor_seconds: Seconds = seconds(_ALERTS.backoff.floor)
    give_up_seconds: Seconds = seconds(_ALERTS.give_up_after)
    email_to: Words = ()
    sns_topic: str = "huntaze-cost-alerts"
    slack_webhook_url: Key = Secret()
    slack_webhook_url_file: str = ""


class SmtpSection(Section):
    """The mail server for alerts; none while `host` is empty."""

    host: str = ""
    port: Port = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password: Key = Secret()
    password_file: str = ""
    from_address: str = ""
    timeout_seconds: Seconds = 20.0


def _topic_part(part: str) -> str:
    if part and (why := unfit(part)):
        raise PydanticCustomError("topic", "{why}", {"why": why})
    return part


TopicPart = Annotated[str, AfterValidator(_topic_part)]


class MqttSection(Section):
    """The broker that the engine's state and events are published to; none while `host` is empty."""

    host: str = ""
    port: Annotated[int, Field(ge=1, le=65_535)] = _MQTT.port
    tls: bool = _MQTT.tls
    ca_file: str = _MQTT.ca_file
    username: str = _MQTT.username
    password: Key = Secret()
    password_file: str = ""
    fleet: TopicPart = _MQTT.fleet
    node: TopicPart = ""
    keepalive_seconds: Annotated[int, Field(ge=5, le=3_600)] = _MQTT.keepalive
    timeout_seconds: Annotated[float, Field(ge=0.1, le=300)] = _MQTT.timeout
    buffer: Annotated[int, Field(ge=100, le=1_000_000)] = _MQTT.buffer
    batch: Annotated[int, Field(ge=1, le=1_000)] = _MQTT.batch
    linger_seconds: Annotated[float, Field(ge=0, le=60)] = _MQTT.linger
    status_seconds: Annotated[float, Field(ge=1, le=3_600)] = _MQTT.status_every
    backoff_base_seconds: Seconds = seconds(_MQTT.backoff.base)
    backoff_ceiling_seconds: Seconds = seconds(_MQTT.backoff.ceiling)
    backoff_floor_seconds: Seconds = seconds(_MQTT.backoff.floor)
