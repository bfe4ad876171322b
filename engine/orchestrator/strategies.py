"""Puts the models of a decision in order, from facts alone. Pure.

Each model gets the first reason that holds against it, gravest first. Reasons are of three kinds:

- some forbid a call: without a key, behind an open breaker or lacking what the task needs nothing can come of it;
- some make it wait or likely to be refused: patience, limits, money, length. Such a model is passed over while another
  is free, and taken where none is, because others have the last word. The ledger alone refuses money, and may clamp the
  answer or wait for room; whoever carries the decision out waits for limits as far as the task's time allows; the
  provider counts the tokens that are only estimated here;
- some only move it to the end of the line: a slow or unpriced answer is better than none.

A price that is not known stands in the way of a budget, and of CHEAPEST, which has nothing to compare. FIXED and
WEIGHTED keep the place that the operator wrote down for such a model. The measured strategies put it last: they move
traffic by themselves, and should not move it to where nobody sees what it costs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from math import inf, log
from types import MappingProxyType

from engine.orchestrator.decision import Candidate, Decision, Facts, Strategy, Verdict, Wish
from engine.orchestrator.task import Need
from engine.providers import Model

Rank = tuple[float, ...]
_Draws = Sequence[float]

_OPERATORS_OWN = frozenset({Strategy.FIXED, Strategy.WEIGHTED})

_WAITING: Mapping[Verdict, int] = MappingProxyType(
    {
        Verdict.OVER_LIMIT: 0,
        Verdict.THROTTLED: 1,
        Verdict.OVER_BUDGET: 2,
        Verdict.PRICE_UNKNOWN: 3,
        Verdict.CONTEXT_TOO_LONG: 4,
    }
)
"""Reasons to wait or to expect a refusal, the least bad first."""

Judged = tuple[Verdict, Facts]


def decide(wish: Wish, facts: Sequence[Facts], draws: _Draws = ()) -> Decision:
    """The models in the order they are to be tried, each with its verdict.

    `draws` are random numbers from 0 up to 1, one for each model; only WEIGHTED looks at them.
    """
    clean: list[Facts] = []
    late: list[Judged] = []
    passed: list[Judged] = []
    for each in facts:
        verdict = judge(wish, each)
        if verdict is None:
            clean.append(each)
        elif verdict is Verdict.TOO_SLOW or (verdict is Verdict.PRICE_UNKNOWN and each.room is None):
            late.append((verdict, each))
        else:
            passed.append((verdict, each))
    if len(clean) > 1:
        rank = _RANKS[wish.strategy]
        clean.sort(key=lambda each: rank(wish, each, draws))
    taken: list[tuple[Verdict | None, Facts]] = [(None, each) for each in clean]
    if late:
        late.sort(key=_badness)
        taken += late
    if not taken:
        waiting = [one for one in passed if one[0] in _WAITING]
        waiting.sort(key=_badness)
        taken += waiting
        passed = [one for one in passed if one[0] not in _WAITING]
    return Decision(
        tool=wish.tool,
        strategy=wish.strategy,
        candidates=(
            *(
                Candidate(facts=each, wish=wish, verdict=Verdict.STANDS_IN if number else Verdict.TAKEN, flaw=flaw)
                for number, (flaw, each) in enumerate(taken)
            ),
            *(Candidate(facts=each, wish=wish, verdict=verdict) for verdict, each in passed),
        ),
    )


def judge(wish: Wish, facts: Facts) -> Verdict | None:
    """What speaks against a model; None when nothing does."""
    if not facts.serves:
        return Verdict.NO_KEY
    if wish.needs and (missing := lacking(wish.needs, facts.model)):
        return missing
    if not facts.admits:
        return Verdict.BREAKER_OPEN
    if facts.throttled_until > wish.now:
        return Verdict.THROTTLED
    if facts.opens_at > wish.now:
        return Verdict.OVER_LIMIT
    if facts.worst_cost is None:
        if facts.room is not None or wish.strategy is Strategy.CHEAPEST:
            return Verdict.PRICE_UNKNOWN
    elif facts.room is not None and facts.worst_cost > facts.room:
        return Verdict.OVER_BUDGET
    if _too_long(wish, facts):
        return Verdict.CONTEXT_TOO_LONG
    if wish.too_slow is not None and facts.latency is not None and facts.latency > wish.too_slow:
        return Verdict.TOO_SLOW
    return None


def lacking(needs: Set[Need], model: Model) -> Verdict | None:
    """What a model cannot do of what a task needs; None where it can do all."""
    if Need.SCHEMA in needs and not model.schema:
        return Verdict.NO_SCHEMA
    if Need.TOOLS in needs and not model.tools:
        return Verdict.NO_TOOLS
    if Need.IMAGES in needs and not model.images:
        return Verdict.NO_IMAGES
    return None


def _too_long(wish: Wish, facts: Facts) -> bool:
    context, largest = facts.model.context, facts.model.largest_output
    if largest is not None and wish.output_tokens > largest:
        return True
    return context is not None and wish.input_tokens + wish.output_tokens > context


def _badness(judged: Judged) -> Rank:
    """How far a model is on the wrong side, among those with a fault: the smaller goes first."""
    verdict, facts = judged
    amount: float = 0
    if verdict is Verdict.TOO_SLOW:
        amount = facts.latency or 0
    elif verdict is Verdict.OVER_LIMIT:
        amount = facts.opens_at
    elif verdict is Verdict.THROTTLED:
        amount = facts.throttled_until
    elif verdict is Verdict.OVER_BUDGET:
        amount = (facts.worst_cost or 0) - (facts.room or 0)
    return _WAITING.get(verdict, -1), amount, facts.position


# ── one order a strategy; the smaller rank goes first ───────────────────────────────────────────────────────────────


def _fixed(wish: Wish, facts: Facts, draws: _Draws) -> Rank:
    return (facts.position,)


def _cheapest(wish: Wish, facts: Facts, draws: _Draws) -> Rank:
    return facts.worst_cost or 0, facts.position


def _fastest(wish: Wish, facts: Facts, draws: _Draws) -> Rank:
    return _unpriced(facts), _expected(facts), facts.position


def _best(wish: Wish, facts: Facts, draws: _Draws) -> Rank:
    """Scores are compared to the hundredth, which is less than they are sure of; between equals the cheaper goes."""
    return _unpriced(facts), -round(facts.quality, 2), _price(facts), facts.position


def _weighted(wish: Wish, facts: Facts, draws: _Draws) -> Rank:
    """A model comes first with a chance of its weight among all weights, then likewise among the rest.

    Exponential clocks: each rings after -ln(u)/weight, and the order of ringing is such a draw (Efraimidis and
    Spirakis, Weighted random sampling with a reservoir, 2006). Weight 0 never rings: it only stands in.
    """
    if facts.weight <= 0:
        return inf, facts.position
    return -log(1.0 - draws[facts.position]) / facts.weight, facts.position


def _least_busy(wish: Wish, facts: Facts, draws: _Draws) -> Rank:
    return _unpriced(facts), facts.in_flight, _expected(facts), facts.position


_RANKS: Mapping[Strategy, Callable[[Wish, Facts, _Draws], Rank]] = MappingProxyType(
    {
        Strategy.FIXED: _fixed,
        Strategy.CHEAPEST: _cheapest,
        Strategy.FASTEST: _fastest,
        Strategy.BEST: _best,
        Strategy.WEIGHTED: _weighted,
        Strategy.LEAST_BUSY: _least_busy,
    }
)


def _unpriced(facts: Facts) -> int:
    return facts.worst_cost is None


def _price(facts: Facts) -> float:
    return inf if facts.worst_cost is None else facts.worst_cost


def _expected(facts: Facts) -> float:
    """One call finds out how fast an unmeasured model is; until it is back, the model waits behind the measured."""
    if facts.latency is not None:
        return facts.latency
    return inf if facts.in_flight else -1
