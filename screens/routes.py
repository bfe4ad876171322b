"""How each tool's models are chosen, and the decision for one tool now: each model with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from engine.surface.commands import ResetRoute, SetRoute
from engine.surface.queries import ExplainRoute, ListRoutes, PreviewRoute
from engine.surface.rows import CandidateRow, RouteRow
from engine.surface.snapshot import RecoveryView, quantile
from screens.acting import Acting
from screens.breakers import turn_breaker
from screens.drawing import BLANK, Line, Span
from screens.effects import route_effect
from screens.formatting import NONE, clean, count, duration, price, stamp, wrap
from screens.listing import Listing, plain
from screens.view import View
from screens.widgets.asking import Entry, Values
from screens.widgets.table import Column

_STRATEGIES = ("fixed", "cheapest", "fastest", "best", "weighted", "least_busy")


class RoutesScreen(Listing[RouteRow], Acting):
    """One row a tool; those that an operator set over the file first."""

    title_text = place = "providers"
    heading = "providers › routes"
    empty = "no tool has a route: see [tools] in config.toml"
    first_keys = ("change", "let the file decide")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "change", "change"),
        Binding("x", "reset", "let the file decide"),
    ]

    def question(self) -> ListRoutes:
        return ListRoutes()

    def rows_of(self, view: View) -> Sequence[RouteRow]:
        return sorted(self.read, key=lambda row: not row.set_by)

    def columns(self) -> Sequence[Column[RouteRow]]:
        return (
            Column(title="tool", width=16, paint=plain(lambda row: row.tool), sort=lambda row: row.tool),
            Column(title="strategy", width=11, paint=_strategy, sort=lambda row: row.strategy),
            Column(title="its models, first choice first", width=24, weight=1, paint=plain(_chain, "dim")),
            Column(title="set by", width=10, paint=_author, sort=lambda row: row.set_by),
        )

    def key_of(self, row: RouteRow) -> str:
        return row.tool

    def words_of(self, row: RouteRow) -> str:
        return f"{row.tool} {row.strategy} {_chain(row)} {row.set_by}"

    def foot(self, row: RouteRow, view: View, width: int) -> Sequence[Line]:
        title: Line = ((f"  {clean(row.tool, longest=60)}", "head"), (f"  {_words(row.strategy)}", "plain"))
        lines = [BLANK, title, *_folded(_chain(row), "plain", width)]
        if row.too_slow is not None:
            lines.append(((f"  expected to take over {duration(row.too_slow)}, a model stands last", "dim"),))
        if row.set_by:
            since = f"set by {clean(row.set_by, longest=60)} at {stamp(row.set_at, view.zone)}"
            file = f"{since}, over the file, which says {_words(row.file_strategy)} over {', '.join(row.file_chain)}"
            lines += _folded(file, "warn", width)
        lines += _recovered(view.snapshot.recoveries.get(row.tool), view, width)
        return tuple(lines)

    def open(self, row: RouteRow) -> None:
        self.app.push_screen(DecisionScreen(row.tool, row.strategy))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        row = self.row if self.is_mounted else None
        if action == "reset":
            return bool(row and row.set_by) and self.may_act
        if action == "change":
            return row is not None and self.may_act
        return super().check_action(action, parameters)

    def action_reset(self) -> None:
        row = self.row
        if row is None:
            return

        async def effect() -> str:
            says = f"It says {_words(row.file_strategy)} over {', '.join(row.file_chain)}"
            found = await self.rows(PreviewRoute(tool=row.tool, reset=True))
            return f"{says}; {route_effect(found[0])}"

        command = ResetRoute(tool=row.tool, actor=self.actor)
        self.confirm_effect(f"Let the file decide over {clean(row.tool)} again?", command, effect)

    def action_change(self) -> None:
        """Strategy, chain and weights in a small form, with whom a task would go to below."""
        row = self.row
        if row is None:
            return

        async def preview(values: Values) -> str:
            strategy, chain, weights = _typed(values)
            query = PreviewRoute(tool=row.tool, strategy=strategy, chain=chain, weights=weights)
            return route_effect((await self.rows(query))[0])

        def make(values: Values) -> SetRoute:
            strategy, chain, weights = _typed(values)
            return SetRoute(tool=row.tool, strategy=strategy, chain=chain, weights=weights, actor=self.actor)

        known = tuple(sorted({name for each in self.read for name in each.chain}))
        self.ask(
            f"How is {clean(row.tool)} to be routed? From the next task on, over the file, across restarts.",
            (
                Entry(name="strategy", label="strategy", value=row.strategy, known=_STRATEGIES),
                Entry(name="chain", label="models", value=", ".join(row.chain), known=known),
                Entry(name="weights", label="weights", value=", ".join(map(str, row.weights)), hint="none"),
            ),
            make,
            check=_check_route,
            preview=preview,
            go="route it so",
        )


class DecisionScreen(Listing[CandidateRow], Acting):
    """The models of one tool in the order they would be asked now; below, a sentence on each."""

    title_text = place = "providers"
    empty = "its chain names no model"
    first_keys = ("another strategy", "use this one")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "turn", "another strategy"),
        Binding("w", "keep", "use this one"),
        Binding("b", "breaker", "breaker"),
    ]

    def __init__(self, tool: str, strategy: str) -> None:
        super().__init__()
        self._tool, self._strategy = tool, ""
        self._others = ("", *(each for each in _STRATEGIES if each != strategy))

    @property
    def heading(self) -> str:
        return f"providers › routes › {clean(self._tool, longest=60)}"

    def question(self) -> ExplainRoute:
        return ExplainRoute(tool=self._tool, strategy=self._strategy)

    def columns(self) -> Sequence[Column[CandidateRow]]:
        return (
            Column(title="", width=2, right=True, paint=_place),
            Column(title="provider and model", width=18, weight=1, paint=plain(_name)),
            Column(title="verdict", width=16, paint=_verdict),
            Column(title="at most", width=11, right=True, paint=_cost),
            Column(title="expected", width=8, right=True, paint=_latency),
            Column(title="now", width=4, right=True, need=90, paint=plain(lambda row: count(row.in_flight))),
            Column(title="quality", width=7, right=True, paint=plain(lambda row: f"{row.quality:.2f}")),
            Column(title="budget left", width=11, right=True, need=120, paint=_room),
        )

    def key_of(self, row: CandidateRow) -> str:
        return f"{row.provider}/{row.model}"

    def words_of(self, row: CandidateRow) -> str:
        return f"{_name(row)} {row.verdict} {row.why}"

    def head(self, view: View, width: int) -> Sequence[Line]:
        if not self._strategy:
            return (((f"  {clean(self._tool, longest=60)} as it is routed", "dim"),),)
        return (((f"  as it would be: {_words(self._strategy)}", "warn"),),)

    def foot(self, row: CandidateRow, view: View, width: int) -> Sequence[Line]:
        lines: list[Line] = [BLANK]
        for each in self.read:
            chosen = "strong" if each is row else "dim"
            lines += _folded(f"{_name(each)}: {clean(each.why, longest=300)}", chosen, width)[:2]
        return tuple(lines)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "breaker":
            return self.is_mounted and self.row is not None and self.may_act
        if action == "keep":
            return bool(self._strategy) and self.may_act
        return super().check_action(action, parameters)

    def action_turn(self) -> None:
        """Look how another strategy would decide; nothing is changed by looking."""
        self._strategy = self._others[(self._others.index(self._strategy) + 1) % len(self._others)]
        self.start_over()

    def action_keep(self) -> None:
        strategy = self._strategy

        async def effect() -> str:
            return route_effect((await self.rows(PreviewRoute(tool=self._tool, strategy=strategy)))[0])

        command = SetRoute(tool=self._tool, strategy=strategy, actor=self.actor)
        self.confirm_effect(f"Route {self._tool} {_words(strategy)}?", command, effect, then=self._kept)

    def action_breaker(self) -> None:
        row = self.row
        if row is not None:
            turn_breaker(self, row.provider, row.model, self._held(row))

    def _held(self, row: CandidateRow) -> str:
        model = self.view.snapshot.models.get(f"{row.provider}/{row.model}")
        return model.breaker_held_by if model else ""

    def _kept(self) -> None:
        kept = self._strategy
        self._strategy, self._others = "", ("", *(each for each in _STRATEGIES if each != kept))


def _typed(values: Values) -> tuple[str, tuple[str, ...], tuple[int, ...]]:
    """Strategy, chain and weights of fields that were checked."""
    chain = tuple(part.strip() for part in values["chain"].split(",") if part.strip())
    return values["strategy"], chain, tuple(int(part) for part in values["weights"].split(",") if part.strip())


def _check_route(values: Values) -> Mapping[str, str]:
    """What can be told without the engine; the rest it refuses itself, by name."""
    wrong = {}
    if values["strategy"] not in _STRATEGIES:
        wrong["strategy"] = f"one of {', '.join(_STRATEGIES)}"
    chain = [part.strip() for part in values["chain"].split(",") if part.strip()]
    if not chain or not all("/" in name for name in chain):
        wrong["chain"] = "models as provider/model, first choice first, with commas"
    weights = [part.strip() for part in values["weights"].split(",") if part.strip()]
    if not all(part.isdecimal() for part in weights) or (weights and len(weights) != len(chain)):
        wrong["weights"] = "a whole number for each model, or empty"
    return wrong


def _words(strategy: str) -> str:
    return clean(strategy.replace("_", " "), longest=40)


def _recovered(seen: RecoveryView | None, view: View, width: int) -> Sequence[Line]:
    """How another model took over when one failed, and how long that took."""
    if seen is None or not seen.count:
        return ()
    typical = quantile(seen.latencies, 0.5)
    took = f", {duration(typical)} from the failure to the answer (p50)" if typical is not None else ""
    by, of = clean(seen.target, longest=80), clean(seen.failed, longest=80)
    last = f"last {by} for {of} at {stamp(seen.last_at, view.zone)}"
    times = "once" if seen.count == 1 else f"{count(seen.count)} times"
    return _folded(f"another model took over {times}{took}; {last}: {clean(seen.reason, longest=60)}", "plain", width)


def _folded(text: str, tone: str, width: int) -> list[Line]:
    return [((f"  {part}", tone),) for part in wrap(text, max(20, width - 4))]


def _chain(row: RouteRow) -> str:
    if not row.weights:
        return ", ".join(row.chain)
    return ", ".join(f"{name} ×{weight}" for name, weight in zip(row.chain, row.weights, strict=False))


def _strategy(row: RouteRow, _view: View) -> Span:
    return _words(row.strategy), "plain" if row.strategy == "fixed" else "strong"


def _author(row: RouteRow, _view: View) -> Span:
    return (clean(row.set_by, longest=60), "warn") if row.set_by else ("the file", "dim")


def _name(row: CandidateRow) -> str:
    return clean(f"{row.provider} {row.model}", longest=100)


def _place(row: CandidateRow, _view: View) -> Span:
    return (str(row.position), "strong" if row.position == 1 else "plain") if row.position else ("–", "dim")


def _verdict(row: CandidateRow, _view: View) -> Span:
    word = _words(row.verdict)
    if row.verdict == "taken":
        return f"{'●' if row.flaw else '✔'} {word}", "warn" if row.flaw else "ok"
    if row.verdict == "stands_in":
        return f"{'●' if row.flaw else '·'} {word}", "warn" if row.flaw else "plain"
    return f"✖ {word}", "bad"


def _cost(row: CandidateRow, _view: View) -> Span:
    return price(row.worst_cost), "warn" if row.worst_cost is None else "plain"


def _latency(row: CandidateRow, _view: View) -> Span:
    return (NONE, "dim") if row.latency is None else (duration(row.latency), "plain")


def _room(row: CandidateRow, _view: View) -> Span:
    return (NONE, "dim") if row.room is None else (price(row.room), "plain")
