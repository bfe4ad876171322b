"""The figures of the link to an MQTT broker, and what a part of a topic may be."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.kernel.backoff import Backoff
from engine.kernel.secret import Secret
from engine.kernel.text import clean
from engine.kernel.values import MINUTE, SECOND

_WILD = frozenset("+#/")
_LONGEST = 64  # characters of a part; a topic of three and our own words stay far below MQTT's 65,535 bytes


def unfit(part: str) -> str:
    """Why a text cannot be one part of a topic; empty for one that can."""
    if not part or len(part) > _LONGEST:
        return f"must have 1 to {_LONGEST} characters"
    if clean(part) != part or any(letter.isspace() for letter in part):
        return "holds a blank or a character that cannot be seen"
    if _WILD & set(part) or part.startswith("$"):
        return "must hold none of + # / and not begin with $: they mean something else in a topic"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttSettings:
    """The `[mqtt]` section, once a host is named."""

    host: str
    port: int = 8883
    tls: bool = True
    ca_file: str = ""
    """A PEM file with the authority that signed the broker's certificate; empty: those this machine trusts."""

    username: str = ""
    password: Secret = Secret()
    fleet: str = "default"
    """Which engines belong together: the second part of the topics."""

    node: str = ""
    """Which of them this is: the third part. Two engines of one name would throw each other off the broker."""

    keepalive: int = 30
    """Seconds. The broker tells of our death at the latest after one and a half of them."""

    timeout: float = 5.0
    """Real seconds for each answer of the broker; without one the link counts as broken."""

    buffer: int = 10_000
    """Events kept while the broker cannot take them; then the oldest are dropped. Some 10 MB when full."""

    batch: int = 100
    """Events in one message at most: some 30 kB."""

    linger: float = 0.2
    """Real seconds that events are gathered before a message leaves: a thousand events a second become ten."""

    status_every: float = 60.0
    """Real seconds between two retained statuses: one that is older than twice that is stale."""

    backoff: Backoff = field(default_factory=lambda: Backoff(base=2 * SECOND, ceiling=MINUTE, floor=SECOND // 2))
    """How long a broker that failed is left alone, in real time."""

    def __post_init__(self) -> None:
        """Raises ValueError for names that cannot stand in a topic."""
        for part in (self.fleet, self.node):
            if why := unfit(part):
                raise ValueError(f"{clean(part, limit=80)!r} {why}")

    @property
    def status_topic(self) -> str:
        return f"huntaze/{self.fleet}/{self.node}/status"

    @property
    def events_topic(self) -> str:
        return f"huntaze/{self.fleet}/{self.node}/events"
