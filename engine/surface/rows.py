"""What the answers to queries are made of: one row type a query. Amounts are nano-dollars, times nanoseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.surface.courses import AttemptRow as AttemptRow
from engine.surface.courses import CostCourseRow as CostCourseRow
from engine.surface.courses import MonitorCourseRow as MonitorCourseRow
from engine.surface.courses import PriorityRow as PriorityRow
from engine.surface.courses import QueueCourseRow as QueueCourseRow


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakdownRow:
    """Sums over the calls of one group. `dimensions` holds what was grouped by; amounts are nano-dollars."""

    dimensions: Mapping[str, str]
    calls: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost: int
    measured: int
    estimated: int
    measured_input_tokens: int
    measured_output_tokens: int
    unpriced_calls: int
    failed_calls: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """One ledger entry."""

    attempt_id: str
    at: int
    provider: str
    model: str
    tool: str
    campaign_id: str
    account_id: str
    tenant_id: str
    user_id: str
    trace_id: str
    job_id: str
    outcome: str
    basis: str
    cost: int | None
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    price_source: str
    price_date: str
    duration: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRow:
    """One window of the limits on calls of the models. `allowed` is below the limit while the provider throttles."""

    layer: str  # user, user_at (the key is provider/user), model (provider/model), provider, account or global
    key: str
    measure: str  # requests or tokens
    per: str  # minute, hour or day
    used: int
    limit: int
    allowed: int
    frees_at: int | None  # when its oldest part frees; None while nothing is used


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    job_id: str
    queue: str
    lane: str
    batch: str
    state: str
    priority: int
    attempts: int
    max_attempts: int
    put_at: int
    ready_at: int
    leased_until: int | None
    cause: str
    payload: str  # JSON, ids only


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    delivery_id: str
    campaign_id: str
    account_id: str
    fan_id: str
    fan_name: str
    state: str
    reason: str
    text: str  # what will be or was sent; empty before it is drafted
    text_digest: str  # SHA-256 of the text, to approve exactly it
    platform_id: str
    attempts: int
    cost: int | None  # None: not known, in a recording
    changed_at: int
    risk: str = ""  # of its text: none, low, medium, high; empty before it is drafted
    risk_reason: str = ""  # what was found, completing *the text …*


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    alert_id: str
    rule: str
    subject: str
    severity: str
    summary: str
    opened_at: int
    resolved_at: int | None
    acknowledged_by: str
    acknowledged_at: int | None
    notices: int  # sent through channels
    last_notice_error: str
    silenced_until: int | None = None  # while a silence covers it; None: none does


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceRow:
    """What alerts a silence keeps quiet, who made it and why. What is empty matches every alert."""

    silence_id: str
    rule: str
    subject: str
    severity: str
    reason: str
    actor: str
    created_at: int
    ends_at: int
    ended_at: int | None  # when somebody ended it early; None: it lasts, or lasted, until `ends_at`
    matched: int  # alerts that were open in its time and that it covers or covered


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One command that the engine was given, carried out or refused.

    `before` and `after` are small JSON objects of what changed, empty where nothing can be said in short. Neither they
    nor `summary` hold a message's text, a prompt or a secret.
    """

    audit_id: int
    at: int
    actor: str
    via: str  # console, cli, api, gateway, engine
    action: str  # pause-campaign
    subject: str  # what it was done to: a campaign's id, provider/model, scope:key:window; empty for the whole
    summary: str  # one line; of a refused one, why
    before: str
    after: str
    outcome: str  # done, refused
    undoable: bool  # UndoAction may put it back, unless it changed again since
    undone_by: int | None  # the audit_id of the action that did
    why_not: str = ""  # why it cannot be undone; empty where it can
    names: Mapping[str, str] = field(
        default_factory=dict
    )  # of the ids in `subject`: a campaign's name, a delivery's fan


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionRow:
    account_id: str
    fan_id: str
    reason: str
    added_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateRow:
    """What a campaign would do. `left_out` counts fans by the reason they get nothing; `warnings` are sentences."""

    fans: int
    left_out: Mapping[str, int]
    cost_low: int | None
    cost_high: int | None
    unpriced: bool
    provider: str
    model: str
    starts_at: int
    finish_at: int
    previews: tuple[str, ...]  # the first fans' texts of a template; empty for a prompt, which costs money to try
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """One record of the engine's log, its secrets hidden. `seq` counts from 1 at each start of the engine."""

    seq: int
    at: int
    level: str  # debug, info, warning, error, critical
    area: str  # the module that spoke
    message: str
    fields: Mapping[str, str]
    error: str  # an exception's type and place; empty without one
    trace: tuple[str, ...]  # the places it and its causes passed, outermost first; never their text


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    event_id: str
    at: int
    kind: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyRow:
    """One thing the engine needs: `state` is ok, degraded, down or off."""

    name: str
    state: str
    latency: int | None  # nanoseconds of the last answer
    error: str
    checked_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorRow:
    """What passed through one endpoint, tool, provider or model. Latencies are nanoseconds, None of none.

    `first_…` are to the first byte of what was streamed. `refused` are the asker's own doing and count as no errors.
    """

    kind: str
    name: str
    at: int  # where its time begins
    calls: int
    errors: int
    refused: int
    fallbacks: int
    error_rate: float  # of the calls that were not refused
    fallback_rate: float | None  # of a tool's answers, or of the times a model was wanted; None for endpoints
    per_minute: float
    p50: int | None
    p95: int | None
    p99: int | None
    first_p50: int | None = None
    first_p95: int | None = None
    rating: float | None = None  # 1 to 5, of all time
    ratings: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTestCall:
    """One task of a load test: `outcome` is ok, an error class or budget; `failed` names models that failed before."""

    number: int
    outcome: str
    target: str
    duration: int
    failed: tuple[str, ...]
    attempts: int
    cost: int
    unpriced: int
    input_tokens: int
    output_tokens: int
    trace_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTestRow:
    """A load test under way or over, in single calls and in sum. Durations are nanoseconds, of answered calls."""

    test_id: str
    tool: str
    state: str  # running, done, cancelled
    count: int
    concurrency: int
    started_at: int
    ended_at: int | None
    answered: int
    fallbacks: int  # answers that not the first choice gave
    answered_by: Mapping[str, int]
    errors: Mapping[str, int]
    p50: int | None
    p95: int | None
    longest: int | None
    cost: int
    unpriced: int
    input_tokens: int
    output_tokens: int
    calls: tuple[LoadTestCall, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadTestBound:
    """What a load test may cost at most, all retries and fallbacks included; None where a price is unknown."""

    tool: str
    count: int
    cost: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """A key of the gateway, without its secret. `used_at` is to the minute."""

    key_id: str
    name: str
    prefix: str
    tenant_id: str
    models: tuple[str, ...]
    limit: int | None  # nano-dollars a window
    window: str
    state: str  # active, expired, revoked
    created_at: int
    expires_at: int | None
    used_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRow:
    """How a tool's models are chosen. What the file says stands beside it; the same, where nobody set the route."""

    tool: str
    strategy: str
    chain: tuple[str, ...]
    weights: tuple[int, ...]
    too_slow: int | None  # nanoseconds
    set_by: str  # who set it over the file; empty: it is the file's
    set_at: int | None
    file_strategy: str
    file_chain: tuple[str, ...]
    file_weights: tuple[int, ...]
    file_too_slow: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateRow:
    """One model of a decision, in the order they would be tried; those passed over come last."""

    position: int  # from 1, in that order; 0 for one passed over
    provider: str
    model: str
    verdict: str
    flaw: str  # the reason against one that is in line all the same; empty for none
    why: str
    worst_cost: int | None  # nano-dollars of such a task; None where no price is known
    latency: int | None  # nanoseconds expected
    in_flight: int
    quality: float  # 0 to 1
    room: int | None  # nano-dollars in the tightest budget that covers it; None without one


@dataclass(frozen=True, slots=True, kw_only=True)
class GaugeRow:
    """What is measured of one model now."""

    provider: str
    model: str
    latency: int | None  # nanoseconds expected; None when not measured lately
    in_flight: int
    quality: float  # 0 to 1, over all tools
    tools: tuple[str, ...]  # whose chains it stands in


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRow:
    """A hard limit and where it stands in its window; amounts are nano-dollars."""

    scope: str
    key: str
    window: str
    limit: int
    spent: int
    held: int  # what calls under way may yet cost
    percent: int  # the highest threshold told in this window, 0 before the first
    began_at: int | None  # None for a total
    resets_at: int | None
    actions: tuple[str, ...]
    time_zone: str
    origin: str  # campaign, command, file


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowStep:
    """A step of a workflow and how far its items are. `outcomes` counts those that left it, by how."""

    step: str
    state: str  # waiting, running, done, failed, skipped
    waits_for: str  # engine, person, time (the campaign's start), or empty where nothing is waited for
    entered: int
    open: int
    passed: int
    outcomes: Mapping[str, int]
    tries: int  # an item's at most
    retries: int  # tries that failed and were or will be repeated, of all items
    cause: str  # of the last failed try
    caused_at: int | None
    started_at: int | None
    ended_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowEdge:
    """Where items go that leave a step with an outcome; `taken` in this instance, or not, by the fact in `when`."""

    step: str
    outcome: str
    to: str  # empty: out of the graph
    when: str
    taken: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowRow:
    """A workflow under way or over, with its steps in the graph's order."""

    workflow_id: str
    campaign_id: str
    name: str  # the campaign's
    graph: str
    state: str  # waiting, running, paused, done, cancelled, failed
    created_at: int
    ended_at: int | None
    steps: tuple[WorkflowStep, ...]
    edges: tuple[WorkflowEdge, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRow:
    """What is kept, and what it and shared calls spared today. Amounts are nano-dollars, unpriced calls left out."""

    entries: int
    bytes: int
    most_bytes: int
    hits: int  # tasks that a kept answer served
    near: int  # of them, by one that said the same in other words' clothes
    shared: int  # tasks that another's call served
    kept: int  # tasks that nothing kept could serve
    saved: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagRow:
    name: str
    about: str  # what it switches
    enabled: bool
    percentage: int  # of the users
    allow: tuple[str, ...]
    deny: tuple[str, ...]
    changed_at: int  # 0: never
    changed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowRow:
    """A model on trial beside those that answer, and the sums of its last 30 days. Amounts are nano-dollars."""

    tool: str
    target: str
    percentage: float  # of the tool's tasks; 0: the trial is over
    budget: int  # a UTC day
    spent_today: int
    fans: bool
    compared: int
    failed: int
    duration: int  # nanoseconds of all compared answers together; the next ones likewise
    shadow_duration: int
    cost: int
    shadow_cost: int
    length: int  # characters
    shadow_length: int
    likeness: int  # thousandths, summed


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerRow:
    """One model's breaker. The counts are those of its window; `held_by` is the operator who holds it as it is."""

    provider: str
    model: str
    state: str  # closed, open, half_open
    reason: str
    changed_at: int | None  # None: it never moved
    retry_at: int | None
    held_by: str
    calls: int
    failed: int
    slow: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillRow:
    """What a drill asks of one tool: the models that may stand in, and the most that costs; None: unknown."""

    tool: str
    models: tuple[str, ...]  # in the order they would be asked; empty: the tool does not use the provider
    cost_high: int | None
