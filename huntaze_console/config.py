"""Configuration: the built-in defaults < config.toml < the environment < flags, into one frozen Settings.

Every problem is reported, not the first only, each with the file and line or the variable that said it. Secrets come
from the environment or a private file and nowhere else. In a simulation no key, token or provider address is read.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine.kernel.errors import ConfigError
from huntaze_console.configuration import environment, secrets, shipped, tools
from huntaze_console.configuration.build import build
from huntaze_console.configuration.layers import Layer, merged, of_pairs, of_toml
from huntaze_console.configuration.problems import InvalidSettings, explain, nearest, problem, unknown_key, without
from huntaze_console.configuration.sections import Sections
from huntaze_console.configuration.settings import LOOPBACK, ProviderRow, Settings, Shown, secrets_in
from huntaze_console.configuration.tools import Preferences
from huntaze_console.places import config_file, state_directory

__all__ = [
    "InvalidSettings",
    "ProviderRow",
    "Settings",
    "Shown",
    "config_file",
    "load_settings",
    "secrets_in",
    "state_directory",
]

_BUILT_IN = "built-in defaults"


def load_settings(
    file: Path | None,
    environ: Mapping[str, str],
    flags: Mapping[str, Any] | None = None,
    *,
    simulated: bool = False,
) -> Settings:
    """The settings of a file (None: the defaults alone), the environment and flags (dotted key -> value, None unset).

    Raises InvalidSettings, a ConfigError that holds everything that is wrong. With `simulated` no key or token is
    looked at, wherever it stands, nor any provider's address in the environment: `Settings.for_world` fills them in.
    """
    problems: list[ConfigError] = []
    layers = [Layer(values=_defaults())]
    if file is not None:
        layers.append(tools.renamed(_read(file)))
    below = merged(layers, "").values
    layers.append(tools.renamed(environment.read(environ, below, simulated=simulated)))
    layers.append(_of_flags(flags or {}))
    problems += _unknown_names(environ)

    layer = merged(layers, str(file) if file else _BUILT_IN)
    problems += _unknown_tools(layer)
    layer, wrong_secrets = secrets.gather(layer, environ, simulated=simulated)
    problems += wrong_secrets
    preferences = _preferences(environ, simulated=simulated)
    sections, wrong_values = _validated(layer)
    problems += wrong_values
    spoilt = {problem.key.split(".")[0] for problem in wrong_values}
    deeper = [*tools.unsound(layer, sections, preferences), *_unsound(layer, sections, simulated=simulated)]
    problems += [problem for problem in deeper if problem.key.split(".")[0] not in spoilt]
    if problems:
        raise InvalidSettings(problems)
    return build(sections, layer, preferences, simulated=simulated)


def _validated(layer: Layer) -> tuple[Sections, list[ConfigError]]:
    """The sections, and what was wrong: with wrong values left out, so that the rest can be looked at all the same."""
    problems: list[ConfigError] = []
    values = layer.values
    while True:
        try:
            return Sections.model_validate(values), problems
        except ValidationError as error:
            problems += explain(layer, error)
            values = without(values, [detail["loc"] for detail in error.errors()])


def _defaults() -> dict[str, Any]:
    """The rows that a file's tables are laid over; every other default stands in its section."""
    return {
        "providers": {name: dict(row) for name, row in shipped.PROVIDERS.items()},
        "tools": {name: dict(row) for name, row in shipped.TOOLS.items()},
        "limits": {"providers": {name: {"per_user": dict(row)} for name, row in shipped.RATES_OF_A_USER.items()}},
        "orchestrator": {"model_aliases": dict(shipped.MODEL_ALIASES)},
    }


def _read(file: Path) -> Layer:
    try:
        return of_toml(file.read_text("utf-8"), str(file))
    except tomllib.TOMLDecodeError as error:
        raise InvalidSettings([ConfigError(str(file), "", f"is not TOML: {error}")]) from None
    except UnicodeDecodeError:
        raise InvalidSettings([ConfigError(str(file), "", "is not text in UTF-8")]) from None
    except OSError as error:
        remedy = "Name another with --config, or leave it out for the defaults"
        wrong = ConfigError(str(file), "", f"cannot be read: {error.strerror}", remedy=remedy)
        raise InvalidSettings([wrong]) from None


def _of_flags(flags: Mapping[str, Any]) -> Layer:
    """Flags are named after the last part of their key: daemon.port is --port."""
    given = {key: value for key, value in flags.items() if value is not None}
    pairs = (
        (tuple(key.split(".")), value, "--" + key.rsplit(".", 1)[-1].replace("_", "-")) for key, value in given.items()
    )
    return of_pairs(pairs, "flags")


def _preferences(environ: Mapping[str, str], *, simulated: bool) -> Preferences:
    """In a simulation the operator's own Azure deployment means nothing; which provider comes first still does."""
    deployment = "" if simulated else environ.get("AZURE_OPENAI_DEPLOYMENT", "")
    return Preferences(provider=environ.get("DEFAULT_AI_PROVIDER", "").strip().lower(), deployment=deployment)


def _unknown_names(environ: Mapping[str, str]) -> Iterator[ConfigError]:
    valid = [*environment.ELSEWHERE, *(environment.spelled((name,)) + "__…" for name in Sections.model_fields)]
    for name in environment.unknown(environ):
        remedy = f"{nearest(name, valid)} A setting is HUNTAZE_SECTION__KEY, such as HUNTAZE_DAEMON__PORT".strip()
        yield ConfigError("environment", name, "is not a setting", remedy=remedy)


def _unknown_tools(layer: Layer) -> Iterator[ConfigError]:
    found = layer.values.get("tools")
    for name in list(found) if isinstance(found, dict) else ():
        if found and name not in shipped.TOOLS:
            yield unknown_key(layer, ("tools", name))
            del found[name]  # said once; what it holds is of no interest


def _unsound(layer: Layer, sections: Sections, *, simulated: bool) -> Iterator[ConfigError]:
    """What no single key shows."""
    daemon, orchestrator = sections.daemon, sections.orchestrator
    if bool(daemon.tls_cert) != bool(daemon.tls_key):
        missing = "tls_key" if daemon.tls_cert else "tls_cert"
        yield problem(layer, ("daemon", missing), "is missing: TLS needs a certificate and its key")
    if daemon.host not in LOOPBACK and not (daemon.tls_cert and daemon.tls_key):
        remedy = "Set daemon.tls_cert and daemon.tls_key, or keep 127.0.0.1 and put a proxy with TLS in front"
        yield problem(layer, ("daemon", "host"), f"{daemon.host} is open to others and needs TLS", remedy=remedy)
    if orchestrator.total_seconds > orchestrator.task_seconds:
        message = "is shorter than total_seconds, the time allowed for a single call"
        yield problem(layer, ("orchestrator", "task_seconds"), message)
    worse = orchestrator.degradation
    if not worse.cached_at <= worse.cheaper_at <= worse.template_at:
        message = "must not lie below cached_at, nor above template_at: each level is for worse than the one before"
        yield problem(layer, ("orchestrator", "degradation", "cheaper_at"), message)
    if sections.costs.hold_lease_seconds <= orchestrator.total_seconds:
        message = "must exceed orchestrator.total_seconds, or running calls would be charged as lost"
        yield problem(layer, ("costs", "hold_lease_seconds"), message)
    if sections.backends.limiter == "redis" and not sections.backends.redis_url and not simulated:
        remedy = "Set REDIS_URL, or backends.redis_url_file to a file that holds it"
        yield problem(layer, ("backends", "limiter"), "is redis, and no address of one is known", remedy=remedy)
    if len(sections.campaigns.disclosure_text) > sections.campaigns.max_length // 2:
        yield problem(layer, ("campaigns", "disclosure_text"), "would take more than half of a message")
    if sections.alerts.error_rate_critical < sections.alerts.error_rate:
        yield problem(layer, ("alerts", "error_rate_critical"), "is below error_rate, which is only a warning")
    if sections.mqtt.password and not sections.mqtt.username:
        yield problem(layer, ("mqtt", "username"), "is empty, and without it the password is not used")
    for name, row in sections.providers.items():
        if row.dialect != "azure" and row.enabled and not row.base_url:
            yield problem(
                layer, ("providers", name), f"has no address: set base_url or {environment.base_url_name(name)}"
            )
