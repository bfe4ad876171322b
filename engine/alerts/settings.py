"""The figures of the rules, of their notices, and of the mail server. Durations are nanoseconds, money nano-dollars."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from engine.kernel.backoff import Backoff
from engine.kernel.secret import Secret
from engine.kernel.values import DAY, HOUR, MINUTE, NANOS_PER_USD, SECOND, NanoUSD

_FIFTY_USD = NanoUSD(50 * NANOS_PER_USD)
_THOUSAND_USD = NanoUSD(1_000 * NANOS_PER_USD)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """The `[alerts]` section, and the thresholds of `[costs]`."""

    day_threshold: NanoUSD | None = _FIFTY_USD
    """Nano-dollars spent in a day that are critical; None for no such alert."""

    month_threshold: NanoUSD | None = _THOUSAND_USD
    """Nano-dollars spent in a month that are critical; less than thirty such days, to catch a slow leak."""

    early_percent: int = 80
    """Percent of a threshold at which its warning opens, while there still is time to act."""

    error_rate: float = 0.05
    """Share of a model's newest calls that failed, from which on it is a warning. Healthy providers stay below 1 %."""

    error_rate_critical: float = 0.2
    """The same share, from which on it is critical: every fifth text is late or dearer. Never below `error_rate`."""

    error_window: int = 5 * MINUTE
    """Nanoseconds. A model that has not failed for this long is not failing, whatever its newest calls were."""

    error_least_calls: int = 20
    """Calls a share is taken of at least: one failure of three says nothing."""

    queue_age: int = 5 * MINUTE
    """Nanoseconds that a ready job may wait in a queue that is worked as fast as it can be; in a paced queue, that
    nothing may move although something could."""

    paced_queues: tuple[str, ...] = ("huntaze-rate-limiter-queue",)
    """Queues that wait on purpose: at 10 messages a minute a thousand take 100 minutes, so age means nothing there."""

    dead_letters: int = 1
    """Dead jobs in a queue: each is a message or a text that will not come by itself."""

    limiter_saturated: int = 5 * MINUTE
    """Nanoseconds an account's window was full while messages wait. Expected in a campaign, so only information."""

    limiter_backlog: int = 12 * HOUR
    """Nanoseconds until an account's last waiting message would leave, from which on a full window is a warning."""

    sync_lag: int = 15 * MINUTE
    """Nanoseconds that the oldest ledger entry may lack in DynamoDB: some retries long."""

    broker_away: int = 15 * MINUTE
    """Nanoseconds that the MQTT broker may be away: a restart of it takes less, and events wait so long."""

    hold: int = MINUTE
    """Nanoseconds a condition without a figure of its own must last before it opens: rides out one bad minute."""

    clear: int = MINUTE
    """Nanoseconds a measured condition must be gone before its alert resolves, so that it does not flap."""

    flaps: int = 3
    """Openings of one alert within `flap_window` that make it a flapping one."""

    flap_window: int = HOUR
    """Nanoseconds in which openings are counted."""

    flap_clear: int = 30 * MINUTE
    """Nanoseconds a flapping condition must be gone before its alert resolves."""

    throttle: int = 30 * MINUTE
    """Nanoseconds between two notices of one alert, unless its severity rose."""

    remind_every: int = 4 * HOUR
    """Nanoseconds after which an alert that is still open, and that nobody acknowledged, is told again; never sooner
    than `throttle`."""

    notify_from: Literal["info", "warning", "critical"] = "warning"
    """The least severity that leaves the console through channels."""

    history: int = 90 * DAY
    """Nanoseconds that a resolved alert is kept."""

    check_every: int = 10 * SECOND
    """Nanoseconds between two looks at the rules when no event asks for one: conditions also ripen in silence."""

    send_timeout: float = 60.0
    """Real seconds that a channel may take for one message, whatever its own time-outs are."""

    backoff: Backoff = field(default_factory=lambda: Backoff(base=5 * SECOND, ceiling=15 * MINUTE, floor=SECOND))
    """How long a channel that failed is left alone."""

    give_up_after: int = DAY
    """Nanoseconds after which an unsent notice is given up: news of yesterday helps nobody."""

    def __post_init__(self) -> None:
        """Raises ValueError for shares that are none."""
        if not 0 < self.error_rate <= 1:
            raise ValueError("error_rate must lie above 0 and is at most 1")
        if not 0 < self.early_percent <= 100:
            raise ValueError("early_percent must lie above 0 and not above 100")


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpSettings:
    """The `[smtp]` section: where mail is handed over, from whom and to whom."""

    host: str
    port: int = 587
    """587 is submission with STARTTLS, 465 with TLS from the first byte, 25 a relay."""

    security: Literal["starttls", "tls", "none"] = "starttls"
    """`starttls` fails where the server does not offer it; a login without TLS is refused unless it says `none`."""

    username: str = ""
    """Empty: no login."""

    password: Secret = Secret()
    sender: str
    recipients: tuple[str, ...]
    timeout: float = 20.0
    """Real seconds for each step of the conversation."""
