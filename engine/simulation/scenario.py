"""What happens in a world: its platform, its faults, and the work the demo asks of the engine.

A scenario is a TOML file, one of those shipped beside this module or the operator's own; `docs/simulation.md` describes
it. The world acts on everything but `demand`, which a service of the engine carries out.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from engine.kernel.errors import ConfigError
from engine.kernel.values import MICROSECOND, MILLISECOND, MINUTE, SECOND, NanoUSD, usd
from engine.simulation import prose
from engine.simulation.dice import Dice
from engine.simulation.faults import Fault, FaultKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account of the platform and the size of its audience at the start."""

    id: str
    fans: int
    time_zone: str = "Europe/Paris"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformLife:
    """How the platform and its fans behave. Pairs are uniform ranges in nanoseconds."""

    accounts: tuple[Account, ...] = (
        Account(id="anna", fans=1_000, time_zone="Europe/Paris"),
        Account(id="bella", fans=220, time_zone="America/New_York"),
        Account(id="carla", fans=60, time_zone="Asia/Tokyo"),
    )
    latency: tuple[int, int] = (100 * MILLISECOND, 1_500 * MILLISECOND)
    reply_share: float = 0.35  # of sent messages that a fan answers
    reply_after: tuple[int, int] = (MINUTE, 25 * MINUTE)
    new_fans_per_hour: float = 2.0  # for an account of 1,000 fans; others in proportion
    opted_out_share: float = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLife:
    """How the simulated providers behave beyond answering."""

    prompt_cache: bool = False  # whether providers report prompt-cache reads
    cached_share: float = 0.6  # of an input whose beginning was seen before
    deployments: Mapping[str, str] = field(default_factory=dict)  # Azure deployment -> model


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Exactly one of the three: everyone, one tag, or listed fans."""

    all: bool = False
    tag: str | None = None
    fan_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandCampaign:
    """A campaign the demo starts `at` nanoseconds after the start, and again `every` so many, if not None."""

    name: str
    account_id: str
    audience: Audience
    prompt: str
    tool: str = "message"
    approval: str = "automatic"  # or "required"
    budget: NanoUSD | None = None
    at: int = 0
    every: int | None = None


@dataclass(frozen=True, slots=True)
class DemandTask:
    """Background work: so many tasks of a tool a virtual minute. `{n}` in the prompt stands for a running number."""

    tool: str
    per_minute: float
    prompt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """The work the demo asks of the engine, so that money, queue, tokens and alerts move."""

    campaigns: tuple[DemandCampaign, ...] = ()
    tasks: tuple[DemandTask, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One world's story."""

    name: str
    summary: str = ""
    platform: PlatformLife = field(default_factory=PlatformLife)
    models: ModelLife = field(default_factory=ModelLife)
    faults: tuple[Fault, ...] = ()
    demand: Demand = field(default_factory=Demand)


def shipped() -> tuple[str, ...]:
    """The names of the scenarios that come with the product."""
    folder = resources.files("engine.simulation") / "scenarios"
    return tuple(sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml")))


def load_scenario(name_or_path: str) -> Scenario:
    """A shipped scenario by its name, or the one in a file.

    Raises ConfigError naming file, key and what would be valid.
    """
    if name_or_path in shipped():
        text = (resources.files("engine.simulation") / "scenarios" / f"{name_or_path}.toml").read_text("utf-8")
        return parse_scenario(text, source=f"scenario {name_or_path}")
    path = Path(name_or_path)
    try:
        return parse_scenario(path.read_text("utf-8"), source=str(path))
    except (OSError, UnicodeDecodeError) as error:
        remedy = f"Valid are {', '.join(shipped())}, or the path of a TOML file"
        raise ConfigError(name_or_path, "", "there is no such scenario", remedy=remedy) from error


def parse_scenario(text: str, *, source: str) -> Scenario:
    """The scenario in a TOML text; `source` is named in errors. Raises ConfigError."""
    try:
        return _ScenarioText.model_validate(tomllib.loads(text)).scenario()
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(source, "", f"is not TOML: {error}") from error
    except ValidationError as error:
        raise _explain(source, error) from error


def parse_fault(data: object, *, source: str) -> Fault:
    """The fault in a JSON object or TOML table. Raises ConfigError."""
    try:
        return _FaultText.model_validate(data).fault()
    except ValidationError as error:
        raise _explain(source, error) from error


def _explain(source: str, error: ValidationError) -> ConfigError:
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    message = first["msg"]
    if first["type"] == "extra_forbidden":
        message = "is not a key of a scenario; docs/simulation.md lists them"
    return ConfigError(source, key, message)


_ISO = TypeAdapter(timedelta)


def _nanoseconds(value: object) -> int:
    if not isinstance(value, str) or not value.startswith("P"):
        raise ValueError(f"{value!r} is not an ISO 8601 duration such as PT10M or PT0.5S")
    duration = _ISO.validate_python(value)
    return round(duration / timedelta(microseconds=1)) * MICROSECOND


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is not a time zone such as Europe/Paris")
    return name


def _ascending(pair: tuple[int, int]) -> tuple[int, int]:
    if not 0 <= pair[0] <= pair[1]:
        raise ValueError("the first duration of a range must not exceed the second")
    return pair


def _nano_dollars(value: object) -> NanoUSD:
    if not isinstance(value, str):
        raise ValueError(f'{value!r} is not an amount of dollars in quotes such as "5.00"')
    return usd(value)


_Duration = Annotated[int, BeforeValidator(_nanoseconds)]  # written PT10M, read as nanoseconds
_Range = Annotated[tuple[_Duration, _Duration], AfterValidator(_ascending)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Id = Annotated[str, Field(pattern=r"^[\w.-]{1,64}$")]
_Tool = Literal[
    "content-plan",
    "multi-platform",
    "message",
    "quick-reply",
    "title-generator",
    "descriptions",
    "icp-maker",
    "creator-pack",
    "lead-magnet",
]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _AccountText(_Table):
    id: _Id
    fans: int = Field(ge=0, le=1_000_000)
    time_zone: Annotated[str, AfterValidator(_zone)] = "Europe/Paris"


class _PlatformText(_Table):
    accounts: tuple[_AccountText, ...] | None = None
    latency: _Range | None = None
    reply_share: _Share | None = None
    reply_after: _Range | None = None
    new_fans_per_hour: Annotated[float, Field(ge=0)] | None = None
    opted_out_share: _Share | None = None

    def life(self) -> PlatformLife:
        given: dict[str, Any] = {key: value for key, value in self if value is not None}
        if self.accounts is not None:
            given["accounts"] = tuple(Account(**dict(account)) for account in self.accounts)
        return PlatformLife(**given)


class _ModelsText(_Table):
    prompt_cache: bool = False
    cached_share: _Share = 0.6
    deployments: dict[str, str] = {}


class _FaultText(_Table):
    kind: FaultKind
    target: str = Field(pattern=r"^(\*|[\w.-]+(/[\w.:-]+)?)$")
    at: _Duration = 0
    lasts: _Duration = Field(alias="for")
    share: _Share = 1.0
    factor: float = Field(default=8.0, gt=0)
    retry_after: _Duration = 20 * SECOND
    hold: _Duration = 10 * MINUTE

    def fault(self) -> Fault:
        return Fault(**dict(self))


class _AudienceText(_Table):
    all: bool = False
    tag: str | None = None
    fan_ids: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_of_three(self) -> _AudienceText:
        if sum((self.all, self.tag is not None, bool(self.fan_ids))) != 1:
            raise ValueError('an audience is exactly one of all = true, tag = "..." and fan_ids = [...]')
        return self


class _CampaignText(_Table):
    name: str = Field(min_length=1)
    account: _Id
    audience: _AudienceText
    tool: _Tool = "message"
    prompt: str = Field(min_length=1)
    approval: Literal["automatic", "required"] = "automatic"
    budget_usd: Annotated[NanoUSD, BeforeValidator(_nano_dollars)] | None = None
    at: _Duration = 0
    every: _Duration | None = None

    def campaign(self) -> DemandCampaign:
        return DemandCampaign(
            name=self.name,
            account_id=self.account,
            audience=Audience(**dict(self.audience)),
            tool=self.tool,
            prompt=self.prompt,
            approval=self.approval,
            budget=self.budget_usd,
            at=self.at,
            every=self.every,
        )


class _TaskText(_Table):
    tool: _Tool
    per_minute: float = Field(gt=0, le=10_000)
    prompt: str = Field(min_length=1)
    context_tokens: int = Field(default=0, ge=0, le=100_000)  # notes appended to the prompt

    def task(self) -> DemandTask:
        notes = prose.exactly(self.context_tokens, Dice("notes", self.tool))
        return DemandTask(self.tool, self.per_minute, f"{self.prompt}\n\n{notes}" if notes else self.prompt)


class _DemandText(_Table):
    campaigns: tuple[_CampaignText, ...] = ()
    tasks: tuple[_TaskText, ...] = ()

    def demand(self) -> Demand:
        campaigns = tuple(campaign.campaign() for campaign in self.campaigns)
        return Demand(campaigns=campaigns, tasks=tuple(task.task() for task in self.tasks))


class _ScenarioText(_Table):
    name: _Id
    summary: str = ""
    platform: _PlatformText = _PlatformText()
    models: _ModelsText = _ModelsText()
    fault: tuple[_FaultText, ...] = ()
    demand: _DemandText = _DemandText()

    def scenario(self) -> Scenario:
        return Scenario(
            name=self.name,
            summary=self.summary,
            platform=self.platform.life(),
            models=ModelLife(**dict(self.models)),
            faults=tuple(fault.fault() for fault in self.fault),
            demand=self.demand.demand(),
        )
