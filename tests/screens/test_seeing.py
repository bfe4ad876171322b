"""What an operator reads: courses, the stream of events, a call's attempts, slots; what each says when it cannot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine import events
from engine.events import Recorded
from engine.kernel.values import HOUR, MINUTE, SECOND, Instant
from engine.surface.queries import CostHistory, GetTrace, ListEvents, MonitorHistory, QueueHistory
from engine.surface.snapshot import AccountView
from screens.stream import KEPT
from tests.screens.harness import Console, console
from tests.screens.scripted import NOW, ScriptedSource, attempts, calls


def happen(source: ScriptedSource, count: int, *, gap: int = 0, word: str = "live") -> None:
    """New events, after a gap that nobody saw."""
    seq = source.shown.seq + gap
    fresh = tuple(
        Recorded(seq + at + 1, events.AccountPaused(at=NOW, account_id=f"{word}{at}", reason="x"))
        for at in range(count)
    )
    source.events = (*source.events, *fresh)[-1_000:]
    source.shown = replace(source.shown, seq=seq + count)


def bottom(running: Console) -> str:
    """The lowest line of the table."""
    return next(line for line in reversed(running.lines()[:-2]) if line.strip())


# ── the stream ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_newest_event_stands_at_the_bottom_and_is_followed() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("8")
        happen(source, 60)
        await running.settle()

        assert "account live59 paused" in bottom(running)
        assert "live, newest at the bottom" in running.lines()[1]


async def test_a_cursor_further_up_stays_where_it_is() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("8", "up", "up")
        before = bottom(running)
        chosen = running.app.screen.row.text  # type: ignore[attr-defined]
        happen(source, 60)
        await running.settle()

        assert running.app.screen.row.text == chosen  # type: ignore[attr-defined]
        assert "62 events below the cursor" in running.lines()[1]
        await running.press("end")
        assert bottom(running) != before


async def test_a_pause_holds_back_what_comes_and_counts_it() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("8", "p")
        still = running.lines()[4:-2]
        happen(source, 12)
        await running.settle()

        assert running.lines()[4:-2] == still
        assert "paused, 12 events held back" in running.lines()[1]
        assert running.keys["p"] == "go on"
        await running.press("p")
        assert "account live11 paused" in bottom(running)


async def test_a_frozen_console_holds_the_stream_as_well() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("8", "space")
        happen(source, 5)
        await running.settle()
        assert "live4" not in running.text()

        await running.press("space")

        assert "account live4 paused" in bottom(running)


async def test_events_that_came_too_fast_are_counted_and_the_buffer_ends() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("8")
        for _ in range(4):
            happen(source, 900, gap=7)
            await running.settle()

        assert "28 events came too fast to be shown" in running.lines()[1]
        assert f"{KEPT:,} kept" in running.lines()[1]
        assert len(running.app.screen.table.rows) == KEPT  # type: ignore[attr-defined]


async def test_the_stream_is_narrowed_by_what_matters_and_by_what_it_is_about() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("8", "v", "v")  # warnings and worse, then only what is bad
        assert "breaker open" in running.text()
        assert "timeout" not in running.text().split("what happened")[1]
        await running.press("v", "b", "b")  # everything, about calls, then about money
        assert "nothing of this kind happened lately" in running.text()
        await running.press("b")

        assert running.lines()[0].startswith(" HUNTAZE events › providers")
        assert "breaker open" in running.text()


async def test_what_the_log_knows_of_before_comes_first() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("8", "home")

        assert ListEvents(limit=500) in source.asked
        assert running.app.screen.row.recorded.seq == 4_100  # type: ignore[attr-defined]


async def test_another_history_begins_anew() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("8")
        source.events = (Recorded(1, events.SendingHalted(at=NOW, actor="mia")),)
        source.shown = replace(source.shown, epoch="e2", seq=1)
        await running.settle()

        assert [row.recorded.seq for row in running.app.screen.table.rows] == [1]  # type: ignore[attr-defined]


async def test_one_event_is_shown_in_full_and_cannot_reach_the_terminal() -> None:
    source = ScriptedSource()
    hostile = events.AccountPaused(
        at=NOW, account_id="\x1b]52;c;eA==\x07anna", reason="[red]no[/red]\u202e\n" + "x" * 9_000
    )
    source.events = (Recorded(4_183, hostile),)
    source.shown = replace(source.shown, seq=4_183)
    async with console(source, size=(80, 24)) as running:
        await running.press("8", "end", "enter")

        assert "account paused" in running.lines()[0]
        text = running.text()
        assert '"kind": "AccountPaused"' in text
        assert "[red]no[/red]" in text
        assert "\x1b" not in text
        assert "\u202e" not in text


# ── courses ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_costs_turn_from_a_minute_to_a_month_and_say_since_when() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("2")
        assert "of $50, 37 % today" in running.lines()[1]
        assert "┤" in running.text()
        await running.press("T", "T", "T", "T")
        assert "the last 1 m, since 14:31" in running.lines()[1]
        await running.press("T")
        assert "$18.42 of $1,000, 1.8 % this month" in running.lines()[1]

    asked = [query.span for query in source.asked if isinstance(query, CostHistory) and query.from_ is None]
    assert asked[-1] == MINUTE


async def test_a_providers_spend_is_drawn_against_its_own_budget() -> None:
    async with console() as running:
        await running.press("2", "b", "down", "down", "t", "t", "t", "t")

        row = next(line for line in running.lines() if line.startswith("▌anthropic"))
        assert "100 % of $300/month" in row
        assert "$300/month" in running.text().split(row)[1]


async def test_a_wide_terminal_stands_everything_beside_the_selection() -> None:
    async with console(size=(200, 60)) as running:
        await running.press("2", "down")

        assert "openai gpt-4o-mini" in running.text()
        assert "everything  " in running.text()


async def test_times_of_a_name_are_drawn_over_the_span_that_is_asked_for() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("3", "t", "t")

        assert "the last 6 h" in running.text()
        assert "p95 in" in running.text()
    assert MonitorHistory(kind="tool", span=6 * HOUR) in source.asked


async def test_a_queue_tells_its_priorities_and_its_course() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("4", "down", "down", "T")

        text = running.text()
        assert "normal          300       30        8     38 m" in text
        assert "ready, at most 540" in text
        assert "longest wait, at most 36 m" in text
    assert QueueHistory(span=15 * MINUTE) in source.asked


@pytest.mark.parametrize("place", ["2", "3", "4"])
async def test_a_course_that_cannot_be_read_leaves_the_rest_standing(place: str) -> None:
    async with console("failing") as running:
        await running.press(place)

        assert "the database did not answer" in running.text()
        assert running.lines()[0].startswith(" HUNTAZE")


@pytest.mark.parametrize("size", [(80, 24), (60, 16), (40, 10), (20, 5)])
@pytest.mark.parametrize("place", ["2", "3", "4", "5", "8"])
async def test_no_line_is_wider_than_the_terminal(place: str, size: tuple[int, int]) -> None:
    async with console("huge", size=size) as running:
        await running.press(place)

        assert all(len(line) <= size[0] for line in running.lines())


# ── one call, providers, slots ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_call_opens_with_every_attempt_of_its_task() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await running.press("2", "enter", "enter")

        text = running.text()
        assert "4 attempts, $0.0036 together · answered by openai gpt-4o-mini after 12 s" in text
        assert "1 under way, at most $0.009 more" in text
        rows = [line for line in running.lines() if line.startswith((" 14:3", "▌14:3"))]
        steps = ("first", "again", "fallback", "fallback")
        assert all(step in row for step, row in zip(steps, rows, strict=True))
        await running.press("down", "down", "down")
        assert "campaign:cmp_1 t" in running.text()
        assert "held: the most it may come to" in running.text()
    assert GetTrace(trace_id="trc_0", at=NOW) in source.asked


async def test_a_call_without_a_trace_stands_for_itself() -> None:
    source = ScriptedSource()
    from engine.surface.queries import ListCalls

    source.rows[ListCalls] = lambda query: [replace(calls(query)[0], trace_id="")]
    async with console(source) as running:
        await running.press("2", "enter", "enter")

        assert "1 attempt, " in running.text()
        assert "i" not in running.keys
    assert not any(isinstance(query, GetTrace) for query in source.asked)


async def test_a_task_that_is_over_is_read_once() -> None:
    source = ScriptedSource()
    over = [replace(row, ended_at=row.began_at + SECOND) for row in attempts(GetTrace(trace_id="t"))]
    source.rows[GetTrace] = lambda query: over
    async with console(source) as running:
        await running.press("2", "enter", "end", "enter")
        source.linked = replace(source.linked, now=Instant(NOW + HOUR))
        for _ in range(3):
            source.become()
            await running.settle()

    assert sum(isinstance(query, GetTrace) for query in source.asked) == 1


async def test_a_provider_opens_into_its_models() -> None:
    async with console() as running:
        await running.press("3", "v")
        assert "1 of 1 model: gpt-4-tur" in running.text()
        await running.press("down", "enter")

        assert running.lines()[0].startswith(" HUNTAZE providers › openai")
        assert "gpt-4o-mini" in running.text()
        assert "v" not in running.keys
        await running.press("enter")
        assert "calls" in running.lines()[0]


async def test_a_breakers_reason_stands_in_its_row() -> None:
    async with console(size=(200, 60)) as running:
        await running.press("3")

        row = next(line for line in running.lines() if "✖ open" in line)
        assert "52 % of 100 calls" in row


async def test_each_taken_slot_says_when_it_returns_and_campaigns_when_they_end() -> None:
    async with console() as running:
        await running.press("5", "down", "down")

        text = running.text()
        assert "●  ●  ●  ●  ●  ●  ●  ○ 18 s  ○ 27 s  ○ 36 s" in text
        assert "7 free, ○ taken · next at 14:32:23, all at 14:32:41 · 10 in any 1 m" in text
        assert "580 messages wait: 58 m at 10 a minute" in text
        assert "3 uncertain · ends 15:29" in text
        assert "17 of 30 slots free · 1 paused" in running.lines()[1]


async def test_a_slot_of_a_send_under_way_promises_no_time_longer_than_its_window() -> None:
    source = ScriptedSource()
    held = AccountView(account_id="acc_anna", name="anna", slots={"s": NOW + 100 * SECOND})
    source.become(accounts={"acc_anna": held})
    async with console(source) as running:
        assert "9 free  next: sending" in running.text()
        await running.press("5")

        assert "○ sending" in running.text()
        assert "2 m" not in "\n".join(running.lines()[2:6])
