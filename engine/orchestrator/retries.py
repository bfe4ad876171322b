"""What a failure calls for, and how many repeats an outage may cost. Pure, but for the allowance's own memory.

Nothing here sleeps or calls: the fallback does. The table of `course_of` is docs/resilience.md's.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from engine.kernel.errors import ErrorClass, ProviderError

_GRAINS = 60  # parts of a window; what an allowance remembers is bounded by them

_HERE_TOO = frozenset({"model_not_found", "context_length_exceeded", "deploymentnotfound"})
"""Codes of a malformed request that say: not by this model. Another, at the same provider too, may serve it."""

_THERE = frozenset({"unsupported_parameter", "unsupported_value"})
"""Codes that say: not by this endpoint, in this dialect."""

_OWN_FAULT = frozenset({200, 400, 422, None})
"""Statuses of a request that is malformed wherever it goes, unless a code says otherwise."""

CUT_SHORT = "cut_short"
"""Our code for an answer that its cap cut off: the same model would be cut off again, and paid again."""


OWN_LIMIT = "own_limit"
"""Our code for a call that a limit of ours held back: nothing that the provider said, and waited for already."""

LEFT_ALONE = "left_alone"
"""Our code for a call that a breaker, opened since it was chosen, did not let through."""


class Course(StrEnum):
    """What to do after a failure."""

    AGAIN = "again"  # the same model once more after a wait, then the next
    NEXT = "next"  # the next model
    LATER = "later"  # the next model; this one when its Retry-After is over, if nobody else is left
    OTHERS = "others"  # the next model of another provider
    NOWHERE = "nowhere"  # nobody: the failure is the caller's


def asks_for_patience(error: ProviderError) -> bool:
    """Whether a provider asked to be left alone for a while: a 429, or an overload that names a time."""
    if error.code in (OWN_LIMIT, LEFT_ALONE):
        return False
    overloaded = error.error_class is ErrorClass.SERVER_ERROR and error.retry_after is not None
    return overloaded or error.error_class is ErrorClass.RATE_LIMIT


def course_of(error: ProviderError, *, alone: bool) -> Course:
    """What a failure calls for. `alone` when no other model is left to try."""
    if error.begun:
        return Course.NOWHERE
    match error.error_class:
        case ErrorClass.RATE_LIMIT:
            return Course.NEXT if error.code == OWN_LIMIT else Course.LATER
        case ErrorClass.SERVER_ERROR | ErrorClass.NETWORK_ERROR:
            if error.code == LEFT_ALONE:
                return Course.NEXT
            return Course.LATER if asks_for_patience(error) else Course.AGAIN
        case ErrorClass.TIMEOUT:  # a second wait as long as the first helps nobody while another can be asked
            return Course.AGAIN if alone else Course.NEXT
        case ErrorClass.UNKNOWN:
            return Course.NEXT if error.code == CUT_SHORT else Course.AGAIN
        case ErrorClass.CONTENT_FILTER:
            return Course.OTHERS
        case ErrorClass.AUTHENTICATION:  # 403 may be about this model; anything else is about the key or the account
            return Course.NEXT if error.status == 403 else Course.OTHERS
        case ErrorClass.INVALID_REQUEST:
            return _of_invalid(error)


def _of_invalid(error: ProviderError) -> Course:
    code = error.code.lower()
    if code in _HERE_TOO or error.status in (404, 413):
        return Course.NEXT
    if code in _THERE or error.status not in _OWN_FAULT:  # a wrong base URL, a method or a media type not known there
        return Course.OTHERS
    return Course.NOWHERE


@dataclass(slots=True, kw_only=True)
class Allowance:
    """So many extras as `share` of the requests in any `window` (nanoseconds), and `floor` more: retries, hedges.

    Requests count only while their whole part of the window is inside it, extras until the whole part has left: what
    is granted never exceeds the bound, wherever the window is laid.
    """

    share: float
    floor: int
    window: int
    _parts: deque[list[int]] = field(default_factory=deque)  # [number of the part, requests, extras], ascending
    _requests: int = 0
    _extras: int = 0

    def asked(self, now: int) -> None:
        """A request went out that is no extra."""
        self._part(now)[1] += 1
        self._requests += 1

    def take(self, now: int) -> bool:
        """Take one extra, if there is one left."""
        part = self._part(now)
        inside = self._requests - (self._parts[0][1] if self._parts[0][0] <= part[0] - _GRAINS else 0)
        if self._extras + 1 > int(inside * self.share) + self.floor:
            return False
        part[2] += 1
        self._extras += 1
        return True

    def _part(self, now: int) -> list[int]:
        number = now * _GRAINS // self.window
        parts = self._parts
        while parts and parts[0][0] < number - _GRAINS:
            _, requests, extras = parts.popleft()
            self._requests -= requests
            self._extras -= extras
        if not parts or parts[-1][0] < number:
            parts.append([number, 0, 0])
        return parts[-1]  # of a clock set back: the newest


class RetryBudgets:
    """An allowance a provider. Providers are rows of the configuration, so these are bounded."""

    def __init__(self, share: float, floor: int, window: int) -> None:
        self._bounds = share, floor, window
        self._of: dict[str, Allowance] = {}

    def configure(self, share: float, floor: int, window: int) -> None:
        """Take new bounds over; what was counted under others is forgotten."""
        if self._bounds != (share, floor, window):
            self._bounds = share, floor, window
            self._of.clear()

    def asked(self, provider: str, now: int) -> None:
        """A task asks the provider for the first time, or comes to it by fallback."""
        self._allowance(provider).asked(now)

    def take(self, provider: str, now: int) -> bool:
        """Whether one more try may go to the provider."""
        return self._allowance(provider).take(now)

    def _allowance(self, provider: str) -> Allowance:
        found = self._of.get(provider)
        if found is None:
            share, floor, window = self._bounds
            found = self._of[provider] = Allowance(share=share, floor=floor, window=window)
        return found
