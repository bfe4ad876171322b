"""From a task to the models that may do it, in order, each with its reason.

The router gathers the facts; `strategies.py` decides over them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.kernel.clock import Clock
from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.values import NanoUSD, Random
from engine.orchestrator.decision import Decision, Facts, Strategy, Wish
from engine.orchestrator.settings import OrchestratorSettings, ToolRoute
from engine.orchestrator.strategies import decide
from engine.orchestrator.task import Level, Target, Task
from engine.providers import UNKNOWN_MODEL, Message, Model, Operation

_BYTES_A_TOKEN = 4  # of English prose; budgets hold one token a byte, which no model's window should be judged by
_MESSAGE_OVERHEAD = 16  # bytes a message, for what the dialects add around its text

Serves = Callable[[Target], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Where the facts about a model come from. Each only looks. Left out, nothing is known and nothing forbidden."""

    admits_at: Callable[[Target], int] = lambda target: 0
    """When an open breaker tries a call."""

    throttled_until: Callable[[Target], int] = lambda target: 0
    """Until when its provider asked for patience; an instant in the past: it did not."""

    opens_at: Callable[[Task, Target], int] = lambda task, target: 0
    """When the limits on this call have room; an instant in the past: now."""

    worst_cost: Callable[[Target, int, int, int], NanoUSD | None] = lambda target, input_tokens, output_tokens, now: (
        None
    )
    """The most that a call of at most so many tokens can cost there now; None where no price is known."""

    room: Callable[[Task, Target], NanoUSD | None] = lambda task, target: None
    """What is left in the tightest budget that covers the call; None where none does."""

    latency: Callable[[Target, int], int | None] = lambda target, now: None
    """Nanoseconds expected, judged now."""

    in_flight: Callable[[Target], int] = lambda target: 0
    quality: Callable[[str, Target], float] = lambda tool, target: 0.0
    model: Callable[[Target], Model] = lambda target: UNKNOWN_MODEL


class Router:
    """Decides who is asked. It only looks: a decision reserves nothing."""

    def __init__(
        self,
        settings: OrchestratorSettings,
        serves: Serves,
        admits: Serves,
        clock: Clock,
        chance: Random,
        outlook: Outlook | None = None,
    ) -> None:
        self._serves = serves
        self._admits = admits
        self._clock = clock
        self._chance = chance
        self._outlook = outlook or Outlook()
        self._chains: dict[tuple[str, ...], tuple[Target, ...]] = {}  # read from their names once
        self.settings = settings

    def admits(self, target: Target) -> bool:
        """Whether the target's breaker lets a call through now."""
        return self._admits(target)

    def under(self, settings: OrchestratorSettings, admits: Serves | None = None) -> Router:
        """A router that decides by other routes, or as if breakers stood otherwise; this one stays as it is."""
        return Router(settings, self._serves, admits or self._admits, self._clock, self._chance, self._outlook)

    def targets(self, task: Task) -> tuple[Target, ...]:
        """The models a task may go to, in the order of its chain, whether or not they can be asked now."""
        if task.pinned is not None:
            return (task.pinned,)
        chain = route_of(self.settings, task.tool).chain
        found = self._chains.get(chain)
        if found is None:
            found = self._chains[chain] = tuple(map(target_of, chain))
        return found

    def decide(self, task: Task) -> Decision:
        """Who is asked, in order, and why nobody else.

        Raises CommandRefused(INVALID) for a tool without a route or a strategy that is none.
        """
        route = route_of(self.settings, task.tool)
        targets = self.targets(task)
        strategy = route.strategy if not task.strategy else strategy_of(task.strategy)
        size = _size(task, route)
        output = (task.max_output_tokens or route.max_output_tokens) if task.operation is Operation.CHAT else 0
        weights = route.weights if task.pinned is None else ()
        began = self._clock.now()
        facts = [
            self._facts(task, target, number, size, output, weights[number] if weights else 1, began)
            for number, target in enumerate(targets)
        ]
        wish = Wish(
            task.tool,
            strategy,
            self._clock.now(),  # after the facts: an instant that they call now is not in the future
            size // _BYTES_A_TOKEN,
            output,
            task.needs,
            route.too_slow,
            task.pinned is not None,
        )
        draws = [self._chance.random() for _ in targets] if strategy is Strategy.WEIGHTED else ()
        return decide(wish, facts, draws)

    def _facts(self, task: Task, target: Target, position: int, size: int, output: int, weight: int, now: int) -> Facts:
        look = self._outlook
        serves = self._serves(target)
        admits = serves and self._admits(target)
        return Facts(
            target,
            position,
            serves,
            admits,
            0 if admits else look.admits_at(target),
            look.throttled_until(target),
            look.opens_at(task, target),
            look.worst_cost(target, size, output, now),
            look.room(task, target),
            look.latency(target, now),
            look.in_flight(target),
            look.quality(task.tool, target),
            weight,
            look.model(target),
        )


def at_level(task: Task, level: Level) -> Task:
    """The task as it is served at a level: from `cheaper` on the cheapest model of its chain comes first."""
    if level is Level.FULL:
        return task
    if level in (Level.CHEAPER, Level.TEMPLATE) and task.pinned is None:
        return task._replace(level=level, strategy=Strategy.CHEAPEST.value)
    return task._replace(level=level)


def route_of(settings: OrchestratorSettings, tool: str) -> ToolRoute:
    """The route of a tool. Raises CommandRefused(INVALID) for a tool without one."""
    route = settings.tools.get(tool)
    if route is None:
        known = ", ".join(sorted(settings.tools))
        raise CommandRefused(Refusal.INVALID, f"there is no tool {tool!r}; the tools are {known}", field="tool")
    return route


def strategy_of(name: str) -> Strategy:
    """The strategy of that name. Raises CommandRefused(INVALID) where there is none."""
    try:
        return Strategy(name)
    except ValueError as error:
        message = f"there is no strategy {name!r}; the strategies are {', '.join(Strategy)}"
        raise CommandRefused(Refusal.INVALID, message, field="strategy") from error


def chain_of(settings: OrchestratorSettings, tool: str) -> tuple[Target, ...]:
    """The models for a tool, first choice first."""
    return tuple(map(target_of, route_of(settings, tool).chain))


def target_of(name: str) -> Target:
    """The target written as provider/model; a model's own name may hold further slashes."""
    provider, _, model = name.partition("/")
    return Target(provider, model)


def _size(task: Task, route: ToolRoute) -> int:
    """Bytes of the prompt, and so the most tokens that any tokenizer can make of it."""
    if task.body is not None:
        return len(repr(task.body).encode())
    messages: tuple[Message, ...] = task.messages
    size = sum(len(message.text.encode()) + _MESSAGE_OVERHEAD for message in messages)
    if route.system and not task.bare:
        size += len(route.system.encode()) + _MESSAGE_OVERHEAD
    return size
