"""The environment's names: the fixed ones, a base URL for every provider, and HUNTAZE_SECTION__KEY for the rest."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from engine.kernel.secret import Secret
from huntaze_console.configuration.layers import Layer, of_pairs
from huntaze_console.configuration.shape import Path, is_secret, keys_at, takes_text, takes_words

PREFIX = "HUNTAZE_"
ELSEWHERE = frozenset({"HUNTAZE_CONFIG", "HUNTAZE_STATE_DIR", "HUNTAZE_TOKEN"})  # where to look; no settings

FIXED: Mapping[str, Path] = MappingProxyType(
    {
        "OPENAI_ORG_ID": ("providers", "openai", "organization"),
        "AZURE_OPENAI_ENDPOINT": ("providers", "azure", "base_url"),
        "AZURE_OPENAI_API_VERSION": ("providers", "azure", "api_version"),
        "ONLYFANS_API_URL": ("platform", "url"),
        "ONLYFANS_USER_AGENT": ("platform", "user_agent"),
        "ONLYFANS_API_TOKEN": ("platform", "token"),
        "SES_FROM_EMAIL": ("smtp", "from_address"),
        "COST_ALERT_EMAIL": ("alerts", "email_to"),
        "SLACK_WEBHOOK_URL": ("alerts", "slack_webhook_url"),
        "REDIS_URL": ("backends", "redis_url"),
        "HUNTAZE_MQTT_PASSWORD": ("mqtt", "password"),
        "AWS_REGION": ("dynamodb", "region"),
        "DYNAMODB_COSTS_TABLE": ("dynamodb", "costs_table"),
        "DYNAMODB_ALERTS_TABLE": ("dynamodb", "alerts_table"),
        "SQS_WORKFLOW_QUEUE": ("queue", "workflow_queue"),
        "SQS_RATE_LIMITER_QUEUE": ("queue", "rate_limiter_queue"),
        "COST_ALERTS_SNS_TOPIC": ("alerts", "sns_topic"),
    }
)


def base_url_name(provider: str) -> str:
    """The variable that overrides a provider's address: xai -> XAI_BASE_URL."""
    return f"{provider.upper().replace('-', '_').replace('.', '_')}_BASE_URL"


def read(environ: Mapping[str, str], below: Mapping[str, Any], *, simulated: bool) -> Layer:
    """What the environment says. `below` is what the file said: it names the providers and accounts there are.

    An empty variable counts as unset, as everywhere. In a simulation nothing about providers is read.
    """
    pairs = [*_fixed(environ), *_prefixed(environ, below)]
    if simulated:
        pairs = [pair for pair in pairs if pair[0][0] != "providers" and not is_secret(pair[0])]
    else:
        pairs = [*_base_urls(environ, below.get("providers", {})), *pairs]
    return of_pairs(pairs, "environment")


def unknown(environ: Mapping[str, str]) -> Iterator[str]:
    """Names that begin with HUNTAZE_ but can be no setting's name: they hold no section."""
    return (
        name
        for name in environ
        if name.startswith(PREFIX) and name not in ELSEWHERE and name not in FIXED and "__" not in name
    )


def spelled(path: Iterable[str | int]) -> str:
    """The variable that sets a dotted key: daemon.port -> HUNTAZE_DAEMON__PORT."""
    return PREFIX + "__".join(str(part).upper().replace("-", "_") for part in path)


def _fixed(environ: Mapping[str, str]) -> Iterator[tuple[Path, Any, str]]:
    for name, path in FIXED.items():
        if environ.get(name):
            yield path, _value(path, environ[name]), name


def _base_urls(environ: Mapping[str, str], providers: object) -> Iterator[tuple[Path, Any, str]]:
    for provider in providers if isinstance(providers, dict) else ():
        name = base_url_name(provider)
        if environ.get(name):
            yield ("providers", provider, "base_url"), environ[name], name


def _prefixed(environ: Mapping[str, str], below: Mapping[str, Any]) -> Iterator[tuple[Path, Any, str]]:
    for name, text in environ.items():
        if text and name.startswith(PREFIX) and name not in ELSEWHERE and "__" in name:
            path = _path(name, below)
            yield path, _value(path, text), name


def _path(name: str, below: Mapping[str, Any]) -> Path:
    """The key a name means. Names that the file or the sections know are found whatever their case and dashes."""
    path: Path = ()
    table: Any = below
    for part in name.removeprefix(PREFIX).split("__"):
        known = {_folded(key): key for key in (*(table if isinstance(table, dict) else ()), *keys_at(path))}
        key = known.get(_folded(part), part.lower())
        table = table.get(key) if isinstance(table, dict) else None
        path = (*path, key)
    return path


def _folded(name: str) -> str:
    return name.lower().replace("-", "_")


def _value(path: Path, text: str) -> Any:
    """The text as TOML where a number, a boolean or a table is wanted; the text itself otherwise."""
    if is_secret(path):
        return Secret(text.strip())
    if takes_words(path) and not text.startswith("["):
        return [word.strip() for word in text.split(",") if word.strip()]
    if takes_text(path) and not text.startswith(('"', "'")):
        return text
    return toml_value(text)


def toml_value(text: str) -> Any:
    """The TOML value that a text spells, or the text when it spells none."""
    try:
        found = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return found["value"] if found.keys() == {"value"} else text
