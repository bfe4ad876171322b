"""The events of AI calls: what they cost, who answered, and what decides about that. See the package."""

from __future__ import annotations

from dataclasses import dataclass

from engine.events.event import Event

REHEARSED = ("drill_", "loadtest_", "shadow_")
"""How the trace ids of tasks begin that are rehearsals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSettled(Event):
    """One attempt at a provider ended and stands in the ledger. `cost` is nano-dollars, None where unpriced."""

    attempt_id: str
    provider: str
    model: str
    tool: str
    campaign_id: str
    account_id: str
    tenant_id: str
    user_id: str
    trace_id: str
    outcome: str  # ok, or the error class
    basis: str  # measured, estimated, unpriced
    cost: int | None
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    duration: int  # nanoseconds

    @property
    def rehearsed(self) -> bool:
        """Whether it was for a drill, a load test or a trial: money like any call's, but no traffic."""
        return self.trace_id.startswith(REHEARSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetWarned(Event):
    """A budget reached a threshold of its limit, told once a window. At 100 it is spent, or had to act."""

    scope: str  # global, tenant, campaign, account, user, provider
    key: str  # empty for global
    window: str  # hour, day, month, total
    percent: int
    limit: int  # nano-dollars, likewise the next two
    spent: int
    held: int
    resets_at: int | None  # None for a total


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetChanged(Event):
    """Somebody set a budget or took it away; what was told of it before no longer counts."""

    scope: str
    key: str
    window: str
    limit: int | None  # nano-dollars; None: it is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdsChanged(Event):
    """Other sums of a day and a month are critical now; nano-dollars, None: no such alert."""

    day: int | None
    month: int | None
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackTaken(Event):
    tool: str
    failed_provider: str
    failed_model: str
    provider: str
    model: str
    reason: str  # the error class, or breaker_open
    recovery: int  # nanoseconds from the first failure to the answer


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswersKept(Event):
    """Answers were kept for the next ones who ask the same: nothing kept had served their own tasks."""

    tenant_id: str
    tool: str
    answers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerReused(Event):
    """A kept answer served again. `saved` is what the call cost that gave it, nano-dollars; None where unpriced."""

    tenant_id: str
    tool: str
    kind: str  # hit, near, or shared: served with another's call, too late for a part of its bill
    saved: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsShared(Event):
    """One call served several who asked for the same at once; its bill was split among them (table `call_shares`)."""

    attempt_id: str
    tenant_id: str
    tool: str
    callers: int
    cost: int | None  # of the call, nano-dollars
    saved: int | None  # what the others' own calls would have cost on top


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagChanged(Event):
    name: str
    before: str  # in words
    after: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowChanged(Event):
    """A model is tried on a tool's tasks beside the one that answers, or, at 0 percent, no longer."""

    tool: str
    provider: str
    model: str
    percentage: float
    budget: int  # nano-dollars a day
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowCompared(Event):
    """A model on trial was asked what another had answered. Figures of the answer, and of the one on trial."""

    tool: str
    provider: str
    model: str
    shadow_provider: str
    shadow_model: str
    outcome: str  # ok, or the error class
    duration: int  # nanoseconds
    shadow_duration: int
    cost: int | None  # nano-dollars
    shadow_cost: int
    length: int  # characters
    shadow_length: int
    likeness: int  # words in common, in thousandths


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerChanged(Event):
    provider: str
    model: str
    state: str  # closed, open, half_open
    reason: str
    retry_at: int | None  # when an open breaker admits its next probe
    held_by: str = ""  # the operator who holds it as it is; empty while it moves by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLevelChanged(Event):
    """A tool is served at another level: full, cached, cheaper or template."""

    tool: str
    level: str
    before: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRated(Event):
    """An operator said what an answer was worth."""

    attempt_id: str
    tool: str
    provider: str
    model: str
    score: int  # 1 to 5
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteChanged(Event):
    """An operator set a tool's route over the file's, or gave it back to the file."""

    tool: str
    strategy: str
    chain: str  # provider/model, comma-separated
    weights: str  # comma-separated; empty: all alike
    actor: str
    from_file: bool  # the file decides again


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcurrencyChanged(Event):
    """The load made a stage work on more or fewer tasks at once, by a step that matters."""

    stage: str
    concurrency: int
    ceiling: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillEnded(Event):
    """The outage of a provider was rehearsed."""

    down: str
    tools: int
    taken_over: int
    unserved: int
    cost: int  # nano-dollars
    actor: str
