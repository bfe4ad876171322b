"""Every body and every query string of the API, in and out. A request's unknown field is refused by its name.

Requests turn into commands and queries of the surface; answers are read straight off the surface's rows, with the
outside's name where it differs (`cost`, an integer of nano-dollars, becomes `cost_usd`, a decimal string).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from engine.surface.commands import Audience, CampaignDraft
from huntaze_console.api.fields import (
    BudgetUsd,
    Cursor,
    Digest,
    FutureTime,
    Id,
    Limit,
    Name,
    Prose,
    Seconds,
    SecondsOrNull,
    Time,
    TimeOrNull,
    Usd,
    UsdOrNull,
)

Dimension = Literal["provider", "model", "tool", "campaign", "account", "tenant", "user", "day", "hour"]


class RequestShape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, defer_build=True)


class AnswerShape(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True, use_attribute_docstrings=True, defer_build=True)


# ── requests ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Nothing(RequestShape):
    """No body is needed; an empty object is taken too."""


class AudienceRequest(RequestShape):
    """Exactly one of the three."""

    all: bool = Field(default=False, strict=True)
    tag: Annotated[str, StringConstraints(strict=True, max_length=200)] = ""
    fan_ids: tuple[Id, ...] = ()

    @model_validator(mode="after")
    def _one(self) -> AudienceRequest:
        if [self.all, bool(self.tag), bool(self.fan_ids)].count(True) != 1:
            raise ValueError('exactly one of {"all": true}, {"tag": …} and {"fan_ids": […]} with at least one fan')
        return self


class CampaignRequest(RequestShape):
    """A campaign to create, or with `dry_run` to estimate only. Exactly one of `prompt` and `template`."""

    name: Name
    account_id: Id
    audience: AudienceRequest
    tool: Id = "message"
    prompt: Prose = ""
    """What the model is asked to write, per fan."""
    template: Prose = ""
    """A text with variables, filled in without a model."""
    approval: Literal["required", "automatic"] = "required"
    budget_usd: BudgetUsd = None
    """The most the campaign's AI calls may cost; null: no budget of its own."""
    schedule_at: FutureTime = None
    """When to begin; null: as soon as it is started."""
    start: bool = Field(default=True, strict=True)
    """Start it at once, or at `schedule_at`; otherwise it stays a draft."""
    dry_run: bool = Field(default=False, strict=True)

    @model_validator(mode="after")
    def _one_text(self) -> CampaignRequest:
        if bool(self.prompt.strip()) == bool(self.template.strip()):
            raise ValueError("exactly one of prompt and template must say something")
        return self

    def draft(self) -> CampaignDraft:
        audience = Audience(all=self.audience.all, tag=self.audience.tag, fan_ids=self.audience.fan_ids)
        return CampaignDraft(
            name=self.name,
            account_id=self.account_id,
            audience=audience,
            tool=self.tool,
            prompt=self.prompt,
            template=self.template,
            approval=self.approval,
            budget=self.budget_usd,
            starts_at=self.schedule_at,
        )


class ApprovalRequest(RequestShape):
    """The texts a person has read and says yes to."""

    texts: dict[Id, Digest]
    """Delivery id to the SHA-256 of the text that was read (`text_digest`). An empty object: all that are drafted."""


class RejectionRequest(RequestShape):
    delivery_ids: tuple[Id, ...] = Field(min_length=1)
    reason: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=500)] = "rejected by the operator"


class SettlementRequest(RequestShape):
    """What became of an uncertain send, as a person decided it."""

    outcome: Literal["sent", "failed", "again"]


class CampaignListing(RequestShape):
    campaign_id: str | None = Field(default=None, min_length=1, max_length=200)
    """One campaign; without it, all of them, newest first."""
    state: str = ""
    account_id: str = ""
    limit: Limit = 100
    cursor: Cursor = ""


class DeliveryListing(RequestShape):
    state: str = ""
    fan_id: str = ""
    risk: str = ""
    """Of the text: none, low, medium or high."""
    limit: Limit = 100
    cursor: Cursor = ""


class AlertListing(RequestShape):
    open_only: bool = True
    """Open alerts only; false: the history of the last 90 days."""
    limit: Limit = 100
    cursor: Cursor = ""


class BreakdownRequest(RequestShape):
    by: str = "provider,model"
    """Any of provider, model, tool, campaign, account, tenant, user, day, hour, comma-separated."""
    from_: str | None = Field(default=None, alias="from")
    """Inclusive: ISO 8601 with an offset, or a date in the costs' time zone. Without it, the start of this month."""
    to: str | None = None
    """Exclusive, as `from`. Without it, now."""


class NoQuery(RequestShape):
    """No query parameters."""


class WireQuery(RequestShape):
    """A query of the surface by its name, for consoles and tools of this product: integers stay integers."""

    query: str
    fields: dict[str, Any] = {}


class WireCommand(RequestShape):
    """A command of the surface by its name, for consoles and tools of this product: integers stay integers."""

    command: str
    fields: dict[str, Any] = {}


# ── answers: campaigns ──────────────────────────────────────────────────────────────────────────────────────────────


class Estimate(AnswerShape):
    fans: int
    cost_usd_low: UsdOrNull = Field(validation_alias="cost_low")
    """Null where a model's price is not known."""
    cost_usd_high: UsdOrNull = Field(validation_alias="cost_high")
    finish_at: Time


class CampaignAccepted(AnswerShape):
    """Null ids after a dry run, which created nothing."""

    campaign_id: str | None
    workflow_id: str | None
    status: str
    estimate: Estimate


class CampaignStatus(AnswerShape):
    campaign_id: str
    workflow_id: str
    name: str
    account_id: str
    tool: str
    status: str
    reason: str
    created_at: Time
    schedule_at: TimeOrNull
    budget_usd: UsdOrNull
    cost_usd: Usd
    unpriced_calls: int
    """Calls whose price is not known; `cost_usd` leaves them out."""
    fans: int
    counts: dict[str, int]
    """Deliveries by state."""
    eta: TimeOrNull
    """When the last message will have gone out at the account's limit; null while nothing moves."""


class CampaignChanged(CampaignStatus):
    summary: str
    """What was done, in a sentence."""


class CampaignPage(AnswerShape):
    campaigns: list[CampaignStatus]
    next: str | None
    as_of: str


class Delivery(AnswerShape):
    delivery_id: str
    campaign_id: str
    account_id: str
    fan_id: str
    fan_name: str
    state: str
    reason: str
    text: str
    text_digest: str
    platform_id: str
    attempts: int
    cost_usd: Usd = Field(validation_alias="cost")
    changed_at: Time
    risk: str
    """Of the text: none, low, medium or high; empty before it is drafted."""
    risk_reason: str
    """What was found, completing *the text …*."""


class DeliveryPage(AnswerShape):
    deliveries: list[Delivery]
    next: str | None
    as_of: str


class Outcome(AnswerShape):
    """A command was carried out."""

    summary: str


# ── answers: costs ──────────────────────────────────────────────────────────────────────────────────────────────────


class BreakdownLine(AnswerShape):
    """The sums of one group, beside the dimensions it was grouped by (each under its own name, as text)."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, str] = Field(init=False)

    calls: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_usd: Usd
    measured_usd: Usd
    estimated_usd: Usd
    measured_input_tokens: int
    measured_output_tokens: int
    unpriced_calls: int


class Breakdown(AnswerShape):
    total_usd: Usd
    rows: list[BreakdownLine]


class Spend(AnswerShape):
    cost_usd: Usd
    measured_usd: Usd
    estimated_usd: Usd
    calls: int
    failed_calls: int
    unpriced_calls: int
    """Calls without a known price: counted here, in no sum."""
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    reasoning_tokens: int
    average_cost_usd: UsdOrNull
    """Per priced call; null before the first."""
    average_input_tokens: float | None
    average_output_tokens: float | None


class ProviderSpend(AnswerShape):
    provider: str
    today: Spend
    month: Spend
    latency_p50_seconds: SecondsOrNull
    """Of each model's newest answered calls."""
    latency_p95_seconds: SecondsOrNull


class Thresholds(AnswerShape):
    day_usd: UsdOrNull
    month_usd: UsdOrNull


class SyncStatus(AnswerShape):
    """The copy of the ledger in DynamoDB."""

    state: Literal["off", "ok", "behind", "failing"]
    unsynced: int
    lag_seconds: Seconds
    error: str


class CostStats(AnswerShape):
    as_of: str
    time_zone: str
    """Where days and months begin."""
    day: str
    today: Spend
    month: Spend
    by_provider: list[ProviderSpend]
    thresholds: Thresholds
    sync: SyncStatus


# ── answers: limits, queues, alerts, health ─────────────────────────────────────────────────────────────────────────


class AccountLimit(AnswerShape):
    account_id: str
    name: str
    limit: int
    """Messages in any span of `window_seconds`."""
    allowed: int
    """Those that hold now: fewer than the limit for a while after the platform throttled the account."""
    window_seconds: Seconds
    free: int
    next_free_at: TimeOrNull
    taken_until: list[Time]
    """When each taken slot frees, soonest first."""
    paused: str
    """Why nothing is sent; empty while it may send."""


class CallLimit(AnswerShape):
    """One window of the limits on calls of the models."""

    layer: str
    """global, provider, account, user, or user_at: a user at a provider, the key being provider/user."""
    key: str
    measure: str
    """requests or tokens."""
    per: str
    """minute, hour or day."""
    used: int
    limit: int
    allowed: int
    """What holds now: less than the limit for a while after the provider throttled."""
    frees_at: TimeOrNull


class Limits(AnswerShape):
    as_of: str
    now: Time
    halted_by: str
    """Who stopped all sending; empty while messages may go out."""
    accounts: list[AccountLimit]
    calls: list[CallLimit]
    calls_unknown: str
    """Why the windows of calls cannot be shown; empty while they are."""


class QueueDepth(AnswerShape):
    queue: str
    ready: int
    delayed: int
    leased: int
    parked: int
    dead: int
    oldest_at: TimeOrNull
    """When the longest waiting ready job became ready."""
    oldest_age_seconds: SecondsOrNull


class Queues(AnswerShape):
    as_of: str
    queues: list[QueueDepth]


class Alert(AnswerShape):
    alert_id: str
    rule: str
    subject: str
    severity: str
    summary: str
    opened_at: Time
    resolved_at: TimeOrNull
    acknowledged_by: str
    acknowledged_at: TimeOrNull
    notices: int
    last_notice_error: str
    silenced_until: TimeOrNull
    """While a silence covers it, nobody is notified; null without one."""


class AlertPage(AnswerShape):
    alerts: list[Alert]
    next: str | None
    as_of: str


class Dependency(AnswerShape):
    name: str
    state: str
    """ok, degraded, down or off"""
    latency_seconds: SecondsOrNull = Field(validation_alias="latency")
    last_error: str = Field(validation_alias="error")
    checked_at: Time


class HealthDetails(AnswerShape):
    engine: str
    """starting, running, draining or stopped"""
    version: str
    mode: str
    halted_by: str
    dependencies: list[Dependency]


class Health(AnswerShape):
    """Without a token, the status alone."""

    status: Literal["ok", "unavailable"]
    details: HealthDetails | None = None


class Welcome(AnswerShape):
    name: str
    api: str
    openapi: str
    health: str


# ── answers: the wire ───────────────────────────────────────────────────────────────────────────────────────────────


class WirePage(AnswerShape):
    rows: list[dict[str, Any]]
    next: str | None
    as_of: str


class WireDone(AnswerShape):
    summary: str
    data: dict[str, Any]
