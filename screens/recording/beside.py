"""What a recorder asks the engine beside its events, since they do not tell it: sums of before, budgets, the log.

An engine that does not answer a question, for its age or for want of a right, is recorded without it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from engine.kernel.errors import CommandRefused
from engine.kernel.periods import month_bounds
from engine.kernel.values import MINUTE, SECOND
from engine.surface.queries import CostBreakdown, EventHistory, KeptBudgets, ListBudgets, ListLogs, Page, Query
from engine.surface.rows import BudgetRow, EventRow, LogRow
from engine.surface.snapshot import Snapshot
from screens.recording.tape import Tape, seq_of

Ask = Callable[[Query], Awaitable[Page[Any]]]
R = TypeVar("R")

SUMMED_BY = ("day", "provider", "model", "tool", "campaign", "account")
_LATEST = 10 * SECOND  # nanoseconds after which a call that ended stands in the sums
_MOST_SUMS = 20_000  # rows of sums; of more, none are recorded
_PAGE = 1_000
_FIRST_LOGS = 100  # records from before a recording begins
_LOGS_AT_ONCE = 500  # records a turn
_MOST_LOGS = 5_000  # records of a past hour, its newest
_BUDGETS_WITHIN = 2_500  # events before a past hour among which the engine kept its budgets
_WHOLE_EVERY = 60  # lists of budgets, of which the others hold what changed


class Beside:
    """`begin` with each first snapshot of a file, then `turn` after the events of each second."""

    def __init__(self, ask: Ask, tape: Tape) -> None:
        self._ask, self._tape = ask, tape
        self._run = 0  # when the engine started whose log is read
        self._logged: int | None = None  # the newest record on the tape
        self._budgets: dict[tuple[str, str, str], BudgetRow] = {}
        self._lists = 0
        self._deaf: set[type[Query]] = set()  # what this engine does not answer

    async def begin(self, snapshot: Snapshot, *, past: bool = False) -> None:
        """What this month had cost until a snapshot; with one of the present also what `turn` asks."""
        self._run, self._logged, self._lists = snapshot.engine.started_at, None, 0
        await self._sums(snapshot)
        if not past:
            await self._list_budgets(snapshot.seq)
            await self._follow_log()

    def started(self, at: int) -> None:
        """The engine began anew, and its log with it."""
        self._run, self._logged = at, 0

    async def turn(self) -> None:
        """How the budgets stand now, and what was logged since the last turn."""
        await self._list_budgets()
        await self._follow_log()

    async def past(self, first: int, last: int, from_: int, to: int, run: int) -> None:
        """Of a past hour: the budgets kept between two events, and what the engine that began at `run` logged then."""
        after: int | None = max(-1, first - _BUDGETS_WITHIN)
        while after is not None:
            page = await self._answer(KeptBudgets(after=after, to=last))
            for kept in page.rows if page is not None else ():
                self._put_budgets(kept.seq, kept.budgets)
            after = int(page.next) if page is not None and page.next else None
        await self._past_log(from_, to, run)

    # ── sums ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _sums(self, snapshot: Snapshot) -> None:
        """This month's sums up to a whole minute, by day, and the calls from there to the snapshot."""
        until = max(0, snapshot.at - _LATEST) // MINUTE * MINUTE
        from_ = month_bounds(snapshot.at, ZoneInfo(snapshot.engine.time_zone))[0]
        rows: list[Any] = []
        if from_ < until:
            page = await self._answer(CostBreakdown(by=SUMMED_BY, from_=from_, to=until))
            if page is None or len(page.rows) > _MOST_SUMS:
                return
            rows = list(page.rows)
        calls = await self._calls(until, snapshot)
        if calls is not None:
            head = {"since": min(from_, until), "until": until, "seq": snapshot.seq, "calls": len(calls)}
            self._tape.answer("sums", head, [*rows, *calls])

    async def _calls(self, after: int, snapshot: Snapshot) -> list[Any] | None:
        """The calls that ended from an instant on, up to a snapshot; None where the log has them no more."""
        found: list[Any] = []
        cursor = ""
        while True:
            page = await self._answer(
                EventHistory(from_=max(0, after - _LATEST), to=snapshot.at, limit=_PAGE, cursor=cursor)
            )
            if page is None:
                return None
            rows: tuple[EventRow, ...] = page.rows
            found += [
                row.fields
                for row in rows
                if row.kind == "CallSettled" and row.at >= after and seq_of(row) <= snapshot.seq
            ]
            if page.next is None or seq_of(rows[-1]) >= snapshot.seq:
                return found
            cursor = page.next

    # ── budgets ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _list_budgets(self, seq: int | None = None) -> None:
        """After the event that the engine names, or after `seq`."""
        page = await self._answer(ListBudgets(campaigns=True))
        told = page.as_of.rpartition(":")[2] if page is not None else ""
        if page is not None and (seq is not None or told.isdecimal()):
            self._put_budgets(int(told) if seq is None else seq, page.rows)

    def _put_budgets(self, seq: int, rows: tuple[BudgetRow, ...]) -> None:
        """The whole list now and then; between, the rows that changed, and those that are gone with no limit."""
        now = {(row.scope, row.key, row.window): row for row in rows}
        before, self._budgets = self._budgets, now
        whole = self._lists % _WHOLE_EVERY == 0
        changed = list(rows) if whole else [row for key, row in now.items() if before.get(key) != row]
        gone = [] if whole else [list(key) for key in before if key not in now]
        if whole or changed or gone:
            self._tape.answer("budgets", {"seq": seq, "whole": int(whole), "gone": len(gone)}, [*changed, *gone])
            self._lists += 1

    # ── the log ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _follow_log(self) -> None:
        first = self._logged is None
        page = await self._answer(ListLogs(after=self._logged, limit=_FIRST_LOGS if first else _LOGS_AT_ONCE))
        if page is None:
            return
        rows: tuple[LogRow, ...] = page.rows
        self._logged = rows[-1].seq if rows else self._logged or 0
        if rows or first:  # one that holds none says that the log was read
            self._tape.answer("log", {"run": self._run, "last": self._logged}, rows)

    async def _past_log(self, from_: int, to: int, run: int) -> None:
        found: list[LogRow] = []
        cursor: str | None = ""
        while cursor is not None and len(found) < _MOST_LOGS:
            page = await self._answer(ListLogs(limit=_LOGS_AT_ONCE, cursor=cursor))
            if page is None:
                return
            found = [row for row in page.rows if from_ <= row.at <= to] + found
            cursor = page.next if page.rows and page.rows[0].at >= from_ else None
        for start in range(0, max(len(found), 1), _LOGS_AT_ONCE):
            part = found[start : start + _LOGS_AT_ONCE]
            self._tape.answer("log", {"run": run, "last": part[-1].seq if part else 0}, part)

    async def _answer(self, query: Query) -> Page[Any] | None:
        """None from an engine that does not answer such a question; it is asked no more."""
        if type(query) in self._deaf:
            return None
        try:
            return await self._ask(query)
        except CommandRefused:
            self._deaf.add(type(query))
            return None
