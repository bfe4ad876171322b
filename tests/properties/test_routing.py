"""Whatever is known of the models, a decision is sound: it says everything once, forbids what must be, and no more."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.kernel.values import SECOND, NanoUSD
from engine.orchestrator import Facts, Need, Strategy, Target, Verdict, Wish
from engine.orchestrator.strategies import decide, judge
from engine.providers import Model

NOW = 1_000 * SECOND
FORBIDDING = {Verdict.NO_KEY, Verdict.BREAKER_OPEN, Verdict.NO_SCHEMA, Verdict.NO_TOOLS, Verdict.NO_IMAGES}

_instants = st.sampled_from((0, NOW - 1, NOW, NOW + 1, NOW + 60 * SECOND))
_amounts = st.one_of(st.none(), st.integers(0, 1_000).map(NanoUSD))
_models = st.builds(
    Model,
    context=st.one_of(st.none(), st.integers(0, 4_000)),
    largest_output=st.one_of(st.none(), st.integers(0, 800)),
    images=st.booleans(),
    tools=st.booleans(),
    schema=st.booleans(),
)


@st.composite
def known(draw: st.DrawFn) -> list[Facts]:
    """What is known of one to six models."""
    return [
        Facts(
            target=Target("p", f"m{position}"),
            position=position,
            serves=draw(st.booleans()) or draw(st.booleans()),
            admits=draw(st.booleans()) or draw(st.booleans()),
            admits_at=draw(_instants),
            throttled_until=draw(_instants),
            opens_at=draw(_instants),
            worst_cost=draw(_amounts),
            room=draw(_amounts),
            latency=draw(st.one_of(st.none(), st.integers(0, 20 * SECOND))),
            in_flight=draw(st.integers(0, 5)),
            quality=draw(st.floats(0, 1)),
            weight=draw(st.integers(0, 5)),
            model=draw(_models),
        )
        for position in range(draw(st.integers(1, 6)))
    ]


wishes = st.builds(
    Wish,
    tool=st.just("message"),
    strategy=st.sampled_from(Strategy),
    now=st.just(NOW),
    input_tokens=st.integers(0, 4_000),
    output_tokens=st.integers(0, 800),
    needs=st.frozensets(st.sampled_from(Need)),
    too_slow=st.one_of(st.none(), st.integers(1, 10 * SECOND)),
)
seeds = st.integers(0, 2**32)


def draws(seed: int, count: int) -> list[float]:
    chance = random.Random(seed)
    return [chance.random() for _ in range(count)]


@given(wishes, known(), seeds)
def test_every_model_has_one_verdict_and_one_sentence(wish: Wish, facts: list[Facts], seed: int) -> None:
    decision = decide(wish, facts, draws(seed, len(facts)))

    assert Counter(one.target for one in decision.candidates) == Counter(each.target for each in facts)
    assert all(one.why and "\n" not in one.why for one in decision.candidates)
    assert [one.verdict for one in decision.candidates].count(Verdict.TAKEN) <= 1


@given(wishes, known(), seeds)
def test_an_order_never_holds_a_model_that_cannot_take_the_task(wish: Wish, facts: list[Facts], seed: int) -> None:
    decision = decide(wish, facts, draws(seed, len(facts)))

    forbidden = {each.target for each in facts if judge(wish, each) in FORBIDDING}
    assert not forbidden & set(decision.order)
    for one in decision.candidates:
        needs = {Need.SCHEMA: one.facts.model.schema, Need.TOOLS: one.facts.model.tools}
        needs[Need.IMAGES] = one.facts.model.images
        able = one.facts.serves and one.facts.admits and all(needs[need] for need in wish.needs)
        assert able or not one.verdict.usable


@given(wishes, known(), seeds)
def test_nobody_is_passed_over_for_advice_alone(wish: Wish, facts: list[Facts], seed: int) -> None:
    decision = decide(wish, facts, draws(seed, len(facts)))

    able = [each for each in facts if judge(wish, each) not in FORBIDDING]
    assert bool(decision.order) == bool(able)


@given(wishes, known(), seeds)
def test_a_model_without_a_flaw_goes_before_one_with_a_flaw(wish: Wish, facts: list[Facts], seed: int) -> None:
    decision = decide(wish, facts, draws(seed, len(facts)))

    line = [one for one in decision.candidates if one.verdict.usable]
    assert [bool(one.flaw) for one in line] == sorted(bool(one.flaw) for one in line)
    assert all((one.flaw or None) == judge(wish, one.facts) for one in line)
    assert decision.candidates[: len(line)] == tuple(line)


@given(wishes, known(), seeds)
def test_the_same_facts_and_draws_decide_the_same(wish: Wish, facts: list[Facts], seed: int) -> None:
    first, second = (decide(wish, facts, draws(seed, len(facts))) for _ in range(2))

    assert first == second


@given(wishes, known())
def test_the_cheapest_is_the_cheapest(wish: Wish, facts: list[Facts]) -> None:
    wish = wish._replace(strategy=Strategy.CHEAPEST)
    decision = decide(wish, facts)

    clean = [each for each in facts if judge(wish, each) is None]
    if clean:
        assert decision.candidates[0].worst_cost == min(each.worst_cost or 0 for each in clean)
        costs = [one.worst_cost for one in decision.candidates if one.verdict.usable and not one.flaw]
        assert costs == sorted(costs, key=lambda cost: cost or 0)


@given(wishes, known())
def test_the_measured_strategies_put_the_best_measured_first(wish: Wish, facts: list[Facts]) -> None:
    facts = [each._replace(worst_cost=NanoUSD(1), room=None, latency=each.latency or 1) for each in facts]

    figures: tuple[tuple[Strategy, Callable[[Facts], Any]], ...] = (
        (Strategy.FASTEST, lambda each: each.latency),
        (Strategy.LEAST_BUSY, lambda each: each.in_flight),
        (Strategy.BEST, lambda each: -round(each.quality, 2)),
    )
    for strategy, figure in figures:
        judged = wish._replace(strategy=strategy)
        clean = [each for each in facts if judge(judged, each) is None]
        if clean:
            assert figure(decide(judged, facts).candidates[0].facts) == min(map(figure, clean))


@given(wishes, known())
def test_a_model_whose_price_nobody_knows_goes_last_where_figures_decide(wish: Wish, facts: list[Facts]) -> None:
    facts = [each._replace(room=None) for each in facts]

    for strategy in (Strategy.FASTEST, Strategy.BEST, Strategy.LEAST_BUSY, Strategy.CHEAPEST):
        decision = decide(wish._replace(strategy=strategy, too_slow=None), facts)
        line = [one.worst_cost is None for one in decision.candidates if one.verdict.usable]
        if any(judge(wish._replace(strategy=strategy, too_slow=None), each) is None for each in facts):
            assert line == sorted(line)


@given(st.lists(st.integers(0, 9), min_size=2, max_size=5).filter(any), seeds)
def test_weights_are_the_shares_of_the_calls(weights: list[int], seed: int) -> None:
    chance, rounds = random.Random(seed), 300
    facts = [
        Facts(Target("p", f"m{at}"), position=at, worst_cost=NanoUSD(1), weight=weight)
        for at, weight in enumerate(weights)
    ]
    wish = Wish("message", Strategy.WEIGHTED, NOW)

    taken = Counter(
        decide(wish, facts, [chance.random() for _ in facts]).candidates[0].facts.position for _ in range(rounds)
    )

    for position, weight in enumerate(weights):
        share = weight / sum(weights)
        spread = (rounds * share * (1 - share)) ** 0.5
        assert abs(taken[position] - rounds * share) <= 6 * spread


def test_after_the_first_the_weights_decide_over_the_rest() -> None:
    chance, seconds = random.Random(7), Counter[int]()
    facts = [Facts(Target("p", f"m{at}"), position=at, weight=weight) for at, weight in enumerate((1_000_000, 3, 1))]
    for _ in range(4_000):
        order = decide(Wish("message", Strategy.WEIGHTED, NOW), facts, [chance.random() for _ in facts]).candidates
        seconds[order[1].facts.position] += 1

    assert abs(seconds[1] - 3_000) < 6 * (4_000 * 0.75 * 0.25) ** 0.5
