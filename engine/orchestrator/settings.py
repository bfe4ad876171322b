"""Which model does what, who stands in for it, and how long to try."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.kernel.backoff import Backoff
from engine.kernel.values import MINUTE, SECOND
from engine.providers import Timeouts

TOOLS = (
    "content-plan",
    "multi-platform",
    "message",
    "quick-reply",
    "title-generator",
    "descriptions",
    "icp-maker",
    "creator-pack",
    "lead-magnet",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRoute:
    """The chain of models for one tool, first choice first, each as provider/model, and how it is asked."""

    chain: tuple[str, ...]
    max_output_tokens: int = 400
    """The cap sent with every call, and so the most its output can cost. A fan message is under 150 tokens."""

    temperature: float | None = None
    system: str = ""
    """The standing instruction put before every task of this tool."""

    template: str = ""
    """The fixed text that stands in when no model can be had (see DegradationSettings); empty: there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySettings:
    """Retries on the same model, before the next of the chain is tried."""

    attempts: int = 2
    """Tries on one model, the first included: with a fallback at hand, patience with one model helps little."""

    backoff: Backoff = field(default_factory=lambda: Backoff(base=SECOND // 2, ceiling=8 * SECOND))
    patience: int = 10 * SECOND
    """Nanoseconds of Retry-After that are waited out where no other model is left; a longer one fails the task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSettings:
    """When a model is left alone."""

    failure_rate: float = 0.5
    """Share of failed calls in the window that opens the breaker."""

    window: int = MINUTE
    """Nanoseconds that a call counts."""

    least_calls: int = 8
    """Calls in the window below which the rate says nothing."""

    open_for: int = 30 * SECOND
    """Nanoseconds until the first probe; doubled with each failed one, up to `open_at_most`, and jittered."""

    open_at_most: int = 5 * MINUTE
    probe_lease: int = MINUTE
    """Nanoseconds after which a probe that never reported is written off, so that a lost one blocks nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DegradationSettings:
    """When a tool is served worse, and when better again."""

    window: int = MINUTE
    """Nanoseconds that a task's outcome counts."""

    least_tasks: int = 10
    """Tasks in the window below which the share says nothing."""

    cached_at: float = 0.1
    """Share of poor outcomes from which kept answers are preferred, those that only come near or are old included."""

    cheaper_at: float = 0.3
    """From here the cheapest model of the chain comes first: a struggling one is relieved, and retries cost less."""

    template_at: float = 0.7
    """From here a tool that has a template answers with it and asks no model but for a probe."""

    calm: int = 30 * SECOND
    """Nanoseconds the share must stay under half the level's threshold before the level is left, one at a time."""

    probe_every: int = 5 * SECOND
    """Nanoseconds between two tasks that go through at the template level, to see whether models answer again."""

    slow: int = 30 * SECOND
    """Nanoseconds from which an answer counts as poor: nobody waits that long for a message."""

    probes: int = 3
    """Probes that must be answered in a row before a model is asked for everything again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrchestratorSettings:
    tools: Mapping[str, ToolRoute] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Other names of tools, such as a sister system's: what is asked for by an alias is booked under the tool."""

    timeouts: Timeouts = field(default_factory=Timeouts)
    total: int = 3 * MINUTE
    """Nanoseconds for a whole task, all retries and fallbacks included."""

    concurrency: int = 16
    """Tasks of the workflow queue worked on at once."""

    retry: RetrySettings = field(default_factory=RetrySettings)
    breaker: BreakerSettings = field(default_factory=BreakerSettings)
    degradation: DegradationSettings = field(default_factory=DegradationSettings)
