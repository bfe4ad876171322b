"""Copies an engine's events onto a tape, from its log: complete, in order, and across lost links.

Asking the log rather than listening costs one question a second, misses nothing however fast events come, and goes on
after a lost link or a restart where it was. A past hour is copied by the same questions.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.kernel.errors import CommandRefused, EngineUnavailable
from engine.surface.queries import EventHistory, KeptSnapshots, ListDeliveries, Page, SnapshotAt
from engine.surface.rows import DeliveryRow, EventRow
from engine.surface.snapshot import Snapshot
from screens.recording.beside import Ask, Beside
from screens.recording.tape import Tape, seq_of

_LAST = (1 << 63) - 1
_PAGE = 1_000  # events a question
_TEXTS_A_TURN = 20  # questions for texts
_TEXTS_WAITING = 2_000  # messages whose texts are still to be asked for; more are left out
_WRITTEN = frozenset({"drafted", "approved", "queued", "sent"})  # states that come with a text


class Recorder:
    """`begin` once, then `turn` about each second, then `end`. What goes wrong with the link is in `note`."""

    def __init__(self, ask: Ask, tape: Tape) -> None:
        self._ask, self.tape, self._beside = ask, tape, Beside(ask, tape)
        self._epoch, self._seq, self._kept = "", 0, 0  # how far the tape goes, and the newest snapshot on it
        self._first = 0  # where it began
        self._unread: dict[tuple[str, str], None] = {}  # campaign and fan of messages whose text is to be asked for
        self.note = ""

    @property
    def going(self) -> bool:
        return not self.tape.full

    async def begin(self, at: int | None = None, *, now: int) -> None:
        """Put the snapshot of a moment first: of the past, or of now. Raises CommandRefused for one not kept."""
        snapshot = await self._snapshot(SnapshotAt(at=at))
        self._stand(snapshot)
        self.tape.begin(snapshot, now if at is None else max(at, snapshot.at))
        await self._beside.begin(snapshot, past=at is not None)

    async def begin_with_the_log(self) -> int | None:
        """Put the oldest snapshot first that the engine kept; gives its instant, or None where it kept none."""
        oldest: Page[Snapshot] = await self._ask(KeptSnapshots(after=-1, to=_LAST, limit=1))
        if not oldest.rows:
            return None
        self._stand(oldest.rows[0])
        self.tape.begin(oldest.rows[0], oldest.rows[0].at)
        await self._beside.begin(oldest.rows[0], past=True)
        return oldest.rows[0].at

    async def turn(self, now: int) -> None:
        """Copy what happened since. A lost link is no error: the next turn goes on from there."""
        try:
            await self.copy(None, now)
            await self._copy_texts()
            await self._beside.turn()
            self.note = ""
        except EngineUnavailable as error:
            self.note = error.message
        self.tape.flush(now)

    async def copy(self, to: int | None, now: int, told: Callable[[int], None] | None = None) -> None:
        """Copy everything up to an instant; `told` hears the instant of the last event, page by page."""
        cursor = ""
        while self.going:
            question = EventHistory(after=self._seq, to=to, limit=_PAGE, cursor=cursor)
            try:
                page = await self._ask(question)
            except CommandRefused:
                if to is not None:
                    raise
                await self._restart(now)  # what comes next is not kept any more
                return
            if page.as_of.rpartition(":")[0] not in ("", self._epoch):
                await self._restart(now)
                return
            await self._put(page.rows, now)
            if told is not None and page.rows:
                told(page.rows[-1].at)
            if page.next is None:
                return
            cursor = page.next

    async def copy_beside(self, from_: int, to: int) -> None:
        """Copy what of a past hour is no event, as far as the engine still has it."""
        run = (await self._snapshot(SnapshotAt())).engine.started_at
        await self._beside.past(self._first, self._seq, from_, to, run)

    def end(self, now: int | None) -> None:
        self.tape.close(now)

    async def _put(self, rows: tuple[EventRow, ...], now: int) -> None:
        if not rows:
            return
        self.tape.add(rows)
        self._seq = seq_of(rows[-1])
        if self.tape.with_text:
            self._note_texts(rows)
        starts = [row for row in rows if row.kind == "EngineStarted"]
        if starts:
            self._beside.started(starts[-1].at)
        after: int | None = self._kept - bool(starts)  # a start's snapshot may be of the same event
        while after is not None:
            kept = await self._ask(KeptSnapshots(after=after, to=self._seq))
            for snapshot in kept.rows:
                self.tape.keyframe(snapshot, snapshot.at)
                self._kept = snapshot.seq
            after = int(kept.next) if kept.next else None
        if self.tape.rolls_now:
            snapshot = await self._snapshot(SnapshotAt(seq=self._seq))
            self._stand(snapshot)
            self.tape.roll(snapshot, max(snapshot.at, min(now, snapshot.at)))
            await self._beside.begin(snapshot)

    async def _restart(self, now: int) -> None:
        """Go on from the present: another history began, or a part of this one is lost."""
        snapshot = await self._snapshot(SnapshotAt())
        self._stand(snapshot)
        self.tape.keyframe(snapshot, now)
        await self._beside.begin(snapshot)

    def _stand(self, snapshot: Snapshot) -> None:
        self._epoch, self._seq, self._kept = snapshot.epoch, snapshot.seq, snapshot.seq
        self._first = snapshot.seq

    async def _snapshot(self, query: SnapshotAt) -> Snapshot:
        page: Page[Snapshot] = await self._ask(query)
        return page.rows[0]

    # ── texts, where they were asked for ────────────────────────────────────────────────────────────────────────────

    def _note_texts(self, rows: tuple[EventRow, ...]) -> None:
        for row in rows:
            if row.kind == "DeliveryMoved" and row.fields.get("after") in _WRITTEN:
                self._unread[str(row.fields.get("campaign_id")), str(row.fields.get("fan_id"))] = None
        for key in list(self._unread)[:-_TEXTS_WAITING]:
            del self._unread[key]

    async def _copy_texts(self) -> None:
        found: list[DeliveryRow] = []
        for campaign_id, fan_id in list(self._unread)[:_TEXTS_A_TURN]:
            page = await self._ask(ListDeliveries(campaign_id=campaign_id, fan_id=fan_id, limit=10))
            found += [row for row in page.rows if row.text]
            del self._unread[campaign_id, fan_id]
        self.tape.texts(found)
