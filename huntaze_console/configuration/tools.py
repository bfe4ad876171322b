"""The tool map: names and their aliases, models and theirs, and the provider that an operator puts first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.kernel.errors import CommandRefused, ConfigError
from engine.kernel.values import nanos
from engine.orchestrator import Strategy
from engine.orchestrator.settings import TOOLS, CacheMode, ToolRoute
from huntaze_console.configuration import shipped
from huntaze_console.configuration.layers import Layer
from huntaze_console.configuration.problems import nearest, problem
from huntaze_console.configuration.sections import ProviderSection, Sections, ToolSection
from huntaze_console.configuration.shape import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """What the environment says of all tools at once."""

    provider: str = ""  # DEFAULT_AI_PROVIDER
    deployment: str = ""  # AZURE_OPENAI_DEPLOYMENT


def renamed(layer: Layer) -> Layer:
    """The layer with every tool under its own name, also where an alias was written."""
    tools = layer.values.get("tools")
    if not isinstance(tools, dict):
        return layer
    names = _names(tools)
    joined: dict[str, Any] = {}
    for alias, row in tools.items():
        name: str = names.get(_folded(alias), str(alias))
        below = joined.get(name)
        joined[name] = {**below, **row} if isinstance(below, dict) and isinstance(row, dict) else row
    places = {_renamed(path, names): place for path, place in layer.places.items()}
    return Layer(values={**layer.values, "tools": joined}, places=places, source=layer.source)


def _renamed(path: Path, names: Mapping[str, str]) -> Path:
    if path[0] != "tools" or not path[1:]:
        return path
    return ("tools", names.get(_folded(str(path[1])), path[1]), *path[2:])


def aliases(tools: Mapping[str, ToolSection]) -> dict[str, str]:
    return {alias: name for name, tool in tools.items() for alias in tool.aliases}


def routes(sections: Sections, preferences: Preferences) -> dict[str, ToolRoute]:
    """Each tool's chain of models. References are sound: `unsound` has been asked before."""
    return {name: _route(sections, tool, preferences) for name, tool in sections.tools.items()}


def unsound(layer: Layer, sections: Sections, preferences: Preferences) -> Iterator[ConfigError]:
    """What is wrong with the references between tools, models and providers."""
    yield from _unsound_preferences(sections, preferences)
    for name, tool in sections.tools.items():
        if wrong_weights := _weights_at_fault(tool):
            yield problem(layer, ("tools", name, "weights"), wrong_weights)
        if wrong_template := _template_at_fault(tool.template):
            yield problem(layer, ("tools", name, "template"), wrong_template)
        references = {"model": f"{tool.provider}/{tool.model}"} | {
            f"fallback.{index}": reference for index, reference in enumerate(tool.fallback)
        }
        for key, reference in references.items():
            if wrong := _wrong(sections, reference):
                place: Path = ("tools", name, key.split(".")[0])
                message, remedy = wrong
                if key == "model" and "provider" in message:
                    place = ("tools", name, "provider")
                yield problem(layer, place, message, remedy=remedy)
    for reference in sections.gateway.models:
        if wrong := _wrong(sections, reference):
            yield problem(layer, ("gateway", "models"), wrong[0], remedy=wrong[1])
    for rung, below in sections.costs.ladder.items():
        for reference in (rung, below):
            if wrong := _wrong(sections, reference):
                message, remedy = wrong
                yield problem(layer, ("costs", "ladder", rung), message, remedy=remedy)


def ladder(sections: Sections) -> Mapping[str, str]:
    """The models that a budget may exchange for cheaper ones, by their full names."""
    return {_resolved(sections, rung): _resolved(sections, below) for rung, below in sections.costs.ladder.items()}


def _weights_at_fault(tool: ToolSection) -> str:
    """What is wrong with a tool's weights; empty when they are sound, or there are none."""
    models = 1 + len(tool.fallback)
    if tool.weights and len(tool.weights) != models:
        return f"{models} models (the first and its fallback) need as many weights, not {len(tool.weights)}"
    return "one weight at least must be above 0" if tool.weights and not any(tool.weights) else ""


def _template_at_fault(template: str) -> str:
    """What is wrong with a tool's fixed text; empty when it is sound, or there is none."""
    if not template:
        return ""
    from engine.content import validate  # most files have none, and it brings the content rules along

    try:
        validate(template)
    except CommandRefused as refused:
        return refused.message
    return ""


def _unsound_preferences(sections: Sections, preferences: Preferences) -> Iterator[ConfigError]:
    if preferences.provider and preferences.provider not in sections.providers:
        known = ", ".join(sections.providers)
        hint = nearest(preferences.provider, sections.providers)
        message = f"{preferences.provider} is not a provider"
        yield ConfigError("environment", "DEFAULT_AI_PROVIDER", message, remedy=f"{hint} Valid: {known}".strip())
    elif preferences.provider and not sections.providers[preferences.provider].default_model:
        key = f"providers.{preferences.provider}.default_model"
        yield ConfigError("environment", "DEFAULT_AI_PROVIDER", f"needs a model: {key} is empty")
    azure = sections.providers.get("azure")
    if preferences.deployment and azure and preferences.deployment not in azure.deployments:
        message = f"nothing says which model the deployment {preferences.deployment} is, so its price is unknown"
        remedy = f'Add to [providers.azure]: deployments = {{ "{preferences.deployment}" = "gpt-4o" }}'
        yield ConfigError("environment", "AZURE_OPENAI_DEPLOYMENT", message, remedy=remedy)


def _wrong(sections: Sections, reference: str) -> tuple[str, str] | None:
    """What is wrong with one reference, and what to do; None when it is sound."""
    provider, _, model = _resolved(sections, reference).partition("/")
    if not model:
        known = ", ".join(sections.orchestrator.model_aliases)
        return f"{reference} is no provider/model, such as openai/gpt-4o-mini", f"Or an alias: {known}"
    row = sections.providers.get(provider)
    if row is None:
        hint = nearest(provider, sections.providers)
        return f"{provider} is not a provider", f"{hint} Valid: {', '.join(sections.providers)}".strip()
    if row.dialect == "azure" and model not in row.deployments:
        return (
            f"{model} is not a deployment of {provider}, so its price is unknown",
            f'Add to [providers.{provider}]: deployments = {{ "{model}" = "gpt-4o" }}',
        )
    return None


def _route(sections: Sections, tool: ToolSection, preferences: Preferences) -> ToolRoute:
    references = (f"{tool.provider}/{tool.model}", *tool.fallback)
    chain = written = [_deployed(_resolved(sections, each), preferences) for each in references]
    if preferences.provider:
        chain = _in_front(chain, preferences, sections.providers[preferences.provider])
    chain = list(dict.fromkeys(chain))
    return ToolRoute(
        chain=tuple(chain),
        strategy=Strategy(tool.strategy),
        weights=_weights(tool, chain, written),
        too_slow=nanos(tool.too_slow_seconds) or None,
        max_output_tokens=tool.max_output_tokens,
        temperature=tool.temperature,
        system=tool.system,
        cache=CacheMode(tool.cache),
        hedge_after=nanos(tool.hedge_after_seconds) or None,
        template=tool.template,
    )


def _weights(tool: ToolSection, chain: Sequence[str], written: Sequence[str]) -> tuple[int, ...]:
    """The weights in the chain's order. A model that the environment put in front weighs as much as the heaviest."""
    by_name = dict(zip(written, tool.weights, strict=False))
    return tuple(by_name.get(name, max(tool.weights)) for name in chain) if tool.weights else ()


def gateway_route(sections: Sections, preferences: Preferences) -> ToolRoute:
    """All that a gateway's client may leave to the engine: the tools' models, each provider's first, those added."""
    tools = sections.tools.values()
    named = [reference for tool in tools for reference in (f"{tool.provider}/{tool.model}", *tool.fallback)]
    first = [f"{name}/{row.default_model}" for name, row in sections.providers.items() if row.default_model]
    references = (*named, *first, *sections.gateway.models)
    chain = [_deployed(_resolved(sections, each), preferences) for each in references]
    if preferences.provider:
        chain = _in_front(chain, preferences, sections.providers[preferences.provider])
    return ToolRoute(
        chain=tuple(dict.fromkeys(chain)),
        max_output_tokens=sections.gateway.max_output_tokens,
        cache=CacheMode(sections.gateway.cache),
    )


def _in_front(chain: list[str], preferences: Preferences, row: ProviderSection) -> list[str]:
    """The chain with the preferred provider first: its models there already, or else its default one."""
    own = [each for each in chain if each.split("/", 1)[0] == preferences.provider]
    first = own or [_deployed(f"{preferences.provider}/{row.default_model}", preferences)]
    return first + [each for each in chain if each not in own]


def _deployed(reference: str, preferences: Preferences) -> str:
    """On Azure the one deployment that the environment names stands in for all."""
    return f"azure/{preferences.deployment}" if preferences.deployment and reference.startswith("azure/") else reference


def _resolved(sections: Sections, reference: str) -> str:
    """A reference without aliases: `deepseek-v3` and `deepseek/deepseek-v3` both are deepseek/deepseek-chat."""
    known = sections.orchestrator.model_aliases
    if reference in known:
        return known[reference]
    provider, _, model = reference.partition("/")
    target = known.get(model, "")
    return target if target.startswith(f"{provider}/") else reference


def _names(tools: Mapping[str, Any]) -> dict[str, str]:
    """Every spelling of a tool's name -> the name: its own, the shipped aliases, those this layer adds."""
    names = {_folded(name): name for name in TOOLS}
    for source in (shipped.TOOLS, tools):
        for name, row in source.items():
            listed = row.get("aliases", ()) if isinstance(row, Mapping) else ()
            for alias in listed if isinstance(listed, list) else ():
                names.setdefault(_folded(str(alias)), name)
    return names


def _folded(name: str) -> str:
    return name.lower().replace("-", "_")
