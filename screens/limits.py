"""Message windows: what each account may still send, and when each of its slots comes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from engine.surface.commands import ResumeAccount
from engine.surface.snapshot import AccountView
from screens.drawing import BLANK, Line, Span, cut, slots
from screens.facts import busiest
from screens.formatting import age, clean, clock_exact, count, plural, wrap
from screens.listing import Listing
from screens.place import as_of
from screens.slots import campaign_lines, slot_lines, under_way
from screens.view import View
from screens.widgets.confirm import Confirm
from screens.widgets.table import Column
from screens.windows import WindowsScreen

_UP = 999_999_999  # nanoseconds; a slot is never promised earlier than it comes


class LimitsScreen(Listing[AccountView]):
    """One row an account, the paused and the full first; below, the chosen one's slots."""

    title_text = place = "limits"
    empty = "no account yet: it is known from its first campaign, or from [accounts] in config.toml"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "resume", "resume the account"),
        Binding("v", "calls", "limits on calls"),
    ]

    def rows_of(self, view: View) -> Sequence[AccountView]:
        return busiest(view.snapshot.accounts.values(), view.now)

    def columns(self) -> Sequence[Column[AccountView]]:
        return (
            Column(
                title="account",
                width=14,
                weight=1,
                paint=lambda row, _: (clean(row.name or row.account_id, longest=100), "plain"),
                sort=lambda row: (row.name or row.account_id).casefold(),
            ),
            Column(
                title="slots",
                width=12,
                weight=1,
                paint=lambda row, view: slots(row.free(view.now), row.allowed(view.now), 12),
            ),
            Column(title="free", width=5, right=True, paint=_free, sort=lambda row: row.free(self.view.now)),
            Column(
                title="of",
                width=4,
                right=True,
                paint=_allowed,
                sort=lambda row: row.allowed(self.view.now),
            ),
            Column(
                title="in any",
                width=6,
                right=True,
                paint=lambda row, _: (age(row.window), "dim"),
                sort=lambda row: row.window,
            ),
            Column(
                title="next in", width=7, right=True, paint=_next, sort=lambda row: row.next_free_at(self.view.now) or 0
            ),
            Column(title="all free in", width=11, right=True, need=100, paint=_last),
            Column(title="state", width=12, weight=3, paint=_paused, sort=lambda row: row.paused),
        )

    def key_of(self, row: AccountView) -> str:
        return row.account_id

    def words_of(self, row: AccountView) -> str:
        return f"{row.account_id} {row.name} {row.paused}"

    def head(self, view: View, width: int) -> Sequence[Line]:
        accounts = [account for account in view.snapshot.accounts.values() if not account.paused]
        free = sum(account.free(view.now) for account in accounts)
        allowed = sum(account.allowed(view.now) for account in accounts)
        paused = len(view.snapshot.accounts) - len(accounts)
        slowed = sum(account.allowed(view.now) < account.limit for account in accounts)
        line: list[Span] = [
            (f"  {count(free)} of {count(allowed)}", "strong"), (" slots free", "plain"),
            (f" · {count(paused)} paused" if paused else "", "warn"),
            (f" · {count(slowed)} slowed by the platform" if slowed else "", "warn"),
        ]  # fmt: skip
        if view.snapshot.engine.halted_by:
            line.append((" · all sending is stopped", "bad"))
        return (cut((*line, ("  ", "plain"), *as_of(view)), width),) if view.snapshot.accounts else ()

    def foot(self, row: AccountView, view: View, width: int) -> Sequence[Line]:
        name = clean(row.name or row.account_id, longest=100)
        waiting = sum(each.open for each in view.snapshot.campaigns.values() if each.account_id == row.account_id)
        title: Line = (
            (f"  {name}", "head"),
            (
                f"  {clean(row.account_id, longest=60)} · {plural(waiting, 'message')} of its campaigns not sent yet",
                "dim",
            ),
        )
        lines: list[Line] = [BLANK, title]
        if row.paused:
            lines += [((f"  {text}", "warn"),) for text in wrap(f"‖ paused: {clean(row.paused)}", width - 4)[:3]]
        if (allowed := row.allowed(view.now)) < row.limit:
            back = f"all {count(row.limit)} again at {clock_exact(row.whole_at, view.zone)}"
            text = f"  its platform throttled it: {count(allowed)} of {count(row.limit)} a window at present, {back}"
            lines.append(((text, "warn"),))
        return (*lines, *slot_lines(row, view, width), *campaign_lines(row, view, width))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "resume":
            row = self.row if self.is_mounted else None
            return bool(row and row.paused) and self.may_act
        return super().check_action(action, parameters)

    def action_calls(self) -> None:
        self.app.push_screen(WindowsScreen())

    def action_resume(self) -> None:
        row = self.row
        if row is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.send(ResumeAccount(account_id=row.account_id, actor=self.console.options.actor))

        name = clean(row.name or row.account_id, longest=60)
        self.app.push_screen(
            Confirm(f"Let {name} send again?", detail=f"It was paused: {clean(row.paused, longest=300)}"), answered
        )


def _free(row: AccountView, view: View) -> Span:
    free = row.free(view.now)
    return count(free), "badly" if free == 0 else "strong"


def _allowed(row: AccountView, view: View) -> Span:
    allowed = row.allowed(view.now)
    return count(allowed), "warn" if allowed < row.limit else "dim"


def _next(row: AccountView, view: View) -> Span:
    back = row.next_free_at(view.now)
    if back is not None and under_way(row, back, view.now):
        return "sending", "dim"
    return (age(back - view.now + _UP), "plain") if back is not None else ("–", "dim")


def _last(row: AccountView, view: View) -> Span:
    back = max((until for until in row.slots.values() if until > view.now), default=None)
    return (age(back - view.now + _UP), "dim") if back is not None else ("–", "dim")


def _paused(row: AccountView, _view: View) -> Span:
    return (f"‖ paused: {clean(row.paused, longest=200)}", "warn") if row.paused else ("✔ sends", "ok")
