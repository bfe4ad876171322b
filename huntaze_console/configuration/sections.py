"""What each section of config.toml may say.

Durations are seconds with the unit in the key, money is a decimal string, and nothing is converted by guessing: a port
in quotes is an error. Defaults come from the packages that own the figures, so that they stand in one place; what only
the composition root needs is defined here. config.toml says what each is for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    model_validator,
)
from pydantic_core import PydanticCustomError

from engine.content.settings import ContentSettings
from engine.costs import BudgetRule, check_rule
from engine.costs.settings import CostSettings, SyncSettings
from engine.kernel.errors import CommandRefused
from engine.kernel.secret import Secret
from engine.kernel.values import seconds
from engine.limiter.settings import AdaptiveSettings, LimiterSettings
from engine.messaging.settings import PlatformSettings, SendingSettings
from engine.orchestrator.settings import (
    BreakerSettings,
    CacheSettings,
    DegradationSettings,
    GaugeSettings,
    HedgeSettings,
    OrchestratorSettings,
    RetrySettings,
    TuningSettings,
)
from engine.providers import Timeouts
from huntaze_console.configuration import shipped
from huntaze_console.configuration.kinds import (
    Address,
    Count,
    Day,
    Key,
    KeyNames,
    Money,
    Name,
    Port,
    Price,
    Rate,
    Rated,
    Seconds,
    Section,
    Share,
    Temperature,
    Variable,
    Wait,
    Words,
    Zone,
    one_line,
)
from huntaze_console.configuration.telling import AlertsSection, MqttSection, SmtpSection

_CALL = Timeouts()
_ORCHESTRATOR = OrchestratorSettings()
_RETRY = RetrySettings()
_BREAKER = BreakerSettings()
_HEDGE = HedgeSettings()
_DEGRADATION = DegradationSettings()
_GAUGES = GaugeSettings()
_TUNING = TuningSettings()
_CACHE = CacheSettings()
_COSTS = CostSettings()
_SYNC = SyncSettings()
_LIMITER = LimiterSettings()
_ADAPTIVE = AdaptiveSettings()
_CONTENT = ContentSettings()
_PLATFORM = PlatformSettings()
_SENDING = SendingSettings()


class ConsoleSection(Section):
    """The terminal."""

    theme: Literal["dark", "light", "contrast", "colour-blind"] = "dark"
    confirm_above_fans: Annotated[int, Field(ge=0)] = 2_000
    mouse: bool = True
    ascii: Literal["auto", "on", "off"] = "auto"
    low_bandwidth: Literal["auto", "on", "off"] = "auto"
    clipboard: bool = True
    keys: Mapping[Name, KeyNames] = Field(default_factory=dict)


class DaemonSection(Section):
    """Where the HTTP API listens, and how the daemon ends."""

    host: Name = "127.0.0.1"
    port: Port = 8642
    drain_seconds: Wait = 30.0
    tls_cert: str = ""
    tls_key: str = ""


class BackendsSection(Section):
    """Which adapter stands behind which port."""

    ledger_sync: Literal["off", "dynamodb"] = "off"
    limiter: Literal["local", "redis"] = "local"
    queue: Literal["sqlite"] = "sqlite"
    redis_url: Key = Secret()
    redis_url_file: str = ""
    redis_timeout_seconds: Seconds = 1.0


class ProviderSection(Section):
    """One endpoint. Keys come from the environment or a private file."""

    dialect: Literal["openai", "azure", "anthropic"] = "openai"
    base_url: Address = ""
    api_key_env: Variable = ""
    api_key: Key = Secret()
    api_key_file: str = ""
    organization: str = ""
    api_version: str = ""
    deployments: Mapping[Name, Name] = Field(default_factory=dict)
    default_model: str = ""
    enabled: bool = True
    priced_as: str = ""
    free: bool = False
    max_connections: Count = 100


class RetrySection(Section):
    attempts: Annotated[int, Field(ge=1, le=20)] = _RETRY.attempts
    base_seconds: Seconds = seconds(_RETRY.backoff.base)
    ceiling_seconds: Seconds = seconds(_RETRY.backoff.ceiling)
    floor_seconds: Seconds = seconds(_RETRY.backoff.floor)
    patience_seconds: Wait = seconds(_RETRY.patience)
    budget_share: Annotated[float, Field(ge=0, le=10)] = _RETRY.budget_share
    budget_floor: Annotated[int, Field(ge=0, le=100_000)] = _RETRY.budget_floor
    budget_window_seconds: Seconds = seconds(_RETRY.budget_window)


class BreakerSection(Section):
    failure_rate: Share = _BREAKER.failure_rate
    slow_call_seconds: Seconds = seconds(_BREAKER.slow_call)
    slow_rate: Share = _BREAKER.slow_rate
    window_seconds: Seconds = seconds(_BREAKER.window)
    least_calls: Count = _BREAKER.least_calls
    open_seconds: Seconds = seconds(_BREAKER.open_for)
    open_at_most_seconds: Seconds = seconds(_BREAKER.open_at_most)
    probes: Annotated[int, Field(ge=1, le=100)] = _BREAKER.probes
    probe_lease_seconds: Seconds = seconds(_BREAKER.probe_lease)


class HedgeSection(Section):
    share: Share = _HEDGE.share
    floor: Annotated[int, Field(ge=0, le=1_000)] = _HEDGE.floor


class DegradationSection(Section):
    window_seconds: Seconds = seconds(_DEGRADATION.window)
    least_tasks: Count = _DEGRADATION.least_tasks
    cached_at: Rate = _DEGRADATION.cached_at
    cheaper_at: Rate = _DEGRADATION.cheaper_at
    template_at: Rate = _DEGRADATION.template_at
    calm_seconds: Wait = seconds(_DEGRADATION.calm)
    probe_every_seconds: Seconds = seconds(_DEGRADATION.probe_every)
    probes: Count = _DEGRADATION.probes
    slow_seconds: Seconds = seconds(_DEGRADATION.slow)


class GaugesSection(Section):
    decay_seconds: Seconds = seconds(_GAUGES.decay)
    forget_seconds: Seconds = seconds(_GAUGES.forget)
    prior_quality: Share = _GAUGES.prior_quality
    prior_weight: Count = _GAUGES.prior_weight
    memory: Annotated[int, Field(ge=2, le=1_000_000)] = _GAUGES.memory


class TuningSection(Section):
    least: Annotated[int, Field(ge=1, le=1_000)] = _TUNING.least
    tolerance: Annotated[float, Field(ge=1, le=100)] = _TUNING.tolerance
    throttled_share: Rate = _TUNING.throttled
    cut: Annotated[float, Field(gt=0, lt=1)] = _TUNING.cut
    look_seconds: Annotated[float, Field(ge=0.1, le=3_600)] = _TUNING.every


class ModelSection(Section):
    """What is known better of one model than the table has it. Left out: as the table has it."""

    context: Count | None = None
    largest_output: Count | None = None
    images: bool | None = None
    tools: bool | None = None
    json_schema: bool | None = None
    thinks_unseen: bool | None = None


class CacheSection(Section):
    keep_seconds: Seconds = seconds(_CACHE.keep)
    keep_old_seconds: Wait = seconds(_CACHE.keep_old)
    max_bytes: Annotated[int, Field(ge=0, le=1 << 40)] = _CACHE.most_bytes
    max_bytes_each: Annotated[int, Field(ge=0, le=1 << 30)] = _CACHE.most_bytes_each


class OrchestratorSection(Section):
    connect_seconds: Seconds = seconds(_CALL.connect)
    first_byte_seconds: Seconds = seconds(_CALL.first_byte)
    idle_seconds: Seconds = seconds(_CALL.idle)
    total_seconds: Seconds = seconds(_CALL.total)
    task_seconds: Seconds = seconds(_ORCHESTRATOR.total)
    concurrency: Annotated[int, Field(ge=1, le=1_000)] = _ORCHESTRATOR.concurrency
    retry: RetrySection = Field(default_factory=RetrySection)
    breaker: BreakerSection = Field(default_factory=BreakerSection)
    hedge: HedgeSection = Field(default_factory=HedgeSection)
    cache: CacheSection = Field(default_factory=CacheSection)
    degradation: DegradationSection = Field(default_factory=DegradationSection)
    gauges: GaugesSection = Field(default_factory=GaugesSection)
    tuning: TuningSection = Field(default_factory=TuningSection)
    model_aliases: Mapping[Name, Name] = Field(default_factory=lambda: dict(shipped.MODEL_ALIASES))


class ToolSection(Section):
    """Which model does a tool's work. `provider` and `model` are the first choice, `fallback` the next ones."""

    provider: Name
    model: Name
    fallback: Words = ()
    strategy: Literal["fixed", "cheapest", "fastest", "best", "weighted", "least_busy"] = "fixed"
    weights: Annotated[tuple[Annotated[int, Field(ge=0, le=1_000_000)], ...], Field(strict=False)] = ()
    too_slow_seconds: Wait = 0.0
    max_output_tokens: Annotated[int, Field(ge=1, le=200_000)] = 400
    temperature: Temperature = None
    system: str = ""
    template: str = ""
    cache: Literal["off", "exact", "near"] = "exact"
    hedge_after_seconds: Wait = 0.0
    aliases: Words = ()


class PriceSection(Section):
    """Dollars per million tokens, from a day on."""

    provider: Name
    model: Name
    from_: Annotated[Day, Field(alias="from")]
    input: Price
    output: Price
    cached: Price | None = None
    cache_write: Price | None = None
    cache_write_hour: Price | None = None
    reasoning: Price | None = None


class BudgetSection(Section):
    """A hard limit. What makes no sense together is told by the rule itself."""

    scope: Literal["global", "tenant", "campaign", "account", "user", "provider"]
    key: str = ""
    window: Literal["hour", "day", "month", "total"] = "total"
    limit_usd: Money
    actions: Words = ("stop",)
    time_zone: Zone | None = None

    @model_validator(mode="after")
    def _sound(self) -> Self:
        try:
            check_rule(self.rule())
        except CommandRefused as refused:
            raise PydanticCustomError("budget", "{why}", {"why": str(refused)}) from refused
        return self

    def rule(self) -> BudgetRule:
        return BudgetRule(
            kind=self.scope,
            key=self.key,
            window=self.window,
            limit=self.limit_usd,
            actions=self.actions,
            zone=self.time_zone or "",
        )


class CostsSection(Section):
    time_zone: Zone = _COSTS.time_zone
    day_threshold_usd: Money = _COSTS.day_threshold
    month_threshold_usd: Money = _COSTS.month_threshold
    hold_lease_seconds: Seconds = seconds(_COSTS.hold_lease)
    prices: Annotated[tuple[PriceSection, ...], Field(strict=False)] = ()
    least_output_tokens: Count = _COSTS.least_output_tokens
    count_tokens: bool = _COSTS.count_tokens
    budgets: Annotated[tuple[BudgetSection, ...], Field(strict=False)] = ()
    ladder: Mapping[Name, Name] = Field(default_factory=dict)


class DynamoSection(Section):
    """The ledger's copy in DynamoDB, used when `backends.ledger_sync` says so."""

    costs_table: Name = _SYNC.table
    alerts_table: Name = "huntaze-cost-alerts-production"
    region: Name = "us-east-1"
    endpoint: Address = ""
    ttl_days: Annotated[int, Field(ge=1, le=3_650)] = 30
    behind_seconds: Seconds = seconds(_SYNC.behind_after)
    idle_seconds: Seconds = seconds(_SYNC.idle_wait)
    parallel: Annotated[int, Field(ge=1, le=64)] = _SYNC.parallel
    timeout_seconds: Seconds = seconds(_SYNC.timeout)


class LimiterSection(Section):
    messages: Annotated[int, Field(ge=1, le=10_000)] = _LIMITER.messages
    window_seconds: Seconds = seconds(_LIMITER.width)
    send_timeout_seconds: Seconds = seconds(_LIMITER.send_timeout)


class RatesSection(Section):
    """The most in any minute, hour and day; 0 is no limit."""

    requests_minute: Rated = 0
    requests_hour: Rated = 0
    requests_day: Rated = 0
    tokens_minute: Rated = 0
    tokens_hour: Rated = 0
    tokens_day: Rated = 0


class ProviderRatesSection(RatesSection):
    """Of a provider as a whole, and of each user at it."""

    per_user: RatesSection = Field(default_factory=RatesSection)


class AdaptiveSection(Section):
    floor: Rate = _ADAPTIVE.floor
    recovery: Rate = _ADAPTIVE.recovery
    throttles: Annotated[int, Field(ge=1, le=1_000)] = _ADAPTIVE.throttles
    least_a_minute: Annotated[int, Field(ge=1, le=1_000_000)] = _ADAPTIVE.least


def _limits_of_providers() -> dict[str, ProviderRatesSection]:
    return {
        name: ProviderRatesSection(per_user=RatesSection(**rates)) for name, rates in shipped.RATES_OF_A_USER.items()
    }


class LimitsSection(Section):
    """What may be asked of the models."""

    waiting: Annotated[int, Field(ge=0, le=100_000)] = _ORCHESTRATOR.waiting
    global_: Annotated[RatesSection, Field(alias="global")] = Field(default_factory=RatesSection)
    users: RatesSection = Field(default_factory=RatesSection)
    accounts: RatesSection = Field(default_factory=RatesSection)
    providers: Mapping[Name, ProviderRatesSection] = Field(default_factory=_limits_of_providers)
    adaptive: AdaptiveSection = Field(default_factory=AdaptiveSection)


class AccountSection(Section):
    """What is known of one account; everything is optional."""

    name: str = ""
    time_zone: Zone | None = None
    limit: Annotated[int, Field(ge=1, le=10_000)] | None = None
    window_seconds: Seconds | None = None


class PlatformSection(Section):
    """The operator's own gateway to the message platform, and how sends to it are repeated."""

    url: Address = _PLATFORM.url
    user_agent: Name = _PLATFORM.user_agent
    token: Key = Secret()
    token_file: str = ""
    idempotent: bool = _PLATFORM.idempotent
    connect_seconds: Seconds = seconds(_PLATFORM.connect_timeout)
    read_seconds: Seconds = seconds(_PLATFORM.read_timeout)
    consent_max_age_seconds: Wait = seconds(_SENDING.consent_max_age)
    lease_seconds: Seconds = seconds(_SENDING.lease)
    max_attempts: Annotated[int, Field(ge=1, le=1_000)] = _SENDING.max_attempts
    backoff_base_seconds: Seconds = seconds(_SENDING.backoff.base)
    backoff_ceiling_seconds: Seconds = seconds(_SENDING.backoff.ceiling)
    backoff_floor_seconds: Seconds = seconds(_SENDING.backoff.floor)


class CampaignsSection(Section):
    """What every text that goes out is held to."""

    max_length: Annotated[int, Field(ge=200, le=100_000)] = _CONTENT.longest
    disclosure: bool = _CONTENT.disclose
    disclosure_text: Annotated[str, AfterValidator(one_line)] = _CONTENT.disclosure


class QueueSection(Section):
    workflow_queue: Name = "huntaze-hybrid-workflows"
    rate_limiter_queue: Name = "huntaze-rate-limiter-queue"


class SimulationSection(Section):
    """What a simulation starts with where no flag says otherwise."""

    scenario: Name = "quiet-day"
    seed: Annotated[int, Field(ge=0)] = 7
    speed: Annotated[float, Field(gt=0, le=10_000)] = 60.0


class LoggingSection(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"
    kept: Annotated[int, Field(ge=100, le=100_000)] = 2_000


class GatewaySection(Section):
    """Models served under /v1 to clients that speak OpenAI's interface."""

    body_bytes: Annotated[int, Field(ge=1_024, le=1 << 30)] = 32 << 20
    max_output_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = 4_096
    largest_output_tokens: Annotated[int, Field(ge=1, le=1_000_000)] = 131_072
    cache: Literal["off", "exact"] = "exact"
    models: Words = ()


def _providers() -> dict[str, ProviderSection]:
    return {name: ProviderSection.model_validate(dict(row)) for name, row in shipped.PROVIDERS.items()}


def _tools() -> dict[str, ToolSection]:
    return {name: ToolSection.model_validate(dict(row)) for name, row in shipped.TOOLS.items()}


class Sections(Section):
    """The whole file."""

    console: ConsoleSection = Field(default_factory=ConsoleSection)
    daemon: DaemonSection = Field(default_factory=DaemonSection)
    backends: BackendsSection = Field(default_factory=BackendsSection)
    providers: Mapping[Name, ProviderSection] = Field(default_factory=_providers)
    orchestrator: OrchestratorSection = Field(default_factory=OrchestratorSection)
    tools: Mapping[Name, ToolSection] = Field(default_factory=_tools)
    models: Mapping[Name, ModelSection] = Field(default_factory=dict)
    costs: CostsSection = Field(default_factory=CostsSection)
    dynamodb: DynamoSection = Field(default_factory=DynamoSection)
    limiter: LimiterSection = Field(default_factory=LimiterSection)
    limits: LimitsSection = Field(default_factory=LimitsSection)
    accounts: Mapping[Name, AccountSection] = Field(default_factory=dict)
    platform: PlatformSection = Field(default_factory=PlatformSection)
    campaigns: CampaignsSection = Field(default_factory=CampaignsSection)
    alerts: AlertsSection = Field(default_factory=AlertsSection)
    smtp: SmtpSection = Field(default_factory=SmtpSection)
    mqtt: MqttSection = Field(default_factory=MqttSection)
    queue: QueueSection = Field(default_factory=QueueSection)
    gateway: GatewaySection = Field(default_factory=GatewaySection)
    simulation: SimulationSection = Field(default_factory=SimulationSection)
    logging: LoggingSection = Field(default_factory=LoggingSection)
