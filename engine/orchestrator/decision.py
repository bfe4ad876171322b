"""What routing decides, and why: every candidate with the reason it was taken or passed over. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from engine.kernel.values import NanoUSD
from engine.orchestrator.task import Target


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
        return self in (Verdict.TAKEN, Verdict.STANDS_IN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One model of a decision: the verdict, one sentence on it, and the figures it rests on."""

    target: Target
    verdict: Verdict
    why: str
    worst_cost: NanoUSD | None = None  # of this task
    latency: int | None = None  # nanoseconds expected
    in_flight: int = 0
    quality: float | None = None  # 0 to 1, as measured
    room: NanoUSD | None = None  # left in the tightest budget that covers the call; None without one


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The candidates: the usable ones first, in the order they will be tried, then those passed over."""

    tool: str
    strategy: Strategy
    candidates: tuple[Candidate, ...]

    @property
    def order(self) -> tuple[Target, ...]:
        """Whom to ask, in order; empty when nobody may be asked."""
        return tuple(candidate.target for candidate in self.candidates if candidate.verdict.usable)
