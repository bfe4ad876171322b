"""What goes wrong in the world, when, and for whom: decided by the seed, so that a run repeats.

A fault hits a *share* of the requests to its *target* while it lasts. Which requests those are is a hash of the request
and of how often it was asked before, so a repeated request gets a draw of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from engine.kernel.values import SECOND, Instant
from engine.simulation.dice import Dice


class FaultKind(StrEnum):
    """How a request fails."""

    OUTAGE = "outage"  # 503
    SERVER_ERROR = "server_error"  # 500
    RATE_LIMIT = "rate_limit"  # 429 with Retry-After
    REFUSE_AUTH = "refuse_auth"  # 401
    CONTENT_FILTER = "content_filter"  # the provider's own refusal; the platform answers 422
    SLOW = "slow"  # answered, `factor` times slower
    GARBAGE = "garbage"  # 200 with a body that is no answer
    TIMEOUT = "timeout"  # no answer; the connection is cut after `hold`
    RESET = "reset"  # the connection is cut at once
    DROP_AFTER = "drop_after"  # done and recorded, then the connection is cut before the answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault. Times are nanoseconds after the start of the world.

    `target` is a provider (`azure`), a provider and model (`deepseek/deepseek-chat`), `platform`, one account
    (`platform/anna`), or `*`.
    """

    kind: FaultKind
    target: str
    at: int = 0
    lasts: int
    share: float = 1.0
    factor: float = 8.0  # of SLOW
    retry_after: int = 20 * SECOND  # of RATE_LIMIT
    hold: int = 600 * SECOND  # of TIMEOUT

    def covers(self, elapsed: int, party: str, detail: str) -> bool:
        """Whether a request to `party/detail` arriving `elapsed` nanoseconds after the start is in its reach."""
        if not self.at <= elapsed < self.at + self.lasts:
            return False
        return self.target in ("*", party, f"{party}/{detail}")


class FaultPlan:
    """The faults of one run: those of the scenario, and those added while it runs."""

    def __init__(self, seed: int, started: Instant, faults: Iterable[Fault]) -> None:
        self._seed = seed
        self._started = started
        self._faults = list(faults)
        self._asked: Counter[str] = Counter()

    def add(self, fault: Fault) -> None:
        self._faults.append(fault)

    def clear(self) -> None:
        """End every fault, those to come included."""
        self._faults.clear()

    def strike(self, at: Instant, party: str, detail: str, request: str) -> Fault | None:
        """The fault that hits this request, if one does; the first in the order of the scenario wins.

        `request` identifies the content, so that the same request is hit in every run of the same seed.
        """
        elapsed = at - self._started
        live = [(n, fault) for n, fault in enumerate(self._faults) if fault.covers(elapsed, party, detail)]
        if not live:
            return None
        key = f"{party}/{detail}/{request}"
        self._asked[key] += 1
        for number, fault in live:
            if Dice(self._seed, "fault", number, key, self._asked[key]).happens(fault.share):
                return fault
        return None
