"""Everything a face can ask beyond the snapshot. Each query names the type of its rows; the answer is a page of them.

Filters left empty match everything. `cursor` is the `next` of the page before. `limit` is at most 1,000.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from engine.surface.commands import CampaignDraft, FlagSetting
from engine.surface.effects import (
    BudgetEffectRow,
    FlagEffectRow,
    MessageRow,
    RouteEffectRow,
    ShadowEffectRow,
    ThresholdEffectRow,
    ThresholdRow,
    WhyRow,
)
from engine.surface.histories import CostHistory as CostHistory
from engine.surface.histories import GetTrace as GetTrace
from engine.surface.histories import KeptBudgets as KeptBudgets
from engine.surface.histories import ListPriorities as ListPriorities
from engine.surface.histories import MonitorHistory as MonitorHistory
from engine.surface.histories import QueueHistory as QueueHistory
from engine.surface.query import MOST_ROWS as MOST_ROWS
from engine.surface.query import Page as Page
from engine.surface.query import Paged as Paged
from engine.surface.query import Query as Query
from engine.surface.rows import (
    AlertRow,
    AuditRow,
    BreakdownRow,
    BreakerRow,
    BudgetRow,
    CacheRow,
    CallRow,
    CandidateRow,
    DeliveryRow,
    DependencyRow,
    DrillRow,
    EstimateRow,
    EventRow,
    FlagRow,
    GaugeRow,
    JobRow,
    KeyRow,
    LimitRow,
    LoadTestBound,
    LoadTestRow,
    LogRow,
    MonitorRow,
    RouteRow,
    ShadowRow,
    SilenceRow,
    SuppressionRow,
    WorkflowRow,
)
from engine.surface.snapshot import CampaignView, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class CostBreakdown(Query):
    """Costs grouped by any of provider, model, tool, campaign, account, tenant, user, day, hour; [from_, to)."""

    row: ClassVar[type] = BreakdownRow
    by: tuple[str, ...] = ("provider", "model")
    from_: int | None = None  # None: the start of this month
    to: int | None = None  # None: now


@dataclass(frozen=True, slots=True, kw_only=True)
class ListBudgets(Query):
    """Every hard limit, by scope; `campaigns` adds those that campaigns brought along."""

    row: ClassVar[type] = BudgetRow
    campaigns: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListCalls(Paged, Query):
    """Ledger entries, newest first."""

    row: ClassVar[type] = CallRow
    where: Mapping[str, str] = field(default_factory=dict)  # dimension to value
    limit: int = 100
    cursor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListJobs(Paged, Query):
    row: ClassVar[type] = JobRow
    queue: str = ""
    state: str = ""
    limit: int = 100
    cursor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetJob(Query):
    row: ClassVar[type] = JobRow
    job_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListCampaigns(Paged, Query):
    """Newest first."""

    row: ClassVar[type] = CampaignView
    state: str = ""
    account_id: str = ""
    limit: int = 100
    cursor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetCampaign(Query):
    row: ClassVar[type] = CampaignView
    campaign_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetDraft(Query):
    """The draft a campaign was made of."""

    row: ClassVar[type] = CampaignDraft
    campaign_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListDeliveries(Paged, Query):
    """By their ids, which are in the order of the audience. With an `offset` instead of a cursor, filtered and ordered.

    Each of `find` must be true: a word that is in the row, `-word` for one that is not, `field:word` for one field.
    `order` is a field, with `-` before it downwards: state, fan, text, reason, attempts, cost, changed_at, risk
    (the gravest first).
    """

    row: ClassVar[type] = DeliveryRow
    campaign_id: str = ""
    state: str = ""
    fan_id: str = ""
    risk: str = ""  # none, low, medium, high
    delivery_id: str = ""
    limit: int = 100
    cursor: str = ""
    find: tuple[str, ...] = ()
    order: str = ""
    offset: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainDelivery(Query):
    """Why one message was not sent, or what it waits for: a sentence, and each thing that was looked at."""

    row: ClassVar[type] = WhyRow
    delivery_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAlerts(Paged, Query):
    """Open alerts, or the history of the last 90 days, newest first."""

    row: ClassVar[type] = AlertRow
    open_only: bool = True
    limit: int = 100
    cursor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSilences(Paged, Query):
    """Live silences, the one that ends first ahead; with `all` also those that ended, newest first."""

    row: ClassVar[type] = SilenceRow
    all: bool = False
    limit: int = 100
    cursor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAudit(Paged, Query):
    """What was asked of the engine, newest first. An actor, action or subject may end in `*`; `since` is an instant.

    An actor without a host is found on every host. `undoable` leaves out what was undone already, and what cannot be.
    """

    row: ClassVar[type] = AuditRow
    actor: str = ""
    action: str = ""
    subject: str = ""
    since: int = 0
    undoable: bool = False
    limit: int = 100
    cursor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSuppressed(Paged, Query):
    row: ClassVar[type] = SuppressionRow
    account_id: str = ""
    limit: int = 100
    cursor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventHistory(Paged, Query):
    """Events after `from_`, or after a sequence number, up to `to`; oldest first, as far as the log has them."""

    row: ClassVar[type] = EventRow
    from_: int | None = None
    to: int | None = None  # inclusive; None: now
    after: int | None = None  # instead of `from_`
    limit: int = 1_000
    cursor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotAt(Query):
    """The snapshot as it stood at an instant, or after a sequence number; one row."""

    row: ClassVar[type] = Snapshot
    at: int | None = None  # None: now
    seq: int | None = None  # instead of `at`


@dataclass(frozen=True, slots=True, kw_only=True)
class ListLogs(Paged, Query):
    """The engine's log, oldest first: the newest records, those before a cursor, or the next ones after a number.

    `level` is the least that is shown; `text` stands somewhere in the record. `total` counts what matches and is kept.
    """

    row: ClassVar[type] = LogRow
    level: Literal["", "debug", "info", "warning", "error", "critical"] = ""
    text: str = ""
    after: int | None = None
    limit: int = 100
    cursor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateCampaign(Query):
    row: ClassVar[type] = EstimateRow
    draft: CampaignDraft


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSnapshots(Paged, Query):
    """The snapshots that were kept with the log, (`after`, `to`] by sequence number, oldest first; 20 a page at most.

    The next page begins after the sequence number in `next`. The events in between lead from one to the next, but for a
    restart: the first snapshot of a run is read from the tables anew.
    """

    row: ClassVar[type] = Snapshot
    after: int
    to: int
    limit: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ListEvents(Paged, Query):
    """The newest recorded events, oldest first; or those after a sequence number.

    With `about`, those that tell of this id (of a campaign, an account, a fan …), looked for in the newest 500,000.
    """

    row: ClassVar[type] = EventRow
    after: int | None = None
    about: str = ""
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewMessages(Paged, Query):
    """What a draft would give its fans, from the first one reached: a template's text, or what the model is asked."""

    row: ClassVar[type] = MessageRow
    draft: CampaignDraft
    skip: int = 0
    limit: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewBudget(Query):
    """What SetBudget would do, or RemoveBudget where there is no limit. Nothing is changed."""

    row: ClassVar[type] = BudgetEffectRow
    scope: str
    key: str = ""
    window: str = "total"
    limit: int | None = None  # nano-dollars


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewRoute(Query):
    """Whom a tool's tasks would go to under SetRoute, or with `reset` under the file's route, and what a text costs."""

    row: ClassVar[type] = RouteEffectRow
    tool: str
    strategy: str = ""
    chain: tuple[str, ...] | None = None
    weights: tuple[int, ...] | None = None
    too_slow: int | None = None
    reset: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewBreaker(Query):
    """Whom the tasks of each tool that names a model would go to under ForceBreaker."""

    row: ClassVar[type] = RouteEffectRow
    provider: str
    model: str
    state: Literal["open", "closed", "auto"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListThresholds(Query):
    """From which sum of a day and of a month on an alert is critical."""

    row: ClassVar[type] = ThresholdRow


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewThreshold(Query):
    """What SetThreshold would do to the alerts, for what is spent now. What is None stays as it is."""

    row: ClassVar[type] = ThresholdEffectRow
    day: int | None = None
    month: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewFlag(Query):
    """For how many of the users of the last 7 days a flag would be on under SetFlags."""

    row: ClassVar[type] = FlagEffectRow
    flag: FlagSetting


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewShadow(Query):
    """What SetShadow would try a day, by the tasks of the last 24 hours, and what that would cost at most."""

    row: ClassVar[type] = ShadowEffectRow
    tool: str
    target: str = ""
    percentage: float = 0.0
    budget: int = 0  # nano-dollars a UTC day


@dataclass(frozen=True, slots=True, kw_only=True)
class ListLimits(Paged, Query):
    """The windows of the limits on calls of the models: those of providers and of everybody, and what else is used."""

    row: ClassVar[type] = LimitRow
    limit: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckHealth(Query):
    row: ClassVar[type] = DependencyRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor(Query):
    """Rates, errors and latencies of [from_, to), by endpoint, tool, provider or model.

    Without a step one row a name, most called first; with one a row for each name and bucket, oldest first.
    """

    row: ClassVar[type] = MonitorRow
    kind: Literal["endpoint", "tool", "provider", "model"] = "tool"
    from_: int | None = None  # None: `last` before the end
    to: int | None = None  # None: now
    last: int = 3_600_000_000_000  # nanoseconds
    step: Literal["", "minute", "hour"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetLoadTest(Query):
    row: ClassVar[type] = LoadTestRow
    test_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundLoadTest(Query):
    """What a load test may cost, before it is started."""

    row: ClassVar[type] = LoadTestBound
    tool: str
    count: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ListKeys(Paged, Query):
    """The gateway's keys, newest first; without `all` those that open something now."""

    row: ClassVar[type] = KeyRow
    tenant_id: str = ""
    all: bool = False
    limit: int = 100
    cursor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRoutes(Query):
    """The route of each tool, or of one."""

    row: ClassVar[type] = RouteRow
    tool: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainRoute(Query):
    """Whom a task of a tool would be given to now, and why nobody else. Nothing is asked and nothing held."""

    row: ClassVar[type] = CandidateRow
    tool: str
    needs: tuple[str, ...] = ()  # schema, tools, images
    strategy: str = ""  # instead of the tool's own
    characters: int = 1_000  # of the prompt
    campaign_id: str = ""
    account_id: str = ""
    tenant_id: str = ""
    user_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListGauges(Query):
    """Every model that a chain names or that was called lately."""

    row: ClassVar[type] = GaugeRow


@dataclass(frozen=True, slots=True, kw_only=True)
class GetWorkflow(Query):
    """One workflow, by its own id or its campaign's."""

    row: ClassVar[type] = WorkflowRow
    workflow_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListWorkflows(Paged, Query):
    """Newest first."""

    row: ClassVar[type] = WorkflowRow
    state: str = ""
    limit: int = 100
    cursor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetCache(Query):
    row: ClassVar[type] = CacheRow


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFlags(Query):
    row: ClassVar[type] = FlagRow


@dataclass(frozen=True, slots=True, kw_only=True)
class ListShadows(Query):
    row: ClassVar[type] = ShadowRow


@dataclass(frozen=True, slots=True, kw_only=True)
class ListBreakers(Query):
    """Every model of a chain, and every other one whose breaker knows something, by name."""

    row: ClassVar[type] = BreakerRow


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDrill(Query):
    """What RunDrill would ask, and the most it may cost; nothing is asked."""

    row: ClassVar[type] = DrillRow
    down: str
    tools: tuple[str, ...] = ()


QUERIES: Mapping[str, type[Query]] = {kind.__name__: kind for kind in Query.__subclasses__()}
