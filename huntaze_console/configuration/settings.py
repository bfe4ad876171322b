"""The frozen Settings that the rest of the program sees: each package's own settings, nested.

Durations inside the packages' settings are nanoseconds; what only the composition root needs keeps the units its keys
name. Nothing here reads a file or the environment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from types import MappingProxyType
from urllib.parse import urlsplit

from pydantic import BaseModel

from engine.alerts.settings import AlertSettings, SmtpSettings
from engine.bus.settings import MqttSettings
from engine.content.settings import ContentSettings
from engine.costs.settings import CostSettings, SyncSettings
from engine.kernel.secret import Secret
from engine.limiter.settings import LimiterSettings, QuotaSettings
from engine.messaging.settings import PlatformSettings, SendingSettings
from engine.orchestrator.settings import GATEWAY, OrchestratorSettings
from engine.providers import ENDPOINTS, Dialect, ProviderSettings, Timeouts
from engine.providers.settings import AZURE_API_VERSION
from huntaze_console.configuration.sections import (
    AccountSection,
    BackendsSection,
    CampaignsSection,
    ConsoleSection,
    DaemonSection,
    DynamoSection,
    GatewaySection,
    LoggingSection,
    QueueSection,
    SimulationSection,
)
from huntaze_console.configuration.telling import AlertsSection, SmtpSection

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
SIMULATED_KEY = "simulated"

_WORLD_PATHS: Mapping[str, str] = MappingProxyType(
    {
        "openai": "/openai/v1",
        "deepseek": "/deepseek/v1",
        "xai": "/xai/v1",
        "gemini": "/gemini/v1beta/openai",
        "azure": "/azure",
        "anthropic": "/anthropic",
    }
)
_DIALECT_PATHS: Mapping[str, str] = MappingProxyType(
    {"openai": "/openai/v1", "azure": "/azure", "anthropic": "/anthropic"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRow:
    """One endpoint as configured, ready for use or not."""

    name: str
    dialect: str
    base_url: str
    api_key: Secret
    api_key_env: str
    organization: str = ""
    api_version: str = ""
    deployments: Mapping[str, str] = field(default_factory=dict)
    default_model: str = ""
    enabled: bool = True
    max_connections: int = 100

    @property
    def missing(self) -> str:
        """What keeps this endpoint from being used, or nothing."""
        if not self.enabled:
            return "it is turned off (enabled = false)"
        if not self.base_url:
            return f"providers.{self.name}.base_url is empty"
        if self.api_key_env and not self.api_key:
            return f"{self.api_key_env} is not set"
        return ""

    def opened_with(self, timeouts: Timeouts) -> ProviderSettings:
        """What `engine.providers.open_provider` takes. Raises ConfigError while something is `missing`."""
        known = ENDPOINTS.get(self.name)
        row = known if known and known.dialect == self.dialect else ENDPOINTS[_GENERIC[self.dialect]]
        return ProviderSettings(
            name=self.name,
            dialect=Dialect(self.dialect),
            base_url=self.base_url,
            api_key=self.api_key,
            organization=self.organization,
            api_version=self.api_version or AZURE_API_VERSION,
            deployments=self.deployments,
            quirks=row.quirks,
            timeouts=timeouts,
            max_connections=self.max_connections,
        )


_GENERIC: Mapping[str, str] = MappingProxyType({"openai": "compatible", "azure": "azure", "anthropic": "anthropic"})


@dataclass(frozen=True, slots=True)
class Shown:
    """One line of `huntaze config show`: what a key is, and who said so."""

    key: str
    value: str
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything an engine is built from."""

    source: str  # the file that was read, or `built-in defaults`
    simulated: bool
    console: ConsoleSection
    daemon: DaemonSection
    backends: BackendsSection
    providers: Mapping[str, ProviderRow]  # by name, the ones that are not ready included
    orchestrator: OrchestratorSettings
    costs: CostSettings
    sync: SyncSettings
    dynamodb: DynamoSection
    limiter: LimiterSettings
    quotas: QuotaSettings
    accounts: Mapping[str, AccountSection]
    platform: PlatformSettings
    sending: SendingSettings
    campaigns: CampaignsSection
    content: ContentSettings
    alerts: AlertsSection
    alert_rules: AlertSettings
    smtp: SmtpSection
    mail: SmtpSettings | None  # None while no mail server, sender or recipient is named
    mqtt: MqttSettings | None  # None while no broker is named
    queue: QueueSection
    gateway: GatewaySection
    model_aliases: Mapping[str, str]
    simulation: SimulationSection
    logging: LoggingSection
    shown: tuple[Shown, ...] = field(default=(), compare=False, repr=False)

    def ready_providers(self) -> Mapping[str, ProviderSettings]:
        """The endpoints that can be called, by name."""
        timeouts = self.orchestrator.timeouts
        return {name: row.opened_with(timeouts) for name, row in self.providers.items() if not row.missing}

    def idle_tools(self) -> tuple[str, ...]:
        """Tools none of whose models can be called; what the gateway books under is none."""
        ready = {name for name, row in self.providers.items() if not row.missing}
        return tuple(
            name
            for name, route in self.orchestrator.tools.items()
            if name != GATEWAY and not any(reference.split("/", 1)[0] in ready for reference in route.chain)
        )

    def for_world(self, url: str) -> Settings:
        """These settings for the simulated world at `url`: every address on loopback, every key `simulated`.

        Whatever would leave this machine is off. Raises ValueError for a world that is not on loopback.
        """
        url = url.rstrip("/")
        if not is_loopback(url):
            raise ValueError(f"{url} is not on this machine: a simulation dials loopback only")
        simulated = Secret(SIMULATED_KEY)
        dynamodb = is_loopback(self.dynamodb.endpoint)
        return replace(
            self,
            simulated=True,
            providers={name: _in_world(row, url) for name, row in self.providers.items()},
            platform=replace(self.platform, url=f"{url}/platform", token=simulated),
            backends=self.backends.model_copy(
                update={"limiter": "local"} | ({} if dynamodb else {"ledger_sync": "off"})  # virtual time is here only
            ),
            smtp=self.smtp if self.smtp.host in LOOPBACK else self.smtp.model_copy(update={"host": ""}),
            mail=self.mail if self.mail and self.mail.host in LOOPBACK else None,
            mqtt=self.mqtt if self.mqtt and self.mqtt.host in LOOPBACK else None,
            alerts=self.alerts.model_copy(update={"slack_webhook_url": Secret()}),
        )


def secrets_in(value: object) -> Iterator[Secret]:
    """Every real secret that settings hold, wherever it stands."""
    if isinstance(value, Secret):
        if value and value.reveal() != SIMULATED_KEY:
            yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_in(getattr(value, name))
    elif is_dataclass(value):
        for part in fields(value):
            yield from secrets_in(getattr(value, part.name))
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from secrets_in(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from secrets_in(part)


def is_loopback(url: str) -> bool:
    """Whether an address names this machine."""
    return urlsplit(url).hostname in LOOPBACK


def _in_world(row: ProviderRow, url: str) -> ProviderRow:
    path = _WORLD_PATHS.get(row.name, _DIALECT_PATHS[row.dialect])
    return replace(row, base_url=url + path, api_key=Secret(SIMULATED_KEY))
