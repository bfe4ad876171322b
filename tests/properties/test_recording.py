"""What a recording promises: it is what was seen, wherever one stands in it, however it was cut."""

from __future__ import annotations

import asyncio
import os
import random
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.events import (
    AccountPaused,
    AlertOpened,
    CallSettled,
    EngineStarted,
    Event,
    QueueSampled,
    Recorded,
    SlotTaken,
    to_fields,
)
from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.values import SECOND
from engine.runtime import Keyframes
from engine.surface import Snapshot, fold
from engine.surface.queries import Page, Query
from engine.surface.rows import EventRow
from engine.surface.snapshot import EngineView, MoneyView
from screens.recording import Player, Recorder, Recording, RecordingError, Tape
from screens.recording.frames import EVENTS, HEADER, KEYFRAME, TICK, first_line, pack
from screens.recording.reading import _HOLD_EVERY
from tests.fakes import ManualClock
from tests.rig import Rig, rig

BEGAN = 1_790_000_000 * SECOND
FIRST = Snapshot(epoch="e", seq=40, at=BEGAN, engine=EngineView(state="running"), money=MoneyView(day_ends=2 * BEGAN))
HOSTILE = "\x1b]52;c;aGk=\x07\x1b[2J[red]boo[/] \u202e\u200b\x9b31m"


def row(recorded: Recorded) -> EventRow:
    event = recorded.event
    return EventRow(event_id=f"e:{recorded.seq}", at=event.at, kind=recorded.kind, fields=to_fields(event))


@contextmanager
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as name:
        yield Path(name)


def taped(path: Path, events: list[Event], *, every: int = 7, most_bytes: int = 4 << 20) -> list[Snapshot]:
    """A recording of events; gives the snapshot after each, the first one included."""
    tape = Tape(path, most_bytes=most_bytes)
    tape.begin(FIRST, BEGAN)
    seen = [FIRST]
    for number, event in enumerate(events, 1):
        recorded = Recorded(FIRST.seq + number, event)
        seen.append(fold(seen[-1], (recorded,)))
        tape.add([row(recorded)])
        if number % every == 0:
            tape.keyframe(seen[-1], event.at)
    tape.close(max([BEGAN, *(event.at for event in events)]) + SECOND)
    return seen


instants = st.integers(BEGAN - 100 * SECOND, BEGAN + 100 * SECOND)
an_event = st.one_of(
    st.builds(
        QueueSampled,
        at=instants,
        queue=st.sampled_from(["a", HOSTILE]),
        ready=st.integers(0, 9),
        delayed=st.just(0),
        leased=st.just(0),
        parked=st.just(0),
        dead=st.just(0),
        oldest_at=st.none() | instants,
    ),
    st.builds(SlotTaken, at=instants, account_id=st.sampled_from("ab"), slot_id=st.text(max_size=2), until=instants),
    st.builds(AccountPaused, at=instants, account_id=st.sampled_from("ab"), reason=st.text(max_size=20)),
    st.builds(
        AlertOpened,
        at=instants,
        alert_id=st.sampled_from("xyz"),
        rule=st.just("r"),
        subject=st.just(HOSTILE),
        severity=st.just("warning"),
        summary=st.text(max_size=9),
    ),
)
some_events = st.lists(an_event, max_size=40)


@settings(max_examples=40, deadline=None)
@given(some_events, st.integers(1, 50), st.randoms())
def test_every_position_gives_the_snapshot_of_then_in_any_order(
    events: list[Event], every: int, chance: random.Random
) -> None:
    with folder() as place:
        seen = taped(place / "r", events, every=every)
        with Recording(place / "r") as recording:
            order = list(range(len(seen)))
            chance.shuffle(order)

            assert [recording.snapshot(position) for position in order] == [seen[position] for position in order]
            assert recording.flaw == ""


@settings(max_examples=40, deadline=None)
@given(some_events, st.integers(-101, 101))
def test_an_instant_is_right_after_all_that_had_happened_by_then(events: list[Event], after: int) -> None:
    """An event that a clock set back dated earlier counts from the latest instant before it."""
    latest, at, happened = BEGAN, BEGAN + after * SECOND, 0
    for event in events:
        latest = max(latest, event.at)
        happened += latest <= at
    with folder() as place:
        taped(place / "r", events)
        with Recording(place / "r") as recording:
            assert recording.position(at) == happened


@settings(max_examples=40, deadline=None)
@given(some_events, st.lists(st.integers(1, 30), max_size=20), st.randoms())
def test_seeking_shows_what_playing_shows(events: list[Event], pauses: list[int], chance: random.Random) -> None:
    """Also where the clock was set back: time in a replay never goes backwards by itself."""
    with folder() as place:
        taped(place / "r", events)
        with Recording(place / "r") as recording:
            clock = [0]
            player, other = Player(recording, lambda: clock[0]), Player(recording, lambda: 0)
            player.toggle()
            for pause in pauses:
                clock[0] += pause * SECOND
                player.advance()
                other.seek(chance.randint(BEGAN - SECOND, BEGAN + 200 * SECOND))

                other.seek(player.now)

                assert (other.snapshot, other.position, other.now) == (player.snapshot, player.position, player.now)
                assert recording.at(player.position) <= player.now


@settings(max_examples=30, deadline=None)
@given(some_events, st.lists(st.sampled_from(["on", "back", "home", "end", "mark", "mark back"]), max_size=20))
def test_steps_marks_and_the_ends_stand_where_they_say(events: list[Event], moves: list[str]) -> None:
    with folder() as place:
        seen = taped(place / "r", events)
        with Recording(place / "r") as recording:
            player = Player(recording, lambda: 0)
            for move in moves:
                player.toggle()
                before = player.position
                if move in ("on", "back"):
                    player.step(1 if move == "on" else -1)
                    assert player.position == min(max(before + (1 if move == "on" else -1), 0), len(events))
                    assert not player.playing
                elif move in ("home", "end"):
                    player.seek(recording.began if move == "home" else recording.ended)
                elif player.next_mark(move == "mark"):
                    assert isinstance(events[player.position - 1], AlertOpened)
                player.pause()
                assert player.snapshot == seen[player.position]
                assert recording.began <= player.now <= recording.ended


@cache
def small() -> bytes:
    """The bytes of a short recording."""
    with folder() as place:
        events: list[Event] = [
            AccountPaused(at=BEGAN + number * SECOND, account_id="a", reason=f"{number}") for number in range(5)
        ]
        taped(place / "r", events, every=2)
        return (place / "r").read_bytes()


def test_cut_at_any_byte_it_opens_with_what_was_whole_or_says_why_not(tmp_path: Path) -> None:
    whole = small()
    path = tmp_path / "r"
    read = []
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        try:
            recording = Recording(path)
        except RecordingError:
            read.append(-1)
            continue
        read.append(recording.events)
        recording.snapshot(recording.events)
        recording.close()

    assert read == sorted(read)  # a longer piece never tells less
    assert read[0] == -1
    assert read[-1] == 5


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_file_never_shows_what_was_not_recorded(data: st.DataObject) -> None:
    whole = bytearray(small())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with folder() as place:
        (place / "r").write_bytes(whole)
        (place / "sound").write_bytes(small())
        try:
            recording = Recording(place / "r")
        except RecordingError:
            return
        with Recording(place / "sound") as sound:
            for position in range(recording.events + 1):
                assert recording.snapshot(position) == sound.snapshot(position)
            recording.close()


def header(**changes: object) -> bytes:
    return pack(HEADER, {"format": 1, "epoch": "e", "zone": "UTC", "began": BEGAN, "text": False, **changes})


SNAPSHOT = pack(KEYFRAME, {"epoch": "e", "seq": 40, "now": BEGAN}, orjson.dumps(FIRST))


def chunk(lines: list[object], **changes: object) -> bytes:
    head = {"n": len(lines), "first": 41, "ats": [BEGAN] * 3, "marks": [], **changes}
    return pack(EVENTS, head, b"\n".join(map(orjson.dumps, lines)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no recording"),
        (b"\x00" * 400, "no recording"),
        (b"HUNTAZE RECORDING 3\n" + header() + SNAPSHOT, "format 3"),
        (b"HUNTAZE RECORDING " + b"9" * 5000, "unknown|format 9"),
        (first_line(), "before its header"),
        (first_line() + SNAPSHOT, "before its header"),
        (first_line() + header(began="yesterday") + SNAPSHOT, "header makes no sense"),
        (first_line() + header(began=-5) + SNAPSHOT, "header makes no sense"),
        (first_line() + header(), "no snapshot"),
        (first_line() + header() + pack(KEYFRAME, {"epoch": "e", "seq": 40, "now": BEGAN}, b"[]"), "no snapshot"),
        (first_line() + header() + pack(KEYFRAME, {"epoch": "e", "seq": 40, "now": BEGAN}, b"{" * 9), "no snapshot"),
        (first_line() + b"H" + b"\xff" * 12 + b"x" * 64, "before its header"),
    ],
)
def test_what_is_no_recording_is_told(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "r").write_bytes(content)

    with pytest.raises(RecordingError, match=words):
        Recording(tmp_path / "r")


def test_a_body_that_unpacks_to_more_than_one_may_is_not_unpacked(tmp_path: Path) -> None:
    packing = zlib.compressobj(9)
    bomb = b"".join(packing.compress(bytes(1 << 20)) for _ in range(256)) + packing.flush()
    framed = pack(EVENTS, {"n": 1, "first": 41, "ats": [BEGAN] * 3, "marks": []})
    head = framed[13:]
    sum_ = zlib.crc32(bomb, zlib.crc32(head, zlib.crc32(EVENTS)))
    prefix = EVENTS + len(head).to_bytes(4, "little") + len(bomb).to_bytes(4, "little") + sum_.to_bytes(4, "little")
    (tmp_path / "r").write_bytes(first_line() + header() + SNAPSHOT + prefix + head + bomb)

    with Recording(tmp_path / "r") as recording:
        assert recording.snapshot(1) == FIRST
        assert "damaged" in recording.flaw


def test_a_pipe_and_a_directory_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(RecordingError, match="not a file"):
            Recording(path)
    with pytest.raises(RecordingError, match="cannot be read"):
        Recording(tmp_path / "none")


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        "x",
        {},
        {"seq": 41},
        {"seq": 42, "kind": "AccountPaused", "fields": {"at": BEGAN, "account_id": "a", "reason": ""}},
        {"seq": 41, "kind": "Unheard", "fields": {}},
        {"seq": 41, "kind": "AccountPaused", "fields": None},
        {"seq": 41, "kind": "AccountPaused", "fields": {"at": "now", "account_id": "a", "reason": ""}},
        {"seq": 41, "kind": "AccountPaused", "fields": {"at": -1, "account_id": "a", "reason": ""}},
        {"seq": 41, "kind": "AccountPaused", "fields": {"at": BEGAN, "account_id": [], "reason": ""}},
        {"seq": 41, "kind": "PeriodTurned", "fields": {"at": (1 << 63) - 1, "day": "x"}},
    ],
)
def test_an_event_that_makes_no_sense_is_passed_over(tmp_path: Path, told: object) -> None:
    (tmp_path / "r").write_bytes(first_line() + header() + SNAPSHOT + chunk([told]))

    with Recording(tmp_path / "r") as recording:
        assert recording.events == 1
        assert recording.snapshot(1).accounts == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"n": 10**9},
        {"n": 0},
        {"n": "1"},
        {"first": None},
        {"first": -1},
        {"ats": [1]},
        {"ats": [1, 2, 1 << 63]},
        {"marks": None},
    ],
)
def test_a_chunk_whose_head_makes_no_sense_is_left_out(tmp_path: Path, changes: dict[str, object]) -> None:
    (tmp_path / "r").write_bytes(first_line() + header() + SNAPSHOT + chunk([{}], **changes))

    with Recording(tmp_path / "r") as recording:
        assert recording.events == 0
        assert recording.flaw


@pytest.mark.parametrize(
    "mark", [None, [], [0, BEGAN, HOSTILE], [5, BEGAN, "alert"], ["0", BEGAN, "alert"], [0, -1, "alert"]]
)
def test_a_mark_that_makes_no_sense_is_none(tmp_path: Path, mark: object) -> None:
    (tmp_path / "r").write_bytes(first_line() + header() + SNAPSHOT + chunk([{}], marks=[mark]))

    with Recording(tmp_path / "r") as recording:
        assert recording.marks == []


def test_another_history_in_the_middle_is_shown_as_it_was(tmp_path: Path) -> None:
    other = Snapshot(epoch="f", seq=3, at=BEGAN + SECOND, engine=EngineView(node="new"))
    paused = {"at": BEGAN + SECOND, "account_id": "a", "reason": "old"}
    content = first_line() + header() + SNAPSHOT + chunk([{"seq": 41, "kind": "AccountPaused", "fields": paused}])
    content += pack(KEYFRAME, {"epoch": "f", "seq": 3, "now": BEGAN + 2 * SECOND}, orjson.dumps(other))
    paused = {"at": BEGAN + 3 * SECOND, "account_id": "b", "reason": "new"}
    content += chunk([{"seq": 4, "kind": "AccountPaused", "fields": paused}], first=4, ats=[BEGAN + 3 * SECOND] * 3)
    (tmp_path / "r").write_bytes(content + pack(TICK, {"now": BEGAN + 5 * SECOND}))

    with Recording(tmp_path / "r") as recording:
        assert [recording.snapshot(number).epoch for number in (0, 1, 2)] == ["e", "f", "f"]
        assert recording.snapshot(2).accounts.keys() == {"b"}
        assert recording.ended == BEGAN + 5 * SECOND
        player = Player(recording, lambda: 0)
        player.seek(recording.ended)
        assert [one.seq for one in player.recent(0, 10)] == [4]


def test_memory_holds_an_index_and_not_the_file(tmp_path: Path) -> None:
    events: list[Event] = [
        QueueSampled(at=BEGAN + number, queue="q", ready=number, delayed=0, leased=0, parked=0, dead=0, oldest_at=None)
        for number in range(12 * _HOLD_EVERY)
    ]
    seen = taped(tmp_path / "r", events, every=2_500)
    with Recording(tmp_path / "r") as recording:
        for position in range(0, len(seen), 97):
            assert recording.snapshot(position) == seen[position]

        assert len(recording._held_chunks) <= 8
        assert len(recording._held) <= 64


# ── over a real engine ──────────────────────────────────────────────────────────────────────────────────────────────


async def _live(one: Rig, recorder: Recorder, keyframes: Keyframes, watched: dict[int, Snapshot]) -> None:
    def note(_: object) -> None:
        watched[one.projector.snapshot.seq] = one.projector.snapshot

    one.bus.observe(note)
    await one.create(count=6)
    for _ in range(5):
        await one.write(2)
        await one.clock.advance(SECOND)
        await one.send(2)
        await keyframes.look()
        await recorder.turn(one.clock.now())
    await one.metered.drain()
    await asyncio.sleep(0)
    await recorder.turn(one.clock.now())


async def test_a_replay_gives_the_snapshots_a_running_engine_had(tmp_path: Path) -> None:
    """Across a restart too: the recorder goes on where it was, and the new run's own beginning stands in between."""
    watched: dict[int, Snapshot] = {}
    clock = ManualClock()
    tape = Tape(tmp_path / "r", most_bytes=8 << 20)
    asked: list[Rig] = []

    async def ask(query: Query) -> Page[object]:
        return await asked[-1].desk.query(query)

    recorder = Recorder(ask, tape)
    for run in range(2):
        async with rig(tmp_path, clock=clock) as one:
            asked.append(one)
            keyframes = Keyframes(one.database, lambda: one.projector.snapshot, every=9)
            await keyframes.keep(one.projector.snapshot)
            watched[one.projector.snapshot.seq] = one.projector.snapshot
            if run == 0:
                await recorder.begin(now=clock.now())
            started = EngineStarted(at=clock.now(), node="n", version="v", kind="daemon", mode="real")
            await one.database.write(lambda tx: tx.emit(started))  # noqa: B023
            await _live(one, recorder, keyframes, watched)
    recorder.end(clock.now())

    with Recording(tmp_path / "r") as recording:
        base = recording.first.seq
        assert len(watched) > 25
        for seq, snapshot in watched.items():
            assert recording.snapshot(seq - base) == snapshot
        assert recording.flaw == ""
        assert (tmp_path / "r").stat().st_mode & 0o777 == 0o600


async def test_a_past_hour_copied_from_the_log_is_what_was_seen(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        keyframes = Keyframes(one.database, lambda: one.projector.snapshot, every=11)
        await keyframes.keep(one.projector.snapshot)
        watched: dict[int, Snapshot] = {}
        live = Recorder(one.desk.query, Tape(tmp_path / "live", most_bytes=8 << 20))
        await live.begin(now=one.clock.now())
        start = one.clock.now() + SECOND
        await _live(one, live, keyframes, watched)
        end = start + 2 * SECOND
        past = Recorder(one.desk.query, Tape(tmp_path / "past", most_bytes=8 << 20))

        await past.begin(start, now=one.clock.now())
        await past.copy(end, one.clock.now())
        past.end(end)

        with Recording(tmp_path / "past") as recording:
            for seq, snapshot in watched.items():
                if start <= snapshot.at <= end and seq >= recording.first.seq:
                    assert recording.snapshot(seq - recording.first.seq) == snapshot
            assert recording.began == start
            assert recording.ended == end
            assert recording.events > 5
        live.end(None)


async def test_text_is_on_the_tape_only_where_it_was_asked_for(tmp_path: Path) -> None:
    async with rig(tmp_path) as one:
        await Keyframes(one.database, lambda: one.projector.snapshot).keep(one.projector.snapshot)
        for name, with_text in (("plain", False), ("worded", True)):
            recorder = Recorder(one.desk.query, Tape(tmp_path / name, most_bytes=8 << 20, with_text=with_text))
            await recorder.begin(now=one.clock.now())
            await one.create(count=2, template=f"A secret for {{{{name}}}} {name}")
            while await one.write():
                await recorder.turn(one.clock.now())
            await recorder.turn(one.clock.now())
            recorder.end(one.clock.now())

        plain, worded = Recording(tmp_path / "plain"), Recording(tmp_path / "worded")

        assert plain.texts() == {}
        assert {row.text for row in worded.texts().values()} == {
            "A secret for Zoë 0 worded",
            "A secret for Zoë 1 worded",
        }
        told = b"".join(b"\n".join(plain._lines(chunk.frame)) for chunk in plain._chunks)
        assert b"DeliveryMoved" in told
        assert b"secret" not in told
        plain.close()
        worded.close()


def _many(count: int) -> list[Event]:
    chance = random.Random(3)
    return [
        CallSettled(
            at=BEGAN + number * SECOND,
            attempt_id=chance.randbytes(20).hex(),
            provider="one",
            model="m",
            tool="message",
            campaign_id="",
            account_id="",
            tenant_id="",
            user_id="",
            trace_id=chance.randbytes(20).hex(),
            outcome="ok",
            basis="measured",
            cost=5,
            input_tokens=1,
            cached_tokens=0,
            output_tokens=1,
            reasoning_tokens=0,
            duration=1,
        )
        for number in range(count)
    ]


def test_a_full_tape_takes_no_more_and_says_so(tmp_path: Path) -> None:
    tape = Tape(tmp_path / "r", most_bytes=1 << 20)
    tape.begin(FIRST, BEGAN)
    for number, event in enumerate(_many(20_000), 41):
        tape.add([row(Recorded(number, event))])
    tape.close(BEGAN)

    assert tape.full
    assert (tmp_path / "r").stat().st_size <= 1 << 20
    with Recording(tmp_path / "r") as recording:
        assert recording.events == tape.events > 1_000
        assert recording.flaw == ""


async def test_a_rolling_tape_keeps_the_newest_within_its_bound(tmp_path: Path) -> None:
    events = _many(25_000)
    snapshots = {FIRST.seq: FIRST}

    async def ask(query: Query) -> Page[object]:
        match type(query).__name__:
            case "CostBreakdown" | "ListBudgets" | "ListLogs":
                raise CommandRefused(Refusal.INVALID, "an engine of an older kind")
            case "EventHistory":
                after = query.after if not query.cursor else int(query.cursor)  # type: ignore[attr-defined]
                rows = [row(Recorded(seq, events[seq - 41])) for seq in range(after + 1, min(after + 1_001, 25_041))]
                return Page(tuple(rows), str(after + 1_000) if after + 1_000 < 25_040 else None, "e:0")
            case "KeptSnapshots":
                return Page(())
        seq = query.seq or FIRST.seq  # type: ignore[attr-defined]
        newest = max(snapshots)
        found = fold(snapshots[newest], [Recorded(n, events[n - 41]) for n in range(newest + 1, seq + 1)])
        snapshots[seq] = found
        return Page((found,))

    recorder = Recorder(ask, Tape(tmp_path / "r", most_bytes=1 << 20, rolls=True))
    await recorder.begin(now=BEGAN)
    await recorder.turn(BEGAN)
    recorder.end(None)

    sizes = [(tmp_path / name).stat().st_size for name in ("r", "r.1")]
    assert sum(sizes) <= 1 << 20
    with Recording(tmp_path / "r") as newest, Recording(tmp_path / "r.1") as older:
        assert newest.snapshot(newest.events) == fold(FIRST, [Recorded(n, e) for n, e in enumerate(events, 41)])
        assert older.snapshot(older.events) == newest.first
    (tmp_path / "r").unlink()
    with pytest.raises(RecordingError, match=r"r\.1 exists"):
        Tape(tmp_path / "r", most_bytes=1, rolls=True)
