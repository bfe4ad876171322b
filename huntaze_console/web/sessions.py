"""Who is logged in, and how often a token may be tried. Pure but for chance and the clock that are passed in."""

from __future__ import annotations

import hashlib
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.kernel.secret import Secret

_ID_BYTES = 32  # 256 bits
_MOST_SESSIONS = 100
_MOST_ADDRESSES = 1_000


@dataclass(slots=True)
class Session:
    """One login: with it go its token and the consoles it has open."""

    token: Secret
    read_only: bool
    until: float  # whatever happens
    used: float
    open: int = 0
    ends: list[Callable[[], None]] = field(default_factory=list)  # closes each of its consoles


class Sessions:
    """Logins by the digest of what the cookie holds: neither a look-up's time nor a dump of these tells a cookie."""

    def __init__(self, clock: Callable[[], float], *, idle: float, longest: float) -> None:
        self._clock, self._idle, self._longest = clock, idle, longest
        self._known: dict[bytes, Session] = {}

    def open(self, token: Secret, *, read_only: bool) -> str:
        """Log in; returns what the cookie is to hold."""
        self.sweep()
        while len(self._known) >= _MOST_SESSIONS:
            self._end(min(self._known, key=lambda key: self._known[key].used))
        now, cookie = self._clock(), secrets.token_urlsafe(_ID_BYTES)
        self._known[_digest(cookie)] = Session(token, read_only, now + self._longest, now)
        return cookie

    def find(self, cookie: str | None) -> Session | None:
        """The login of a cookie, unless it is over; looking for it uses it."""
        self.sweep()
        session = self._known.get(_digest(cookie or ""))
        if session is not None:
            session.used = self._clock()
        return session

    def close(self, cookie: str | None) -> None:
        """Log out; its consoles are closed."""
        self._end(_digest(cookie or ""))

    def sweep(self) -> None:
        """End what is over: unused for too long without a console, or too old."""
        now = self._clock()
        over = [
            key
            for key, session in self._known.items()
            if now >= session.until or (not session.open and now - session.used >= self._idle)
        ]
        for key in over:
            self._end(key)

    def end_all(self) -> None:
        for key in tuple(self._known):
            self._end(key)

    @property
    def visitors(self) -> int:
        return sum(session.open for session in self._known.values())

    def _end(self, key: bytes) -> None:
        session = self._known.pop(key, None)
        for end in tuple(session.ends) if session is not None else ():
            end()


class Throttle:
    """Failed logins in the last minute: for an address, and for all of them together."""

    def __init__(self, clock: Callable[[], float], *, each: int, together: int, width: float = 60.0) -> None:
        self._clock, self._each, self._together, self._width = clock, each, together, width
        self._all: deque[float] = deque()
        self._by: dict[str, deque[float]] = {}

    def wait(self, address: str) -> float:
        """Seconds until this address may try again; 0 when it may now."""
        now = self._clock()
        waits = [self._left(self._all, self._together, now)]
        if (own := self._by.get(address)) is not None:
            waits.append(self._left(own, self._each, now))
        return max(waits)

    def failed(self, address: str) -> None:
        now = self._clock()
        if len(self._by) >= _MOST_ADDRESSES:
            self._by = {one: tries for one, tries in self._by.items() if tries and now - tries[-1] < self._width}
        self._all.append(now)
        self._by.setdefault(address, deque()).append(now)

    def forgive(self, address: str) -> None:
        """The last try of this address was no wrong one."""
        for tries in (self._all, self._by.get(address)):
            if tries:
                tries.pop()

    def _left(self, tries: deque[float], most: int, now: float) -> float:
        while tries and now - tries[0] >= self._width:
            tries.popleft()
        return tries[-most] + self._width - now if len(tries) >= most else 0.0


def _digest(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode(errors="surrogateescape")).digest()
