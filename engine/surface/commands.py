"""Everything an operator can tell the engine.

A command is carried out whole, or raises CommandRefused and changes nothing. `actor` is who asked, for the audit and
for the words on screen. A command that creates takes a `key`: the same key with the same content is the same creation,
with other content a conflict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Via = Literal["console", "cli", "api", "gateway", "engine"]
"""By which door a command came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    actor: str = "operator"
    via: Via = "api"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Whom a campaign is for: exactly one of all fans of the account, those with a tag, those listed."""

    all: bool = False
    tag: str = ""
    fan_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignDraft:
    """A campaign as an operator writes it: a prompt for the model, or a template that is filled in here."""

    name: str
    account_id: str
    audience: Audience
    tool: str = "message"
    prompt: str = ""
    template: str = ""
    approval: Literal["required", "automatic"] = "required"
    budget: int | None = None  # nano-dollars
    starts_at: int | None = None  # None: as soon as it is started
    tenant_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCampaign(Command):
    draft: CampaignDraft
    start: bool = False
    key: str = ""  # the sender's idempotency key; empty for none


@dataclass(frozen=True, slots=True, kw_only=True)
class StartCampaign(Command):
    campaign_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleCampaign(Command):
    """Start a draft at a time, or move the start of one that has sent nothing yet. None: as soon as it can."""

    campaign_id: str
    starts_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseCampaign(Command):
    campaign_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeCampaign(Command):
    campaign_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelCampaign(Command):
    campaign_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveDeliveries(Command):
    """Approve drafted texts: `texts` maps delivery id to the SHA-256 of the text that was read. Empty: all drafted."""

    campaign_id: str
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectDeliveries(Command):
    campaign_id: str
    delivery_ids: tuple[str, ...]
    reason: str = "rejected by the operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleDelivery(Command):
    """Decide an uncertain send: it arrived, it failed, or it is to be sent again."""

    delivery_id: str
    outcome: Literal["sent", "failed", "again"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleDeliveries(Command):
    """Decide several uncertain sends of a campaign alike, all or none. No ids: every uncertain one."""

    campaign_id: str
    outcome: Literal["sent", "failed", "again"]
    delivery_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltSending(Command):
    """Stop all sending at once and across restarts, until ResumeSending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeSending(Command):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeAccount(Command):
    """Let an account send again that its platform's refusal paused."""

    account_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressFan(Command):
    """Never message this fan, whatever the campaign."""

    account_id: str
    fan_id: str
    reason: str = "suppressed by the operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsuppressFan(Command):
    account_id: str
    fan_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveJobs(Command):
    """Give dead jobs another chance. No ids: all dead jobs of the queue."""

    queue: str
    job_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeJobs(Command):
    """Delete dead jobs for good. No ids: all dead jobs of the queue."""

    queue: str
    job_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AcknowledgeAlert(Command):
    alert_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnacknowledgeAlert(Command):
    """Nobody is on it after all: an open alert notifies again."""

    alert_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceAlerts(Command):
    """Keep alerts from notifying anybody until `ends_at`, at most 30 days ahead; they open and show all the same.

    What is empty matches every alert, but one of the three must say something. A rule or a subject may end in `*`. The
    answer's data holds the `silence_id`.
    """

    rule: str = ""
    subject: str = ""
    severity: str = ""  # info, warning, critical
    ends_at: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSilence(Command):
    """Let a silence end now. Alerts that it covered and that are still open notify at once."""

    silence_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoAction(Command):
    """Put back what an action of the audit changed. Refused when it changed again since, and for what cannot be undone.

    Where `action` and `at` are given, it is also refused for another action than that one of that instant: numbers
    begin anew with another database. The answer's data holds the `audit_id` of the undoing, which can be undone itself.
    """

    audit_id: int
    action: str = ""  # as the audit names it: pause-campaign
    at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RateCall(Command):
    """Say what an answer was worth. `call_id` is an attempt's id, or a trace's for the last answer of that trace."""

    call_id: str
    score: int  # 1 to 5


@dataclass(frozen=True, slots=True, kw_only=True)
class StartLoadTest(Command):
    """Run a tool `count` times with real calls, `concurrency` at once. The answer's data holds the `test_id`."""

    tool: str
    count: int = 20
    concurrency: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelLoadTest(Command):
    test_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateKey(Command):
    """Make a key for a client of the gateway. The answer's data holds its `secret`, which is never shown again.

    `models` are names or patterns such as `huntaze/*`; none allows every model. `limit` is nano-dollars a `window`.
    """

    tenant_id: str = ""
    name: str = ""
    models: tuple[str, ...] = ()
    limit: int | None = None
    window: str = "total"  # hour, day, month, total
    expires_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeKey(Command):
    """Take a key back: its id, or how its secret begins."""

    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRoute(Command):
    """Change how a tool's models are chosen, from now on and across restarts, over what the file says.

    What is None or empty stays as it is. `chain` names models as provider/model, first choice first; `weights` are one
    number for each of them, for the strategy `weighted`; `too_slow` is nanoseconds, 0 for no bound.
    """

    tool: str
    strategy: str = ""
    chain: tuple[str, ...] | None = None
    weights: tuple[int, ...] | None = None
    too_slow: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetRoute(Command):
    """Let the configuration file decide over a tool again."""

    tool: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBudget(Command):
    """Give a hard limit, or change it: at once, over the file's and across restarts.

    Where `actions` or `time_zone` is None, a change leaves it as it is; a new budget stops, and has the costs' zone.
    """

    scope: str  # global, tenant, campaign, account, user, provider
    key: str = ""  # the id within the scope; none for global
    window: str = "total"  # hour, day, month, total
    limit: int  # nano-dollars
    actions: tuple[str, ...] | None = None  # clamp, downgrade, throttle, stop, in the order they are tried
    time_zone: str | None = None  # cuts the windows; empty: the costs' own


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveBudget(Command):
    """Take a hard limit away, also one of the file's, until SetBudget gives one again."""

    scope: str
    key: str = ""
    window: str = "total"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetThreshold(Command):
    """Change from which sum of a day or a month on an alert is critical: at once, over the file's, across restarts.

    Nano-dollars; None leaves it as it is, 0 gives no such alert. A threshold stops nothing: that is a budget's.
    """

    day: int | None = None
    month: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetThreshold(Command):
    """Let the configuration file decide over both thresholds again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearCache(Command):
    """Forget kept answers: one tenant's (empty: those of no tenant), or everybody's."""

    tenant_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagSetting:
    """How a flag is to stand. What is None stays as it is; `percentage` is of the users, 0 to 100."""

    name: str
    enabled: bool | None = None
    percentage: int | None = None
    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFlags(Command):
    """Change feature flags, all or none."""

    flags: tuple[FlagSetting, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetShadow(Command):
    """Try a model on a part of a tool's tasks, beside the one that answers. At 0 percent the trial ends."""

    tool: str
    target: str = ""  # provider/model
    percentage: float = 0.0
    budget: int = 0  # nano-dollars a UTC day
    fans: bool = False  # also prompts that may hold a person's data


@dataclass(frozen=True, slots=True, kw_only=True)
class ForceBreaker(Command):
    """Hold a model's breaker open (nobody asks it) or closed (whatever it does), across restarts; or let it go."""

    provider: str
    model: str
    state: Literal["open", "closed", "auto"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDrill(Command):
    """Rehearse the outage of a provider with one small task a tool. No tools: all. It costs what PlanDrill says."""

    down: str
    tools: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """A command was carried out. `summary` is one line for the operator; `data` what a program wants of it."""

    summary: str
    data: Mapping[str, Any] = field(default_factory=dict)


COMMANDS: Mapping[str, type[Command]] = {kind.__name__: kind for kind in Command.__subclasses__()}
