"""Workflows as graphs: steps, edges by outcome, waits for a person, and a pure interpreter of what comes next.

Many items go through one instance at their own pace: some fans' texts are still being written while others' are sent.
So an instance knows of each step how many items came to it and how each left it; what state a step is in follows from
that and from the graph. Items are told where to go next by `after`, and that is the only place that knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, reduce

import orjson

from engine.kernel.backoff import Backoff

END = ""  # where an edge leads that leaves the graph


class Waits(StrEnum):
    """What an item at a step waits for."""

    NOTHING = ""  # the step is done with the one before it, in one transaction
    ENGINE = "engine"
    PERSON = "person"


class StepState(StrEnum):
    WAITING = "waiting"  # nothing came to it yet, or what is there waits for a person
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # it is over, and nothing got through
    SKIPPED = "skipped"  # it is over, and nothing ever came to it, or the graph leads past it


_OVER = frozenset({StepState.DONE, StepState.FAILED, StepState.SKIPPED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step, and how often an item may be tried there. After a failed try it waits `backoff`."""

    name: str
    waits: Waits = Waits.ENGINE
    tries: int = 1
    backoff: Backoff = field(default_factory=Backoff)


@dataclass(frozen=True, slots=True)
class Edge:
    """Where an item goes that left a step with an outcome. The first edge whose fact holds counts; empty always holds.

    An item `passes` when the outcome is what the step is for; otherwise it is lost to the graph there.
    """

    step: str
    outcome: str
    to: str = END
    when: str = ""
    passes: bool = False


@dataclass(frozen=True)
class Graph:
    """Raises ValueError for edges that lead nowhere or in a circle, and for steps that nothing leads to."""

    name: str
    steps: tuple[Step, ...]
    edges: tuple[Edge, ...]

    def __post_init__(self) -> None:
        order = {step.name: number for number, step in enumerate(self.steps)}
        for edge in self.edges:
            if edge.step not in order or (edge.to != END and edge.to not in order):
                raise ValueError(f"{self.name}: an edge names a step that is not there: {edge}")
            if edge.to != END and order[edge.to] <= order[edge.step]:
                raise ValueError(f"{self.name}: an edge leads back: {edge}")
        if alone := order.keys() - {edge.to for edge in self.edges} - {self.first}:
            raise ValueError(f"{self.name}: nothing leads to {', '.join(sorted(alone))}")

    @property
    def first(self) -> str:
        return self.steps[0].name

    @cached_property
    def _by_name(self) -> Mapping[str, Step]:
        return {step.name: step for step in self.steps}

    def step(self, name: str) -> Step:
        """Raises KeyError."""
        return self._by_name[name]

    @cached_property
    def _ways(self) -> dict[frozenset[str], Ways]:
        return {}

    def ways(self, facts: frozenset[str]) -> Ways:
        """The graph as it is where these facts hold."""
        found = self._ways.get(facts)
        if found is None:
            found = self._ways[facts] = _ways(self, facts)
        return found

    def edge(self, step: str, outcome: str, facts: frozenset[str]) -> Edge:
        """The edge an item takes. Raises KeyError for an outcome that the step cannot have."""
        edge = self.ways(facts).edges.get((step, outcome))
        if edge is None:
            raise KeyError(f"{step} cannot end with {outcome}")
        return edge

    def after(self, step: str, outcome: str, facts: frozenset[str]) -> str:
        """The step an item goes to next, END when it leaves the graph. Raises KeyError."""
        return self.edge(step, outcome, facts).to


@dataclass(frozen=True, slots=True)
class Ways:
    """The edges that can be taken where some facts hold, and the steps that lead straight to each step."""

    edges: Mapping[tuple[str, str], Edge]
    before: Mapping[str, frozenset[str]]


def _ways(graph: Graph, facts: frozenset[str]) -> Ways:
    edges: dict[tuple[str, str], Edge] = {}
    for edge in graph.edges:
        if not edge.when or edge.when in facts:
            edges.setdefault((edge.step, edge.outcome), edge)
    before = {
        step.name: frozenset(edge.step for edge in edges.values() if edge.to == step.name) for step in graph.steps
    }
    return Ways(edges, before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """So many items left a step with an outcome, the first and the last of them at these instants."""

    step: str
    outcome: str
    count: int
    first_at: int
    last_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What is known of a step in one instance."""

    entered: int = 0
    left: Mapping[str, int] = field(default_factory=dict)  # by outcome
    passed: int = 0  # of those that left
    began_at: int | None = None
    moved_at: int | None = None  # when the last one left

    @property
    def open(self) -> int:
        return self.entered - sum(self.left.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    facts: frozenset[str]
    places: Mapping[str, Place]


def begin(graph: Graph, facts: Iterable[str]) -> Instance:
    return Instance(facts=frozenset(facts), places={step.name: Place() for step in graph.steps})


def advance(graph: Graph, instance: Instance, passage: Passage) -> Instance:
    """Let items pass from a step to where the graph leads them. What leaves the first step had come to it.

    The order of passages makes no difference. Raises KeyError for an outcome that the step cannot have.
    """
    edge = graph.edge(passage.step, passage.outcome, instance.facts)
    places = dict(instance.places)
    place = places[passage.step]
    if passage.step == graph.first:
        place = _entered(place, passage.count, passage.first_at)
    places[passage.step] = Place(
        entered=place.entered,
        left={**place.left, passage.outcome: place.left.get(passage.outcome, 0) + passage.count},
        passed=place.passed + passage.count * edge.passes,
        began_at=place.began_at,
        moved_at=max(place.moved_at or 0, passage.last_at),
    )
    if edge.to != END:
        places[edge.to] = _entered(places[edge.to], passage.count, passage.first_at)
    return Instance(facts=instance.facts, places=places)


def replay(graph: Graph, facts: Iterable[str], passages: Iterable[Passage]) -> Instance:
    """The instance that all these passages lead to."""
    return reduce(lambda instance, passage: advance(graph, instance, passage), passages, begin(graph, facts))


def states(graph: Graph, instance: Instance) -> dict[str, StepState]:
    """The state of each step, in the graph's order."""
    found: dict[str, StepState] = {}
    before = graph.ways(instance.facts).before
    for step in graph.steps:
        ended = all(found[name] in _OVER for name in before[step.name])
        untouched = step.name == graph.first and not instance.places[step.name].entered
        found[step.name] = _state(step, instance.places[step.name], ended=ended and not untouched)
    return found


def _state(step: Step, place: Place, *, ended: bool) -> StepState:
    """`ended`: nothing more can come."""
    if place.open:
        return StepState.WAITING if step.waits is Waits.PERSON else StepState.RUNNING
    if not ended:
        return StepState.RUNNING if place.entered and step.waits is not Waits.PERSON else StepState.WAITING
    if not place.entered:
        return StepState.SKIPPED
    return StepState.DONE if place.passed else StepState.FAILED


def _entered(place: Place, count: int, at: int) -> Place:
    began = at if place.began_at is None else min(place.began_at, at)
    return Place(
        entered=place.entered + count, left=place.left, passed=place.passed, began_at=began, moved_at=place.moved_at
    )


# ── graphs as they are kept ─────────────────────────────────────────────────────────────────────────────────────────


def dump(graph: Graph) -> bytes:
    """A graph as JSON: an instance goes on by the graph it was begun with, whatever a later version draws."""
    return orjson.dumps({"name": graph.name, "steps": graph.steps, "edges": graph.edges})


def load(data: bytes) -> Graph:
    found = orjson.loads(data)
    steps = (
        Step(
            name=step["name"],
            waits=Waits(step["waits"]),
            tries=step["tries"],
            backoff=Backoff(**step["backoff"]),
        )
        for step in found["steps"]
    )
    return Graph(found["name"], tuple(steps), tuple(Edge(**edge) for edge in found["edges"]))
