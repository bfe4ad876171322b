"""Which models a client may name: virtual ones, whose model the engine chooses, and real ones.

huntaze/<tool>      the tool's own route, strategy and cap; the client's messages pass as they are
huntaze/cheapest    any configured model that can do it, by the price of this very request
huntaze/fastest     … by measured latency           huntaze/best    … by measured quality
provider/model      that one, and no other
model               the same, at the first provider here that is known for it
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from engine.orchestrator import GATEWAY, Orchestrator, OrchestratorSettings, Strategy, Target, target_of

_OURS = "huntaze"
_STRATEGIES = {"cheapest": Strategy.CHEAPEST, "fastest": Strategy.FASTEST, "best": Strategy.BEST}
_REMEMBERED = 1_000  # names; clients may ask for what they like


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a name stands for. `names` are all it goes by, as a key's list of models may have it."""

    names: tuple[str, ...]
    tool: str = GATEWAY
    strategy: str = ""
    pinned: Target | None = None
    cap: int  # tokens of an answer where the client gives none …
    most: int | None = None  # … and the most it may give; None: the gateway's own limit


class Catalogue:
    """Knows the names.

    `prices` says whether a model has a price; only such a one is guessed a provider for. `largest` is the most tokens a
    model can write, None where that is not known.
    """

    def __init__(
        self,
        orchestrator: Orchestrator,
        providers: Sequence[str],
        prices: Callable[[Target], bool],
        largest: Callable[[Target], int | None],
        aliases: Mapping[str, str],
    ) -> None:
        self._orchestrator = orchestrator
        self._providers = providers
        self._prices = prices
        self._largest = largest
        self._aliases = aliases
        self._found: dict[str, Choice | None] = {}
        self._of: OrchestratorSettings | None = None  # the settings that `_found` was found under

    def configure(self, aliases: Mapping[str, str]) -> None:
        """Take other names of models over."""
        self._aliases, self._of = aliases, None

    def find(self, name: str) -> Choice | None:
        """What a name stands for, or None when it stands for nothing here."""
        settings = self._orchestrator.settings
        if self._of is not settings or len(self._found) > _REMEMBERED:
            self._of, self._found = settings, {}
        if name not in self._found:
            self._found[name] = self._virtual(name, settings) or self._real(name, settings)
        return self._found[name]

    def listed(self) -> tuple[tuple[str, str], ...]:
        """Every name worth listing, with whose model it is."""
        settings = self._orchestrator.settings
        tools = [tool for tool in settings.tools if tool != GATEWAY]
        ours = [(f"{_OURS}/{name}", _OURS) for name in (*tools, *_STRATEGIES)]
        return (*ours, *((str(target), target.provider) for target in self._targets(settings)))

    def _virtual(self, name: str, settings: OrchestratorSettings) -> Choice | None:
        owner, _, rest = name.partition("/")
        if owner != _OURS:
            return None
        if rest in _STRATEGIES:
            return Choice(names=(name,), strategy=_STRATEGIES[rest], cap=settings.tools[GATEWAY].max_output_tokens)
        tool = settings.aliases.get(rest, rest)
        route = settings.tools.get(tool)
        if route is None or tool == GATEWAY:
            return None
        cap = route.max_output_tokens
        return Choice(names=(name, f"{_OURS}/{tool}"), tool=tool, cap=cap, most=cap)

    def _real(self, name: str, settings: OrchestratorSettings) -> Choice | None:
        target = self._target(self._aliases.get(name, name), settings)
        if target is None:
            return None
        names = tuple(dict.fromkeys((name, str(target), target.model)))
        cap, most = settings.tools[GATEWAY].max_output_tokens, self._largest(target)
        return Choice(names=names, pinned=target, cap=cap, most=most)

    def _target(self, name: str, settings: OrchestratorSettings) -> Target | None:
        provider = name.partition("/")[0]
        if "/" in name and provider in self._providers:
            target = target_of(name)
            return target if target.model else None
        listed = (target for target in self._targets(settings) if target.model == name)
        guessed = (Target(provider, name) for provider in self._providers if "/" not in name)
        return next(listed, None) or next((target for target in guessed if self._prices(target)), None)

    def _targets(self, settings: OrchestratorSettings) -> tuple[Target, ...]:
        """Every model that the configuration names at a provider that is ready."""
        named = (target_of(name) for route in settings.tools.values() for name in route.chain)
        return tuple(dict.fromkeys(target for target in named if target.provider in self._providers))
