"""What the engine told beside its events while it was recorded: how its budgets stood, and its log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine.surface.decoding import decode
from engine.surface.queries import ListBudgets, ListLogs, Page
from engine.surface.rows import BudgetRow, LogRow
from screens.recording.reading import Answered, Recording
from screens.recording.refusing import before, not_recorded

_LEVELS = ("debug", "info", "warning", "error", "critical")
_MOST = 1_000  # records an answer
_EVERY = 1 << 63  # no record has such a number
_NO_BUDGETS = "It was recorded without; of the engine itself: huntaze budget list"
_NO_LOG = "What the engine said then stands in engine.log in its state directory, as far as that goes back"


class Told:
    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    # ── budgets ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def budgets(self, query: ListBudgets, position: int) -> Page[BudgetRow]:
        """As they stood when they were last looked at before a moment: about a second before, in a past hour longer."""
        lists = [one for one in self._recording.answered["budgets"] if one.position <= position]
        whole = next((at for at in reversed(range(len(lists))) if lists[at].head.get("whole")), None)
        if whole is None:
            raise not_recorded("how the budgets stood is", _NO_BUDGETS)
        found: dict[tuple[str, str, str], BudgetRow] = {}
        for one in lists[whole:]:
            for row in self._recording.rows_of(one):
                _change(found, row)
        return Page(tuple(row for row in found.values() if query.campaigns or row.origin != "campaign"))

    # ── the log ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def log(self, query: ListLogs, run: int, now: int) -> Page[LogRow]:
        """What the engine that began at `run` had logged at an instant."""
        parts = [one for one in self._recording.answered["log"] if one.head.get("run") == run]
        if not parts:
            raise not_recorded("the log of then is", _NO_LOG)
        limit = min(max(query.limit, 1), _MOST)
        if query.after is not None:
            return Page(tuple(self._after(parts, query, now, limit)))
        earlier = before(query.cursor, _EVERY)
        found: list[LogRow] = []
        for one in reversed(parts):
            for row in reversed(list(self._records(one))):
                if row.at <= now and row.seq < earlier and _said(row, query):
                    found.append(row)
                    if len(found) > limit:
                        return Page(tuple(reversed(found[:limit])), str(found[limit - 1].seq))
        return Page(tuple(reversed(found)))

    def _after(self, parts: list[Answered], query: ListLogs, now: int, limit: int) -> Iterator[LogRow]:
        told = 0
        for one in parts:
            if query.after is not None and one.head.get("last", 0) <= query.after:
                continue
            for row in self._records(one):
                if told == limit or row.at > now:
                    return
                if row.seq > (query.after or 0) and _said(row, query):
                    told += 1
                    yield row

    def _records(self, answered: Answered) -> Iterator[LogRow]:
        for row in self._recording.rows_of(answered):
            try:
                yield decode(LogRow, row)
            except ValueError:
                continue


def _change(found: dict[tuple[str, str, str], BudgetRow], row: Any) -> None:
    """A budget as it stood, or the name of one that is gone."""
    if isinstance(row, list):
        found.pop(tuple(map(str, row)), None)  # type: ignore[arg-type]
        return
    try:
        budget = decode(BudgetRow, row)
    except ValueError:
        return
    found[budget.scope, budget.key, budget.window] = budget


def _said(row: LogRow, query: ListLogs) -> bool:
    least = _LEVELS.index(query.level) if query.level in _LEVELS else 0
    if row.level not in _LEVELS[least:]:
        return False
    fields = " ".join(f"{name}={value}" for name, value in row.fields.items())
    return query.text.casefold() in f"{row.area} {row.message} {fields} {row.error}".casefold()
