"""Quotas: how much may be asked of the models, by whom, in which window; and the port of who counts it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from engine.kernel.values import DAY, HOUR, MINUTE, SECOND

WIDTHS = {"minute": MINUTE, "hour": HOUR, "day": DAY}


class Layer(StrEnum):
    """Who a window counts for."""

    USER = "user"
    USER_AT = "user_at"  # one user at one provider, the key being provider/user
    MODEL = "model"  # everything that goes to a model, the key being provider/model: only after it throttled
    PROVIDER = "provider"  # everything that goes to a provider
    ACCOUNT = "account"
    GLOBAL = "global"


class Measure(StrEnum):
    REQUESTS = "requests"
    TOKENS = "tokens"  # read and written


@dataclass(frozen=True, slots=True)
class Bound:
    """At most `limit` of a measure in any span of `width` nanoseconds, for one key of a layer."""

    layer: Layer
    key: str
    measure: Measure
    width: int
    limit: int
    name: str = ""  # what its counter is kept under, made from the fields above but the limit

    @classmethod
    def of(cls, layer: Layer, key: str, measure: Measure, width: int, limit: int) -> Bound:
        return cls(layer, key, measure, width, limit, f"{layer}:{measure}:{width // SECOND}:{key}")

    @property
    def window(self) -> str:
        """minute, hour or day."""
        return next(name for name, width in WIDTHS.items() if width == self.width)


@dataclass(frozen=True, slots=True)
class Claim:
    """One call, before it is made: every window it counts in, and the most tokens it can take.

    `limits` are what the bounds allow at present, in their order, where that is less than their limits.
    """

    bounds: tuple[Bound, ...]
    tokens: int = 0
    limits: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """The call counts in every window of its claim. `stamps` are its entries, in the order of the bounds."""

    claim: Claim
    stamps: tuple[int, ...]


class QuotaReason(StrEnum):
    FULL = "full"
    TOO_LARGE = "too_large"  # more tokens than the whole limit: it will never fit
    UNSURE = "unsure"  # the store cannot tell, so nobody gets through


@dataclass(frozen=True, slots=True)
class QuotaRefusal:
    """Nothing was counted anywhere. `bound` is the window that frees last, None when the store is unsure.

    `opens_at` is when to ask again; None when that cannot help.
    """

    reason: QuotaReason
    bound: Bound | None
    opens_at: int | None

    def __str__(self) -> str:
        if self.bound is None:
            return "the store of the limits cannot be asked, so nothing is let through"
        bound = self.bound
        whose = f"{bound.layer} {bound.key}" if bound.key else "all"
        limit = f"{bound.limit:,} {bound.measure} a {bound.window} of {whose}"
        return f"it is larger than {limit}" if self.reason is QuotaReason.TOO_LARGE else f"{limit} are used up"


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """How much of a window is used. `frees_at` is when its oldest entry leaves, None while it is empty."""

    name: str
    used: int
    frees_at: int | None


class QuotaStore(Protocol):
    """Counts calls in windows, durably: what was granted is not forgotten while it counts.

    A grant's life: `reserve` before the call, then one of `settle` (it was made) and `release` (it certainly was not).
    If neither comes it counts as reserved: at its most.
    """

    async def reserve(self, claim: Claim) -> Grant | QuotaRefusal:
        """Count in all windows of the claim or in none, in one step. Unsure is a refusal, never a grant."""
        ...

    async def settle(self, grant: Grant, tokens: int) -> None:
        """The call is over, and took so many tokens."""
        ...

    async def release(self, grant: Grant) -> None:
        """The call was never made."""
        ...

    def opens_at(self, claim: Claim) -> int:
        """When the claim would be granted: now or before if at once. Cheap; a hint, no promise."""
        ...

    async def usage(self, bounds: Sequence[Bound]) -> Sequence[QuotaUse]:
        """What is used of each. Raises StorageError when the store cannot be asked."""
        ...
