"""An engine in another process: its snapshot, and what changes in it, read on a thread of its own.

The parsing runs beside the screens, so a burst or a slow link never delays a key. A link that died without a word is
noticed by the heartbeats that fail to come. Whoever comes back names the last event that was seen and is told what
happened since. An engine of before the stream of changes is followed event by event.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from engine.events import Recorded, from_fields
from engine.kernel.backoff import Backoff
from engine.kernel.errors import CommandRefused, EngineUnavailable, HuntazeError, Refusal
from engine.kernel.secret import Secret
from engine.kernel.text import clean
from engine.kernel.values import SECOND, Instant, Random, seconds
from engine.surface import wire
from engine.surface.commands import Command, Done
from engine.surface.decoding import decode
from engine.surface.delta import patched
from engine.surface.projection import apply
from engine.surface.snapshot import Snapshot
from screens.source import Link
from screens.sources.crossing import aside
from screens.sources.line import BROKEN, Address, Headers, Line, Message, NotReached, Stream, WrongToken

if TYPE_CHECKING:
    from engine.surface.queries import Page, Query

_KEPT = 1_000  # events
_SILENT = 0.7  # seconds without a word before the link counts as lost; heartbeats come every quarter of one
_OLD_SILENT = 20.0  # seconds; an engine without the stream of changes sends its heartbeats every 15 s
_FETCH_AGAIN = 2.0  # seconds at least between two whole snapshots of such an engine
_LONGEST_VERSION = 40  # characters
_LONGEST_REASON = 200  # characters
_FRESH_START = 0.1  # seconds before what could not be caught up is fetched again
_LEAVE_WITHIN = 1.0  # seconds that the thread has to end


class Incompatible(EngineUnavailable):
    """The engine speaks another language than this console."""


class RemoteSource:
    """`start` connects and goes on trying, `close` ends it."""

    def __init__(
        self,
        address: Address,
        token: Secret,
        *,
        chance: Random,
        version: str = "",
        read_only: bool = False,
        silence: float = _SILENT,
        patience: float = 5.0,
    ) -> None:
        """`version` is this console's own, for the words about engines it does not get on with. After `silence`
        seconds without a word the link counts as lost, after `patience` another connection is tried.
        """
        self._line, self._chance, self._version = Line(address, token), chance, version
        self._silent, self._patience = silence, patience
        self._backoff = Backoff(base=SECOND // 4, ceiling=3 * SECOND)
        self._snapshot = Snapshot()
        self._recent: tuple[Recorded, ...] = ()  # this and what follows is replaced as a whole: any thread may read it
        self._anchor = (time.monotonic_ns(), 0)  # here, there
        self._state = (False, 0, "connecting", read_only)  # up, since, note, read-only
        self._heard = time.monotonic_ns()
        self._silence = round(self._silent * SECOND)
        self._engine_version = ""
        self._stream: Stream | None = None
        self._closing, self._decided = threading.Event(), threading.Event()
        self._failure: HuntazeError | None = None
        self._thread = threading.Thread(target=self._run, name="remote-source", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def first(self, wait: float) -> HuntazeError | None:
        """What the first try came to, as far as is known after `wait` seconds: None also while it goes on."""
        self._decided.wait(wait)
        return None if self._snapshot.epoch else self._failure

    def close(self) -> None:
        """End the thread; a connection that hangs is left to die with the process."""
        self._closing.set()
        if (stream := self._stream) is not None:
            stream.close()
        if self._thread.is_alive():
            self._thread.join(timeout=_LEAVE_WITHIN)

    # ── what the console asks ───────────────────────────────────────────────────────────────────────────────────────

    def snapshot(self) -> Snapshot:
        return self._snapshot

    def link(self) -> Link:
        up, since, note, read_only = self._state
        silent = time.monotonic_ns() - self._heard
        if up and silent > self._silence:
            up, note = False, "no word from the engine"
            since = max(0, self._now() - round(silent * self._snapshot.engine.speed))
        return Link(
            attached=True, up=up, since=Instant(since), now=Instant(self._now()), note=note, read_only=read_only
        )

    async def query(self, query: Query) -> Page[Any]:
        data = await aside(lambda: self._ask("query", wire.dump_query(query), query))
        try:
            return wire.load_page(query, data)
        except (ValueError, TypeError) as error:
            raise self._unreadable() from error

    async def submit(self, command: Command) -> Done:
        data = await aside(lambda: self._ask("command", wire.dump_command(command), command))
        with suppress(ValueError, TypeError):
            return wire.load_done(data)
        return Done("Done")  # it was carried out, whatever the words were

    def recent(self, after: int) -> Sequence[Recorded]:
        return tuple(one for one in self._recent if one.seq > after)

    def _ask(self, what: str, body: bytes, asked: Query | Command) -> bytes:
        """On a thread of its own."""
        try:
            headers, data = self._line.ask("POST", f"/api/v2/{what}", body)
        except CommandRefused as refused:
            if _not_known(refused, what, asked):
                raise self._too_old() from refused
            raise
        except NotReached as error:
            raise EngineUnavailable(error.message, remedy="Nothing was changed") from error
        except BROKEN as error:
            remedy = "It may have arrived: look before asking again" if what == "command" else "It is tried again"
            raise EngineUnavailable("The link broke before the answer came", remedy=remedy) from error
        self._read(headers)
        return data

    def _too_old(self) -> CommandRefused:
        version = self._engine_version or self._snapshot.engine.version
        remedy = "Update the engine, or leave this to a console of its version"
        return CommandRefused(Refusal.UNAVAILABLE, f"This engine ({version}) does not know that", remedy=remedy)

    def _unreadable(self) -> EngineUnavailable:
        words = f"The engine ({self._engine_version or 'of another version'}) answered what cannot be read"
        return EngineUnavailable(words, remedy=f"Update this console ({self._version}) or the engine")

    # ── the thread ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        """Follow, and follow again, with growing pauses after a failure."""
        failures = 0
        while not self._closing.is_set():
            try:
                self._follow()
                failures = 0
                self._closing.wait(_FRESH_START)
            except (*BROKEN, HuntazeError, ValueError) as error:
                failures = 1 if self._state[0] else failures + 1
                self._lost(error)
                self._closing.wait(seconds(self._backoff.wait(failures, self._chance)))

    def _follow(self) -> None:
        """Return when a fresh start is needed; raise when the link breaks. What was seen last is told."""
        seen = {"Last-Event-ID": self._snapshot.event_id} if self._snapshot.epoch else {}
        try:
            stream = self._line.open("/api/v2/watch", seen, silence=self._patience)
        except CommandRefused as refused:
            if refused.reason is not Refusal.NOT_FOUND:
                raise
            self._follow_events()
            return
        self._silence = round(self._silent * SECOND)
        with self._reading(stream):
            self._take_all(stream)

    @contextmanager
    def _reading(self, stream: Stream) -> Iterator[None]:
        """A stream while it is read: `close` finds it, and its socket is given back. Raises Incompatible."""
        try:
            self._stream = stream
            if self._closing.is_set():
                stream.close()
            self._check(stream.headers)
            yield
        finally:
            self._stream = None
            stream.release()

    def _take_all(self, stream: Iterable[Message]) -> None:
        for message in stream:
            self._heard = time.monotonic_ns()
            if message.event == "snapshot":
                self._begin(_object(message.data))
            elif message.event == "end":
                raise EngineUnavailable(clean(str(_object(message.data).get("reason")), limit=_LONGEST_REASON))
            elif message.event == "change" and not self._change(_object(message.data)):
                return
        raise EngineUnavailable("the engine closed the link")

    def _begin(self, data: Mapping[str, Any]) -> None:
        """Take the whole over. Events seen before stay, if they are of the same history."""
        try:
            found = decode(Snapshot, data.get("snapshot"))
        except (ValueError, TypeError) as error:
            raise self._unreadable() from error
        if found.epoch != self._snapshot.epoch or found.seq < self._snapshot.seq:
            self._recent = ()
        self._snapshot = found
        self._up(data.get("now"))

    def _change(self, data: Mapping[str, Any]) -> bool:
        """Take a change over. False when it is not of what is held here."""
        if data.get("after") != self._snapshot.seq:
            return False
        try:
            self._snapshot = patched(self._snapshot, data.get("patch") or {})
            self._keep(data.get("events") or ())
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._unreadable() from error
        self._up(data.get("now"))
        return True

    def _keep(self, told: Iterable[Mapping[str, Any]]) -> None:
        newest = self._recent[-1].seq if self._recent else 0
        read = ((one["seq"], from_fields(one["kind"], one["fields"])) for one in told)
        fresh = [Recorded(seq, event) for seq, event in read if event is not None and seq > newest]
        self._recent = (*self._recent, *fresh)[-_KEPT:]

    # ── an engine without the stream of changes ─────────────────────────────────────────────────────────────────────

    def _follow_events(self) -> None:
        """As `_follow`, event by event. What a kind that is not known here changed comes with another snapshot."""
        fetched = time.monotonic()
        if not self._snapshot.epoch:
            self._fetch()
        self._silence = round(_OLD_SILENT * SECOND)
        seen = {"Last-Event-ID": self._snapshot.event_id}
        stream, behind = self._line.open("/api/v2/events", seen, silence=_OLD_SILENT), False
        with self._reading(stream):
            self._up(None)
            for message in stream:
                self._heard = time.monotonic_ns()
                if message.event == "reset" or not (known := self._take(message)):
                    if message.event == "reset" or known is None:
                        self._snapshot = replace(self._snapshot, epoch="")
                        return
                    behind = True
                if behind and time.monotonic() > fetched + _FETCH_AGAIN:
                    self._fetch()
                    fetched, behind = time.monotonic(), False
        raise EngineUnavailable("the engine closed the link")

    def _fetch(self) -> None:
        headers, data = self._line.ask("GET", "/api/v2/snapshot")
        self._check(headers)
        self._begin({"snapshot": _object(data)})
        self._read(headers)

    def _take(self, message: Message) -> bool | None:
        """Apply one event. False for a kind that is not known here, None when it belongs to another history."""
        if not message.event:
            return True
        epoch, _, seq = message.id.rpartition(":")
        if epoch != self._snapshot.epoch or not seq.isdigit():
            return None
        try:
            recorded = wire.load_event(message.data)
        except (ValueError, TypeError, KeyError) as error:
            raise self._unreadable() from error
        if recorded is None:
            self._snapshot = replace(self._snapshot, seq=max(self._snapshot.seq, int(seq)))
            return False
        self._snapshot = apply(self._snapshot, recorded)
        self._recent = (*self._recent, recorded)[-_KEPT:]
        return True

    # ── how the link stands ─────────────────────────────────────────────────────────────────────────────────────────

    def _check(self, headers: Headers) -> None:
        """Raises Incompatible for an engine that this console would misread, or be misread by."""
        self._read(headers)
        spoken = wire.level_of(headers.get(wire.WIRE_HEADER))
        if spoken[0] == wire.LEVEL[0]:
            return
        theirs, ours = (".".join(map(str, level)) for level in (spoken, wire.LEVEL))
        version = self._engine_version or "another version"
        raise Incompatible(
            f"the engine is {version} and speaks {theirs}; this console ({self._version}) speaks {ours}",
            remedy=f"Install huntaze-console {version} here, or run huntaze on the engine's own host",
        )

    def _read(self, headers: Headers) -> None:
        """What any answer tells: the engine's time and version, and what the token may do."""
        if (now := headers.get(wire.NOW_HEADER) or "").isdigit():
            self._anchor = (time.monotonic_ns(), int(now))
        self._engine_version = (
            clean(headers.get(wire.VERSION_HEADER) or "", limit=_LONGEST_VERSION) or self._engine_version
        )
        up, since, note, _ = self._state
        if found := headers.get(wire.READ_ONLY_HEADER):
            self._state = (up, since, note, found == "true")

    def _up(self, now: Any) -> None:
        if isinstance(now, int):
            self._anchor = (time.monotonic_ns(), now)
        up, since, _, read_only = self._state
        self._state = (True, since if up else self._now(), "", read_only)
        self._heard = time.monotonic_ns()
        self._decided.set()

    def _lost(self, error: Exception) -> None:
        up, since, _, read_only = self._state
        self._state = (False, self._now() if up or not since else since, _why(error), read_only)
        self._failure = error if isinstance(error, HuntazeError) else EngineUnavailable(_why(error))
        self._decided.set()

    def _now(self) -> int:
        """The engine's clock, carried on by this machine's at the engine's speed; never behind its newest event."""
        here, there = self._anchor
        if not there:
            return self._snapshot.at
        reckoned = there + round((time.monotonic_ns() - here) * self._snapshot.engine.speed)
        return max(reckoned, self._snapshot.at)


def _object(data: bytes) -> Mapping[str, Any]:
    found = orjson.loads(data)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def _not_known(refused: CommandRefused, what: str, asked: Query | Command) -> bool:
    """Whether an engine refused because it never heard of the command, or of a part of it."""
    if refused.reason is not Refusal.INVALID or not refused.field:
        return False
    if refused.field == what:
        return "must be one of" in refused.message
    return refused.message == f"{type(asked).__name__} has no {refused.field}"


def _why(error: Exception) -> str:
    if isinstance(error, HuntazeError):
        return str(error) if isinstance(error, (WrongToken, Incompatible)) else error.args[0]
    if isinstance(error, TimeoutError):
        return "the engine fell silent"
    return "what the engine sends cannot be read" if isinstance(error, ValueError) else "the link broke"
