"""Which model does what, who stands in for it, and how long to try."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from engine.kernel.backoff import Backoff
from engine.kernel.values import HOUR, MINUTE, SECOND
from engine.orchestrator.decision import Strategy
from engine.providers import Correction, Timeouts

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


class CacheMode(StrEnum):
    """When a tool's answer serves more than the task that asked for it."""

    OFF = "off"  # every task has a call of its own
    EXACT = "exact"  # for the same question
    NEAR = "near"  # also for one that says the same in other words' clothes


GATEWAY = "gateway"
"""What a gateway's client is booked under that names a model itself: a tool without an instruction of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRoute:
    """The chain of models for one tool, first choice first, each as provider/model, and how it is asked."""

    chain: tuple[str, ...]
    strategy: Strategy = Strategy.FIXED
    """How the chain is put in order for each task."""

    weights: tuple[int, ...] = ()
    """One for each model of the chain, for WEIGHTED: shares of the calls. 0 only stands in; none: all alike."""

    too_slow: int | None = None
    """Nanoseconds of expected latency from which a model stands last; None: nothing is too slow."""

    max_output_tokens: int = 400
    """The cap sent with every call, and so the most its output can cost. A fan message is under 150 tokens."""

    temperature: float | None = None
    system: str = ""
    """The standing instruction put before every task of this tool."""

    cache: CacheMode = CacheMode.OFF
    """Whether an answer may serve again, and whether those who ask the same at once share one call."""

    hedge_after: int | None = None
    """Nanoseconds after which the next model is asked too while the first is still at it; None: never. About the
    tool's p95, so that one task in twenty is asked twice."""

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

    budget_share: float = 0.2
    """Retries a provider may get, as a share of the requests it got in the window: an outage is not multiplied."""

    budget_floor: int = 10
    """Retries in the window beyond that share, so that a quiet engine may repeat a call at all."""

    budget_window: int = MINUTE
    """Nanoseconds that a request and a retry count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSettings:
    """When a model is left alone."""

    failure_rate: float = 0.5
    """Share of failed calls in the window that opens the breaker."""

    slow_call: int = 45 * SECOND
    """Nanoseconds from which an answer counts as slow; of a streamed one, until its first piece. Half of a call's
    time: an answer that takes this long serves nobody who waits, and holds what it occupies."""

    slow_rate: float = 0.8
    """Share of slow calls in the window that opens the breaker."""

    window: int = MINUTE
    """Nanoseconds that a call counts."""

    least_calls: int = 8
    """Calls in the window below which the rate says nothing."""

    open_for: int = 30 * SECOND
    """Nanoseconds until the first probe; doubled with each failed one, up to `open_at_most`, and jittered."""

    open_at_most: int = 5 * MINUTE
    probes: int = 1
    """Probes that a half-open breaker admits at once, and that must all answer before it closes."""

    probe_lease: int = MINUTE
    """Nanoseconds after which a probe that never reported is written off, so that a lost one blocks nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GaugeSettings:
    """How what is measured of a model becomes what is expected of it."""

    decay: int = 30 * SECOND
    """Nanoseconds in which a peak of latency fades to a third: long enough to survive a pause between two bursts."""

    forget: int = 10 * MINUTE
    """Nanoseconds after which a latency says nothing more, and one call finds out anew."""

    prior_quality: float = 0.9
    """What a model without a score is taken for: most models give a usable answer most times."""

    prior_weight: int = 20
    """How many scores the prior counts for: so many, well apart from it, pull the mean halfway to theirs."""

    memory: int = 500
    """Scores after which older ones begin to fade."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningSettings:
    """How the number of tasks worked on at once follows the load; its ceiling is `concurrency`."""

    least: int = 1
    """It never falls below this: something must go on to notice that things are better."""

    tolerance: float = 3.0
    """How many times as long as its quicker ones a model's calls may take on average before fewer go at once. Texts of
    different length alone make it about 2."""

    throttled: float = 0.05
    """Share of calls answered with 429 from which fewer go at once."""

    cut: float = 0.7
    """What is left of the number after a cut."""

    every: float = 2.0
    """Real seconds between two looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgeSettings:
    """How many tasks may be hedged: a second model is asked while the first is still at it."""

    share: float = 0.05
    """Hedges of a tool, as a share of its tasks in a minute: a slow hour must not double the bill."""

    floor: int = 1
    """Hedges of a tool in a minute beyond that share."""


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
class CacheSettings:
    """How long answers are kept, and how many."""

    keep: int = 24 * HOUR
    """Nanoseconds that an answer serves again."""

    keep_old: int = 24 * HOUR
    """Nanoseconds that it is kept beyond that, to serve only while models fail. Answers for one fan are not."""

    most_bytes: int = 64 << 20
    """Of all answers kept; the longest unused ones give way. About 30,000 messages."""

    most_bytes_each: int = 256 << 10
    """An answer larger than this is not kept: one batch of embeddings should not push hundreds of texts out."""


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

    waiting: int = 100
    """Calls that may wait for one full window of a limit; more are turned away at once."""

    retry: RetrySettings = field(default_factory=RetrySettings)
    breaker: BreakerSettings = field(default_factory=BreakerSettings)
    cache: CacheSettings = field(default_factory=CacheSettings)
    hedge: HedgeSettings = field(default_factory=HedgeSettings)
    degradation: DegradationSettings = field(default_factory=DegradationSettings)
    gauges: GaugeSettings = field(default_factory=GaugeSettings)
    tuning: TuningSettings = field(default_factory=TuningSettings)
    models: Mapping[str, Correction] = field(default_factory=dict)
    """What the operator knows better than the table of models, by provider/model."""

    model_aliases: Mapping[str, str] = field(default_factory=dict)
    """Other names of models, to provider/model."""
