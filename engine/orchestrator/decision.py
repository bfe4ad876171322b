"""What routing decides, and why: every candidate with the reason it was taken or passed over. Pure.

The reason's words are made from the facts when somebody reads them: most decisions are only obeyed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from engine.kernel.errors import ErrorClass, ProviderError
from engine.kernel.values import SECOND, NanoUSD, decimal_usd
from engine.orchestrator.task import Need, Target
from engine.providers import UNKNOWN_MODEL, Model


class Strategy(StrEnum):
    """How a tool's models are put in order."""

    FIXED = "fixed"  # as the chain has them
    CHEAPEST = "cheapest"  # by the price of this very task
    FASTEST = "fastest"  # by measured latency
    BEST = "best"  # by measured quality
    WEIGHTED = "weighted"  # by chance, in proportion to the chain's weights
    LEAST_BUSY = "least_busy"  # by the calls under way


class Verdict(StrEnum):
    """Why a model was taken or passed over."""

    TAKEN = "taken"
    STANDS_IN = "stands_in"  # next in line, should the ones before it fail
    NO_KEY = "no_key"
    BREAKER_OPEN = "breaker_open"
    THROTTLED = "throttled"  # its provider asked for patience, and that is not over
    OVER_LIMIT = "over_limit"
    OVER_BUDGET = "over_budget"
    PRICE_UNKNOWN = "price_unknown"
    TOO_SLOW = "too_slow"
    CONTEXT_TOO_LONG = "context_too_long"
    NO_SCHEMA = "no_schema"
    NO_TOOLS = "no_tools"
    NO_IMAGES = "no_images"

    @property
    def usable(self) -> bool:
        return self in _USABLE


_USABLE = frozenset({Verdict.TAKEN, Verdict.STANDS_IN})
_HORIZON = 1 << 61  # an instant later than any clock's: what opens beyond it never does by itself


class Facts(NamedTuple):
    """What is known of one model at the moment of a decision. A named tuple, because each call makes several."""

    target: Target
    position: int = 0  # in the chain
    serves: bool = True  # its provider has a key here
    admits: bool = True  # its breaker
    admits_at: int = 0  # when its breaker tries a call again
    throttled_until: int = 0
    opens_at: int = 0  # when its limit has room again; in the past: now
    worst_cost: NanoUSD | None = None  # of this task; None: no price is known
    room: NanoUSD | None = None  # left in the tightest budget that covers the call; None without one
    latency: int | None = None  # nanoseconds expected; None: not measured lately
    in_flight: int = 0
    quality: float = 0.0  # 0 to 1
    weight: int = 1
    model: Model = UNKNOWN_MODEL


class Wish(NamedTuple):
    """What is asked of the models, the same for all of a decision."""

    tool: str
    strategy: Strategy
    now: int
    input_tokens: int = 0  # as they are estimated, not the bound that budgets hold
    output_tokens: int = 0  # the cap
    needs: frozenset[Need] = frozenset()
    too_slow: int | None = None  # nanoseconds
    pinned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One model of a decision: the verdict, and the facts it rests on.

    `flaw` is what speaks against a model that is in line all the same, behind those without one.
    """

    facts: Facts
    wish: Wish
    verdict: Verdict
    flaw: Verdict | None = None

    @property
    def target(self) -> Target:
        return self.facts.target

    @property
    def worst_cost(self) -> NanoUSD | None:
        return self.facts.worst_cost

    @property
    def latency(self) -> int | None:
        return self.facts.latency

    @property
    def in_flight(self) -> int:
        return self.facts.in_flight

    @property
    def quality(self) -> float:
        return self.facts.quality

    @property
    def room(self) -> NanoUSD | None:
        return self.facts.room

    @property
    def why(self) -> str:
        """One plain sentence with its figures."""
        against = self.flaw or (None if self.verdict.usable else self.verdict)
        if against is None:
            return _PRAISE[Strategy.FIXED if self.wish.pinned else self.wish.strategy](self)
        words = _BLAME[against](self.facts, self.wish)
        if not self.verdict.usable:
            return words
        return (
            f"{words}, but nothing better is left" if self.verdict is Verdict.TAKEN else f"{words}, so it stands last"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The candidates: the usable ones first, in the order they will be tried, then those passed over."""

    tool: str
    strategy: Strategy
    candidates: tuple[Candidate, ...]

    @property
    def order(self) -> tuple[Target, ...]:
        """Whom to ask, in order; empty when nobody may be asked."""
        return tuple(candidate.facts.target for candidate in self.candidates if candidate.verdict in _USABLE)

    def refusal(self) -> ProviderError:
        """What to tell the caller when nobody may be asked: the models and their reasons."""
        reasons = "; ".join(f"{candidate.target}: {candidate.why}" for candidate in self.candidates)
        verdicts = {candidate.verdict for candidate in self.candidates}
        classes = {_CLASSES.get(verdict, ErrorClass.INVALID_REQUEST) for verdict in verdicts}
        first = next((one for one in _GENTLEST_FIRST if one in classes), ErrorClass.AUTHENTICATION)
        message = f"no model can take this {self.tool}: {reasons}"
        return ProviderError("none", self.tool, first, message, reached=False)


_CLASSES: Mapping[Verdict, ErrorClass] = MappingProxyType(
    {Verdict.NO_KEY: ErrorClass.AUTHENTICATION, Verdict.BREAKER_OPEN: ErrorClass.SERVER_ERROR}
)
_GENTLEST_FIRST = (ErrorClass.SERVER_ERROR, ErrorClass.INVALID_REQUEST, ErrorClass.AUTHENTICATION)


# ── in words ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _first(candidate: Candidate) -> str:
    if candidate.wish.pinned:
        return "the one model that was asked for"
    return f"number {candidate.facts.position + 1} of its chain"


def _cheap(candidate: Candidate) -> str:
    return f"costs at most {_money(candidate.facts.worst_cost)}"


def _fast(candidate: Candidate) -> str:
    latency = candidate.facts.latency
    if latency is None:
        return "not measured lately, so one call finds out" if not candidate.facts.in_flight else "being measured"
    return f"{_span(latency)} expected"


def _good(candidate: Candidate) -> str:
    return f"quality {candidate.facts.quality:.2f} of 1"


def _weighed(candidate: Candidate) -> str:
    weight = candidate.facts.weight
    return f"weight {weight}, drawn by chance" if weight else "weight 0, so it only stands in"


def _idle(candidate: Candidate) -> str:
    return f"{candidate.facts.in_flight} calls under way"


_PRAISE: Mapping[Strategy, Callable[[Candidate], str]] = MappingProxyType(
    {
        Strategy.FIXED: _first,
        Strategy.CHEAPEST: _cheap,
        Strategy.FASTEST: _fast,
        Strategy.BEST: _good,
        Strategy.WEIGHTED: _weighed,
        Strategy.LEAST_BUSY: _idle,
    }
)


def _keyless(facts: Facts, wish: Wish) -> str:
    return f"its provider {facts.target.provider} has no key here"


def _open(facts: Facts, wish: Wish) -> str:
    if facts.admits_at > _HORIZON:
        return "an operator holds its breaker open"
    left = facts.admits_at - wish.now
    return f"its breaker is open and tries a call in {_span(left)}" if left > 0 else "its breaker is open"


def _throttled(facts: Facts, wish: Wish) -> str:
    return f"its provider asked for patience for another {_span(facts.throttled_until - wish.now)}"


def _limited(facts: Facts, wish: Wish) -> str:
    if facts.opens_at > _HORIZON:
        return "the call is larger than its limit ever allows"
    return f"its limit is reached and has room again in {_span(facts.opens_at - wish.now)}"


def _dear(facts: Facts, wish: Wish) -> str:
    return f"may cost {_money(facts.worst_cost)} where the budget has {_money(facts.room)} left"


def _unpriced(facts: Facts, wish: Wish) -> str:
    where = "a budget covers the call" if facts.room is not None else f"{wish.strategy} compares prices"
    return f"its price is not known, and {where}"


def _slow(facts: Facts, wish: Wish) -> str:
    return f"{_span(facts.latency or 0)} expected where {_span(wish.too_slow or 0)} is the most"


def _long(facts: Facts, wish: Wish) -> str:
    largest = facts.model.largest_output
    if largest is not None and wish.output_tokens > largest:
        return f"writes at most {largest:,} tokens, and up to {wish.output_tokens:,} may be wanted"
    wanted = wish.input_tokens + wish.output_tokens
    return f"about {wanted:,} tokens with the answer, and it holds {facts.model.context or 0:,}"


def _blind(what: str) -> Callable[[Facts, Wish], str]:
    return lambda facts, wish: f"cannot {what}"


_BLAME: Mapping[Verdict, Callable[[Facts, Wish], str]] = MappingProxyType(
    {
        Verdict.NO_KEY: _keyless,
        Verdict.BREAKER_OPEN: _open,
        Verdict.THROTTLED: _throttled,
        Verdict.OVER_LIMIT: _limited,
        Verdict.OVER_BUDGET: _dear,
        Verdict.PRICE_UNKNOWN: _unpriced,
        Verdict.TOO_SLOW: _slow,
        Verdict.CONTEXT_TOO_LONG: _long,
        Verdict.NO_SCHEMA: _blind("be held to a JSON schema"),
        Verdict.NO_TOOLS: _blind("call tools"),
        Verdict.NO_IMAGES: _blind("see images"),
    }
)


def _money(amount: int | None) -> str:
    return "an unknown amount" if amount is None else f"{decimal_usd(amount)} USD"


def _span(duration: int) -> str:
    return f"{max(0, duration) / SECOND:,.1f} s"
