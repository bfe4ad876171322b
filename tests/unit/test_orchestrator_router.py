"""Whom a task is given to, what is measured on the way, and what an operator may change about it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.events import ConcurrencyChanged, RouteChanged
from engine.kernel.errors import CommandRefused, ErrorClass, ProviderError
from engine.kernel.values import MINUTE, SECOND, NanoUSD
from engine.orchestrator import (
    Answer,
    Gauged,
    Gauges,
    GaugeSettings,
    Lesson,
    Level,
    Load,
    Need,
    Orchestrator,
    OrchestratorSettings,
    Outlook,
    Router,
    Routes,
    Strategy,
    Target,
    Task,
    ToolRoute,
    Tuner,
    Verdict,
)
from engine.orchestrator.breaker import NEVER
from engine.providers import Correction, Finish, Message, Model, Models, Role
from engine.storage import Database
from engine.surface.commands import ResetRoute, SetRoute
from engine.surface.queries import ExplainRoute, ListGauges, ListRoutes
from tests.fakes import ManualClock

ONE, TWO, THREE = Target("one", "m"), Target("two", "m"), Target("three", "m/with/slashes")
CHAIN = ("one/m", "two/m", "three/m/with/slashes")


def settings(**route: Any) -> OrchestratorSettings:
    return OrchestratorSettings(
        tools={"message": ToolRoute(**{"chain": CHAIN, "max_output_tokens": 100, **route})},
        aliases={"redacteur": "message"},
        model_aliases={"favourite": "two/m"},
    )


def task(**changes: Any) -> Task:
    fields: dict[str, Any] = {"tool": "message", "messages": (Message(Role.USER, "hi"),), "trace_id": "t"}
    return Task(**{**fields, **changes})


def router(serves: Callable[[Target], bool] = lambda target: True, **looks: Any) -> Router:
    route = looks.pop("route", {})
    admits = looks.pop("admits", lambda target: True)
    return Router(settings(**route), serves, admits, ManualClock(), random.Random(7), Outlook(**looks))


def figures(**by_target: Any) -> Callable[..., Any]:
    """A look that knows one figure of each provider, whatever else it is given."""

    def look(*asked: Any) -> Any:
        target = next(each for each in asked if isinstance(each, Target))
        return by_target.get(target.provider)

    return look


def verdicts(router: Router, **changes: Any) -> dict[str, str]:
    return {one.target.provider: str(one.verdict) for one in router.decide(task(**changes)).candidates}


# ── whom ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_fixed_chain_is_tried_in_its_order() -> None:
    decision = router().decide(task())

    assert decision.order == (ONE, TWO, THREE)
    assert [one.verdict for one in decision.candidates] == [Verdict.TAKEN, Verdict.STANDS_IN, Verdict.STANDS_IN]


def test_a_task_may_ask_for_another_strategy_than_its_tools() -> None:
    costs = figures(one=NanoUSD(3), two=NanoUSD(1), three=NanoUSD(2))

    assert router(worst_cost=costs).decide(task(strategy="cheapest")).order == (TWO, THREE, ONE)


def test_a_strategy_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(CommandRefused, match="fixed, cheapest, fastest, best, weighted, least_busy") as refused:
        router().decide(task(strategy="random"))

    assert refused.value.field == "strategy"


def test_a_pinned_model_is_the_only_candidate() -> None:
    decision = router().decide(task(pinned=Target("two", "other")))

    assert decision.order == (Target("two", "other"),)
    assert decision.candidates[0].why == "the one model that was asked for"


def test_the_price_is_that_of_this_very_task() -> None:
    asked: list[tuple[int, int]] = []

    def worst(target: Target, input_tokens: int, output_tokens: int, now: int) -> NanoUSD:
        asked.append((input_tokens, output_tokens))
        return NanoUSD(1)

    router(worst_cost=worst, route={"system": "be kind"}).decide(task(max_output_tokens=7))

    assert asked[0] == (2 + 16 + 7 + 16, 7)


@pytest.mark.parametrize(
    ("looks", "verdict", "words"),
    [
        ({"serves": lambda target: target != ONE}, "no_key", "has no key here"),
        ({"admits": lambda target: target != ONE}, "breaker_open", "its breaker is open"),
        ({"throttled_until": lambda target: ManualClock().now() + 8 * SECOND * (target == ONE)}, "throttled", "8.0 s"),
        (
            {"opens_at": lambda task, target: ManualClock().now() + 3 * SECOND * (target == ONE)},
            "over_limit",
            "room again in 3.0 s",
        ),
        (
            {"worst_cost": figures(one=NanoUSD(9), two=NanoUSD(1)), "room": figures(one=NanoUSD(5), two=NanoUSD(5))},
            "over_budget",
            "may cost 0.000000009 USD where the budget has 0.000000005 USD left",
        ),
        ({"worst_cost": figures(two=NanoUSD(1)), "room": figures(one=NanoUSD(5))}, "price_unknown", "a budget covers"),
        (
            {"model": figures(one=Model(context=50), two=Model(), three=Model())},
            "context_too_long",
            "about 104 tokens with the answer, and it holds 50",
        ),
        (
            {"model": figures(one=Model(largest_output=80), two=Model(), three=Model())},
            "context_too_long",
            "writes at most 80 tokens, and up to 100 may be wanted",
        ),
    ],
)
def test_a_model_is_passed_over_for_a_reason_with_its_figures(looks: dict[str, Any], verdict: str, words: str) -> None:
    decision = router(**looks).decide(task())

    assert decision.order[0] == TWO
    passed = decision.candidates[-1]
    assert (passed.target, str(passed.verdict)) == (ONE, verdict)
    assert words in passed.why


@pytest.mark.parametrize("need", Need)
def test_a_model_that_lacks_what_a_task_needs_is_never_asked(need: Need) -> None:
    lacking = Model(**{{"schema": "schema", "tools": "tools", "images": "images"}[need]: False})
    seen = router(model=figures(one=lacking, two=Model(), three=Model()))

    assert verdicts(seen, needs=frozenset({need}))["one"] == f"no_{need}"
    assert verdicts(seen)["one"] == "taken"
    alone = router(model=lambda target: lacking).decide(task(needs=frozenset({need})))
    assert alone.order == ()
    assert alone.refusal().error_class is ErrorClass.INVALID_REQUEST


def test_a_slow_model_stands_last_and_is_taken_before_nobody() -> None:
    slow = router(latency=figures(one=9 * SECOND, two=SECOND, three=6 * SECOND), route={"too_slow": 5 * SECOND})

    decision = slow.decide(task())
    assert decision.order == (TWO, THREE, ONE)
    assert decision.candidates[2].why == "9.0 s expected where 5.0 s is the most, so it stands last"
    alone = router(latency=lambda target, now: 9 * SECOND, route={"too_slow": SECOND}).decide(task())
    assert alone.candidates[0].why == "9.0 s expected where 1.0 s is the most, but nothing better is left"
    assert alone.order == (ONE, TWO, THREE)


def test_when_all_are_throttled_the_first_to_open_is_waited_for() -> None:
    now = ManualClock().now()
    until = figures(one=now + 9 * SECOND, two=now + 2 * SECOND, three=now + 5 * SECOND)

    assert router(throttled_until=until).decide(task()).order == (TWO, THREE, ONE)


def test_over_every_budget_the_ledger_is_asked_for_its_word() -> None:
    """The router's figure is a glance: only the ledger may refuse, clamp or let wait."""
    over = router(worst_cost=figures(one=NanoUSD(9), two=NanoUSD(7), three=NanoUSD(8)), room=lambda *_: NanoUSD(5))

    assert over.decide(task()).order == (TWO, THREE, ONE)


def test_an_operators_own_order_keeps_a_model_without_a_price() -> None:
    unpriced = figures(two=NanoUSD(1), three=NanoUSD(2))

    assert router(worst_cost=unpriced).decide(task()).order == (ONE, TWO, THREE)
    assert router(worst_cost=unpriced).decide(task(strategy="cheapest")).order == (TWO, THREE, ONE)
    assert router(worst_cost=unpriced).decide(task(strategy="least_busy")).order == (TWO, THREE, ONE)


def test_one_call_at_a_time_finds_out_how_fast_an_unmeasured_model_is() -> None:
    busy = {"one": 0}
    seen = router(
        worst_cost=lambda *_: NanoUSD(1),
        latency=figures(two=SECOND, three=2 * SECOND),
        in_flight=lambda target: busy.get(target.provider, 0),
        route={"strategy": Strategy.FASTEST},
    )

    assert seen.decide(task()).order == (ONE, TWO, THREE)
    busy["one"] = 1
    assert seen.decide(task()).order == (TWO, THREE, ONE)


def test_a_model_that_is_behind_a_breaker_says_when_it_is_tried() -> None:
    now = ManualClock().now()
    behind = router(admits=lambda target: False, admits_at=lambda target: now + 12 * SECOND).decide(task())

    assert behind.order == ()
    assert behind.candidates[0].why == "its breaker is open and tries a call in 12.0 s"
    assert behind.refusal().error_class is ErrorClass.SERVER_ERROR


def test_what_never_opens_by_itself_names_no_time() -> None:
    held = router(admits=lambda target: False, admits_at=lambda target: NEVER).decide(task())
    too_large = router(opens_at=lambda task, target: NEVER).decide(task())

    assert held.candidates[0].why == "an operator holds its breaker open"
    assert too_large.candidates[0].why.startswith("the call is larger than its limit ever allows")


def test_most_tasks_of_a_weighted_tool_go_to_the_heaviest_that_can_be_asked() -> None:
    def likely(**looks: Any) -> Target | None:
        weighted = router(**looks, route={"strategy": Strategy.WEIGHTED, "weights": (1, 7, 2)})
        return Orchestrator(NoStage(), weighted, lambda target: True, settings()).likely(task())

    assert likely() == TWO
    assert likely(admits=lambda target: target != TWO) == THREE
    assert likely(serves=lambda target: False) is None


# ── what models can do ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_row_covers_every_version_of_its_model_and_no_other_model() -> None:
    models = Models()

    assert models.of("openai", "gpt-4o-mini-2024-07-18").context == 128_000
    assert models.of("openai", "gpt-4").context == 8_192
    assert models.of("openai", "gpt-4-turbo-2024-04-09").context == 128_000
    assert models.of("openai", "gpt-4.9") == Model()
    assert not models.of("deepseek", "deepseek-chat").images
    assert not models.of("deepseek", "deepseek-chat").schema
    assert models.of("openrouter", "anything") == Model()


def test_an_operator_corrects_a_row_and_a_deployment_stands_for_its_model() -> None:
    models = Models({"deepseek/deepseek-chat": Correction(images=True, context=1_000_000)}, {"ours": "gpt-4"})

    assert models.of("azure", "ours").context == 8_192
    corrected = models.of("deepseek", "deepseek-chat")
    assert (corrected.images, corrected.context, corrected.schema) == (True, 1_000_000, False)


# ── what is measured ────────────────────────────────────────────────────────────────────────────────────────────────

GAUGES = GaugeSettings(decay=30 * SECOND, forget=10 * MINUTE)


def test_a_slow_answer_counts_at_once_and_quick_ones_bring_it_down_in_time() -> None:
    clock = ManualClock()
    gauges = Gauges(clock, GAUGES)

    gauges.answered("message", ONE, SECOND)
    gauges.answered("message", ONE, 9 * SECOND)
    assert gauges.latency(ONE, clock.now()) == 9 * SECOND
    gauges.answered("message", ONE, SECOND)
    assert gauges.latency(ONE, clock.now()) == 9 * SECOND  # no time has passed: a burst of quick ones proves nothing
    clock.jump(30 * SECOND)
    gauges.answered("message", ONE, SECOND)
    assert gauges.latency(ONE, clock.now()) == pytest.approx(SECOND + 8 * SECOND / 2.718281828, abs=2)


def test_an_old_latency_says_nothing() -> None:
    clock = ManualClock()
    gauges = Gauges(clock, GAUGES)
    gauges.answered("message", ONE, 9 * SECOND)

    clock.jump(GAUGES.forget + 1)

    assert gauges.latency(ONE, clock.now()) is None
    gauges.answered("message", ONE, SECOND)
    assert gauges.latency(ONE, clock.now()) == SECOND


def test_quality_is_drawn_to_its_prior_while_scores_are_few() -> None:
    gauges = Gauges(ManualClock(), GAUGES)

    assert gauges.quality("message", ONE) == 0.9
    gauges.rate("message", ONE, 0.0)
    assert gauges.quality("message", ONE) == pytest.approx(18 / 21)
    for _ in range(500):
        gauges.rate("message", ONE, 0.0)
    assert gauges.quality("message", ONE) < 0.05
    assert gauges.quality("other", ONE) == 0.9


def test_a_model_that_got_better_is_believed_again() -> None:
    gauges = Gauges(ManualClock(), GAUGES)
    for _ in range(5_000):
        gauges.rate("message", ONE, 0.0)

    for _ in range(1_500):
        gauges.rate("message", ONE, 1.0)

    assert gauges.quality("message", ONE) > 0.9


class Inner:
    """A hop that does what it is told; `during` looks on."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.script: list[Any] = []
        self.during: Callable[[], None] = lambda: None

    async def complete(self, task: Task, target: Target) -> Answer:
        self.during()
        step = self.script.pop(0) if self.script else SECOND
        if isinstance(step, BaseException):
            raise step
        self.clock.jump(step)
        return Answer(text="x", target=target, finish=Finish.STOP, usage=None, attempt_id="a", duration=step)


def failure(error_class: ErrorClass, **changes: Any) -> ProviderError:
    return ProviderError("one", "m", error_class, "no", **changes)


async def test_calls_in_hand_are_counted_however_they_end() -> None:
    clock = ManualClock()
    gauges, inner, seen = Gauges(clock, GAUGES), Inner(clock), []
    inner.during = lambda: seen.append(gauges.in_flight(ONE))
    hop = Gauged(inner, gauges, clock)

    inner.script = [SECOND, failure(ErrorClass.SERVER_ERROR), asyncio.CancelledError(), RuntimeError()]
    await hop.complete(task(), ONE)
    for ended in (ProviderError, asyncio.CancelledError, RuntimeError):
        with pytest.raises(ended):
            await hop.complete(task(), ONE)

    assert seen == [1, 1, 1, 1]
    assert gauges.in_flight(ONE) == 0


async def test_what_is_known_of_models_that_clients_name_is_bounded() -> None:
    clock = ManualClock()
    gauges, inner, known = Gauges(clock, GAUGES), Inner(clock), Target("one", "in-use")
    hop = Gauged(inner, gauges, clock)
    gauges.began(known)

    for number in range(600):
        clock.jump(SECOND)
        await hop.complete(task(), Target("one", f"m{number}"))
        gauges.rate("message", ONE, 1.0)

    gauges.ended(known)
    assert len(gauges.targets) == len(gauges._scores) == 512
    assert known in gauges.targets  # who has calls in hand is never forgotten
    assert gauges.quality("message", ONE) > 0.98  # nor who is best known
    assert gauges.latency(Target("one", "m599"), clock.now()) == SECOND


async def test_a_rehearsal_teaches_nothing() -> None:
    clock = ManualClock()
    gauges, inner = Gauges(clock, GAUGES), Inner(clock)
    hop = Gauged(inner, gauges, clock)
    inner.script = [SECOND, failure(ErrorClass.SERVER_ERROR)]

    await hop.complete(task(rehearsal=True), ONE)
    with pytest.raises(ProviderError):
        await hop.complete(task(rehearsal=True), ONE)

    assert gauges.latency(ONE, clock.now()) is None
    assert gauges.quality("message", ONE) == 0.9
    assert gauges.load() == Load()


async def test_a_time_out_is_a_slow_answer_and_a_quick_failure_is_no_quick_one() -> None:
    clock = ManualClock()
    gauges, inner = Gauges(clock, GAUGES), Inner(clock)
    hop = Gauged(inner, gauges, clock)
    await hop.complete(task(), ONE)

    inner.script = [failure(ErrorClass.SERVER_ERROR)]
    with pytest.raises(ProviderError):
        await hop.complete(task(), ONE)
    assert gauges.latency(ONE, clock.now()) == SECOND
    inner.script, inner.during = [failure(ErrorClass.TIMEOUT)], lambda: clock.jump(75 * SECOND)
    with pytest.raises(ProviderError):
        await hop.complete(task(), ONE)
    assert gauges.latency(ONE, clock.now()) == 75 * SECOND


@pytest.mark.parametrize("error_class", [ErrorClass.RATE_LIMIT, ErrorClass.AUTHENTICATION, ErrorClass.INVALID_REQUEST])
async def test_a_failure_that_is_not_the_models_leaves_its_score(error_class: ErrorClass) -> None:
    clock = ManualClock()
    gauges, inner = Gauges(clock, GAUGES), Inner(clock)
    inner.script = [failure(error_class)]

    with pytest.raises(ProviderError):
        await Gauged(inner, gauges, clock).complete(task(), ONE)

    assert gauges.quality("message", ONE) == 0.9
    assert gauges.load() == Load(failures=1, throttled=error_class is ErrorClass.RATE_LIMIT)


def test_the_past_is_recalled_at_a_start() -> None:
    clock = ManualClock()
    gauges, now = Gauges(clock, GAUGES), clock.now()

    gauges.recall(
        [
            Lesson(ONE, "message", "ok", now - 20 * MINUTE, 9 * SECOND),
            Lesson(ONE, "message", "ok", now - MINUTE, SECOND),
            Lesson(ONE, "message", "server_error", now - MINUTE, SECOND // 100),
            Lesson(TWO, "message", "ok", now - 20 * MINUTE, SECOND),
        ]
    )

    assert gauges.latency(ONE, clock.now()) == SECOND
    assert gauges.latency(TWO, clock.now()) is None
    assert gauges.quality("message", ONE) == pytest.approx((18 + 2) / 23)
    assert gauges.load() == Load()


# ── routes that operators set ───────────────────────────────────────────────────────────────────────────────────────


class NoStage:
    async def complete(self, task: Task) -> Answer:
        raise NotImplementedError


@asynccontextmanager
async def engine(
    folder: Path, file: OrchestratorSettings | None = None, *, level: Level = Level.FULL, **looks: Any
) -> AsyncIterator[tuple[Routes, Orchestrator]]:
    """Routes over a database; opened again on the same folder, as after a restart."""
    clock, file = ManualClock(), file or settings()
    async with Database.open(folder / "huntaze.db", readers=1, synchronous="OFF") as database:
        gauges = Gauges(clock, GAUGES)
        router = Router(
            file,
            lambda target: target.provider != "three",
            lambda target: True,
            clock,
            random.Random(7),
            Outlook(**looks),
        )
        orchestrator = Orchestrator(NoStage(), router, lambda target: True, file, (), lambda tool: level)
        routes = Routes(database, orchestrator, gauges, clock, {"one", "two", "three"})
        await routes.load()
        yield routes, orchestrator


async def row(routes: Routes) -> Any:
    (found,) = (await routes.listing(ListRoutes(tool="message"))).rows
    return found


async def test_a_route_that_was_set_holds_for_the_next_task(tmp_path: Path) -> None:
    async with engine(tmp_path) as (routes, orchestrator):
        done = await routes.change(SetRoute(tool="redacteur", chain=("favourite", "one/m"), actor="ada"))

        assert orchestrator.decide(task()).order == (TWO, ONE)
        assert done.summary == "message is routed fixed over two/m, one/m"
        found = await row(routes)
        assert (found.chain, found.set_by, found.file_chain) == (("two/m", "one/m"), "ada", CHAIN)


async def test_it_survives_a_restart_and_a_reload_of_the_file(tmp_path: Path) -> None:
    async with engine(tmp_path) as (routes, _):
        await routes.change(SetRoute(tool="message", strategy="weighted", weights=(3, 1, 0), too_slow=5 * SECOND))

    fresh = replace(settings(chain=("three/m",), system="new words"), total=7 * SECOND)
    async with engine(tmp_path) as (routes, orchestrator):
        routes.configure(fresh)

        route = orchestrator.settings.tools["message"]
        assert (route.strategy, route.chain, route.weights) == (Strategy.WEIGHTED, CHAIN, (3, 1, 0))
        assert route.too_slow == 5 * SECOND
        assert (route.system, orchestrator.settings.total) == ("new words", 7 * SECOND)
        found = await row(routes)
        assert (found.file_chain, found.set_by) == (("three/m",), "operator")


async def test_a_reset_gives_the_tool_back_to_the_file(tmp_path: Path) -> None:
    async with engine(tmp_path) as (routes, orchestrator):
        await routes.change(SetRoute(tool="message", chain=("two/m",)))
        await routes.reset(ResetRoute(tool="message"))

        assert orchestrator.settings.tools["message"].chain == CHAIN
        assert "already" in (await routes.reset(ResetRoute(tool="message"))).summary
    async with engine(tmp_path) as (routes, _):
        assert (await row(routes)).set_by == ""


async def test_a_change_of_the_file_reaches_tools_that_nobody_set(tmp_path: Path) -> None:
    async with engine(tmp_path) as (routes, orchestrator):
        routes.configure(settings(chain=("two/m",)))

        assert orchestrator.decide(task()).order == (TWO,)


@pytest.mark.parametrize(
    ("wanted", "field", "words"),
    [
        ({"tool": "nothing"}, "tool", "the tools are message"),
        ({"strategy": "fastests"}, "strategy", "the strategies are fixed"),
        ({"chain": ()}, "chain", "at least one"),
        ({"chain": ("gpt-4o",)}, "chain", "no provider/model"),
        ({"chain": ("one/",)}, "chain", "no provider/model"),
        ({"chain": ("/m",)}, "chain", "no provider/model"),
        ({"chain": ("one/m m",)}, "chain", "no provider/model"),
        ({"chain": ("one/\x1b[2J",)}, "chain", "no provider/model"),
        ({"chain": ("one/" + "m" * 300,)}, "chain", "no provider/model"),
        ({"chain": ("nobody/m",)}, "chain", "the providers are one, three, two"),
        ({"chain": ("two/m", "favourite")}, "chain", "twice"),
        ({"chain": tuple(f"one/m{number}" for number in range(21))}, "chain", "at most 20"),
        ({"weights": (1, 2)}, "weights", "3 models need as many weights, not 2"),
        ({"weights": (0, 0, 0)}, "weights", "above 0"),
        ({"weights": (1, -1, 1)}, "weights", "whole number"),
        ({"too_slow": -1}, "too_slow", "not negative"),
    ],
)
async def test_a_route_that_means_nothing_is_refused_and_changes_nothing(
    tmp_path: Path, wanted: dict[str, Any], field: str, words: str
) -> None:
    async with engine(tmp_path) as (routes, _):
        with pytest.raises(CommandRefused, match=words) as refused:
            await routes.change(SetRoute(**{"tool": "message", **wanted}))

        assert refused.value.field == field
        assert (await row(routes)).set_by == ""


async def test_another_chain_drops_weights_that_were_not_meant_for_it(tmp_path: Path) -> None:
    async with engine(tmp_path) as (routes, _):
        await routes.change(SetRoute(tool="message", strategy="weighted", weights=(3, 1, 0)))
        await routes.change(SetRoute(tool="message", chain=("two/m", "one/m")))

        assert (await row(routes)).weights == ()


async def test_every_change_is_told(tmp_path: Path) -> None:
    async with engine(tmp_path) as (routes, _):
        await routes.change(SetRoute(tool="message", strategy="weighted", weights=(3, 1, 0), actor="ada"))
        await routes.reset(ResetRoute(tool="message", actor="bob"))

    async with Database.open(tmp_path / "huntaze.db", readers=1, synchronous="OFF") as database:
        told = [one.event for one in await database.events_after(0) if isinstance(one.event, RouteChanged)]
    assert [(one.actor, one.strategy, one.weights, one.from_file) for one in told] == [
        ("ada", "weighted", "3,1,0", False),
        ("bob", "fixed", "", True),
    ]


@pytest.mark.parametrize(
    ("level", "order"),
    [
        (Level.FULL, ["one/m", "two/m"]),
        (Level.CACHED, ["one/m", "two/m"]),
        (Level.CHEAPER, ["two/m", "one/m"]),
        (Level.TEMPLATE, ["template/message", "two/m", "one/m"]),
    ],
)
async def test_an_explanation_is_of_the_level_in_force(tmp_path: Path, level: Level, order: list[str]) -> None:
    file, prices = settings(template="We are back soon."), figures(one=2_000, two=1_000)
    async with engine(tmp_path, file, level=level, worst_cost=prices) as (routes, orchestrator):
        rows = (await routes.explain(ExplainRoute(tool="message"))).rows

        usable = [one for one in rows if one.position]
        assert [f"{one.provider}/{one.model}" for one in usable] == order
        assert [one.position for one in usable] == list(range(1, len(order) + 1))
        assert [one.verdict for one in usable] == ["taken", *["stands_in"] * (len(order) - 1)]
        assert [str(one) for one in orchestrator.decide(task()).order] == order[-2:]
        assert ("cheapest" in usable[-1].why) == (level in (Level.CHEAPER, Level.TEMPLATE))


async def test_an_explanation_asks_nobody_and_says_why(tmp_path: Path) -> None:
    async with engine(tmp_path) as (routes, _):
        rows = (await routes.explain(ExplainRoute(tool="message", strategy="cheapest"))).rows

        assert [(one.position, one.provider, one.verdict) for one in rows] == [
            (1, "one", "taken"),
            (2, "two", "stands_in"),
            (0, "three", "no_key"),
        ]
        assert (rows[0].flaw, rows[0].why) == (
            "price_unknown",
            "its price is not known, and cheapest compares prices, but nothing better is left",
        )
        with pytest.raises(CommandRefused, match="the needs are schema, tools, images"):
            await routes.explain(ExplainRoute(tool="message", needs=("sound",)))


async def test_gauges_name_every_model_of_a_chain(tmp_path: Path) -> None:
    async with engine(tmp_path) as (routes, _):
        rows = (await routes.gauges(ListGauges())).rows

    assert [(one.provider, one.model, one.tools) for one in rows] == [
        ("one", "m", ("message",)),
        ("two", "m", ("message",)),
        ("three", "m/with/slashes", ("message",)),
    ]


# ── how much at once ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_stage_follows_the_load_and_tells_the_steps_that_matter(tmp_path: Path) -> None:
    given: list[int] = []
    async with Database.open(tmp_path / "huntaze.db", readers=1, synchronous="OFF") as database:
        loads = [Load(answers=5, slowness=5.0, failures=5, throttled=5), *[Load(answers=20, slowness=20.0)] * 8]
        tuner = Tuner(
            "writing",
            database,
            ManualClock(),
            lambda: loads.pop(0),
            running=lambda: tuner.state.limit,
            waiting=lambda: 100,
            apply=given.append,
            settings=replace(settings(), concurrency=16),
        )
        for _ in range(9):
            await tuner.look()
        told = [one.event for one in await database.events_after(0)]

    assert given == [11, 12, 13, 14, 15, 16]
    assert [(one.concurrency, one.ceiling) for one in told if isinstance(one, ConcurrencyChanged)] == [
        (11, 16),
        (14, 16),
        (16, 16),
    ]
