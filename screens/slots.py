"""One account's slots, each with the time it returns, and when its campaigns will be through at that pace. Pure."""

from __future__ import annotations

from engine.kernel.values import MINUTE
from engine.surface.snapshot import AccountView, CampaignView
from screens.drawing import BLANK, Line, Span, cell, cut, gauge, state
from screens.facts import campaign_progress, campaign_rank, campaign_word, finishes_at
from screens.formatting import age, clean, clock_exact, count, count_short, moment, percent
from screens.view import View

_UP = 999_999_999  # nanoseconds; a slot is never promised earlier than it comes
_MOST_LINES = 4
_CAMPAIGNS = 4  # of an account shown at most
_SHOWN = frozenset({"running", "paused", "scheduled", "awaiting_approval"})


def under_way(row: AccountView, until: int, now: int) -> bool:
    """Is the slot that is held until then one of a send whose outcome is not known yet?

    It is held for the longest that a send may take and a window behind it, and mostly comes back sooner.
    """
    return until - now > row.window


def slot_lines(row: AccountView, view: View, width: int) -> list[Line]:
    """A mark a slot: free ones first, then each that is taken with the seconds until it returns."""
    taken = sorted(until for until in row.slots.values() if until > view.now)
    free = row.free(view.now)
    marks: list[Span] = [("●", "ok")] * free + [
        (
            "○ sending" if under_way(row, until, view.now) else f"○ {age(until - view.now + _UP)}",
            "plain" if at else "accent",
        )
        for at, until in enumerate(taken)
    ]
    lines, line, room = [], [("  ", "plain")], width - 4
    for text, tone in marks:
        if room < len(text) + 2:
            lines.append(tuple(line))
            line, room = [("  ", "plain")], width - 4
        line += [(text, tone), ("  ", "plain")]
        room -= len(text) + 2
    lines.append(tuple(line))
    return [*lines[:_MOST_LINES], _words(free, taken, row, view, width)]


def _words(free: int, taken: list[int], row: AccountView, view: View, width: int) -> Line:
    pace = f"{count(row.allowed(view.now))} in any {age(row.window)}"
    if not taken:
        return cut(((f"  every slot is free · {pace}", "dim"),), width)
    first, last = clock_exact(taken[0], view.zone), clock_exact(taken[-1], view.zone)
    return cut(((f"  ● {count(free)} free, ○ taken · next at {first}, all at {last} · {pace}", "dim"),), width)


def campaign_lines(row: AccountView, view: View, width: int) -> list[Line]:
    """The campaigns that use the account: how far, and when each is through at the account's pace."""
    found = [each for each in view.snapshot.campaigns.values() if each.account_id == row.account_id]
    live = sorted((each for each in found if each.state in _SHOWN), key=campaign_rank)
    if not live:
        return []
    lines: list[Line] = [BLANK, _pace(row, sum(each.open for each in live if each.state == "running"), view)]
    name = max(10, min(28, width - 60))
    for each in live[:_CAMPAIGNS]:
        glyph, tone, _ = state(each.state)
        done, fans = campaign_progress(each)
        words, colour = campaign_word(each, view)
        line: Line = (
            (f"  {glyph} ", tone), cell(clean(each.name), name), ("  ", "plain"), *gauge(done, fans, 12),
            cell(f"{count_short(done)}/{count_short(fans)}", 14, right=True),
            cell(percent(done, fans), 7, "dim", right=True), (f"  {words}{_end(each, words, view)}", colour),
        )  # fmt: skip
        lines.append(cut(line, width))
    if len(live) > _CAMPAIGNS:
        lines.append(((f"    and {len(live) - _CAMPAIGNS} more", "dim"),))
    return lines


def _end(each: CampaignView, words: str, view: View) -> str:
    """When it will be through, where its words tell something more urgent."""
    if each.state != "running" or not each.open or words.startswith("ends") or view.snapshot.engine.halted_by:
        return ""
    return f" · ends {moment(finishes_at(each, view), view.now, view.zone)}"


def _pace(row: AccountView, waiting: int, view: View) -> Line:
    """How long what waits takes at the account's pace."""
    allowed = row.allowed(view.now)
    if not waiting or not allowed:
        return (("  CAMPAIGNS", "head"),)
    a_minute = allowed * MINUTE / row.window
    takes = age(waiting * row.window // allowed)
    return (("  CAMPAIGNS", "head"), (f"  {count(waiting)} messages wait: {takes} at {a_minute:g} a minute", "dim"))
