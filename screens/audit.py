"""Who did what: every act of every operator with what was before and after, and putting one back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

import orjson
from textual.binding import Binding, BindingType

from engine.kernel.errors import HuntazeError
from engine.surface.commands import UndoAction
from engine.surface.queries import ListAudit
from engine.surface.rows import AuditRow
from screens.acting import Acting
from screens.drawing import BLANK, Line, Span, cut
from screens.facts import account_name
from screens.formatting import age_rough, clean, moment, stamp
from screens.listing import Listing, plain
from screens.record import Field, Record, field_lines
from screens.undoing import Facts, facts, undo_effect, undo_preview, undo_question
from screens.view import View
from screens.widgets.table import Column

_NO_CHANGE = "nothing in short"


class AuditScreen(Listing[AuditRow], Acting):
    """One row an act, the newest first. `u` says what it would put back, and asks; or why it cannot, and what can."""

    title_text = "audit"
    place = ""
    empty = "nobody has told the engine anything yet: what you do stands here"
    first_keys = ("undo this",)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u", "undo", "undo this"),
        Binding("u", "why_not", "why it cannot be undone", show=False),
    ]

    def question(self) -> ListAudit:
        return ListAudit()

    def columns(self) -> Sequence[Column[AuditRow]]:
        return (
            Column(title="number", width=6, right=True, need=96, paint=_number, sort=lambda row: row.audit_id),
            Column(title="when", width=17, paint=_when, sort=lambda row: row.at),
            Column(title="who", width=10, weight=1, paint=plain(lambda row: row.actor), sort=lambda row: row.actor),
            Column(title="via", width=7, need=130, paint=plain(lambda row: row.via, "dim"), sort=lambda row: row.via),
            Column(title="act", width=18, paint=_act, sort=lambda row: row.action),
            Column(title="on", width=14, weight=2, paint=_on, sort=lambda row: _subject(row, self.view)),
            Column(title="before → after", width=16, weight=3, need=100, paint=_change),
            Column(title="", width=9, paint=_undone),
        )

    def key_of(self, row: AuditRow) -> str:
        return str(row.audit_id)

    def words_of(self, row: AuditRow) -> str:
        on = f"{row.subject} {_subject(row, self.view)}"
        what = f"{row.summary} {row.before} {row.after} {row.outcome}"
        return f"{row.audit_id} {row.actor} {row.via} {row.action} {on} {what}"

    def foot(self, row: AuditRow, view: View, width: int) -> Sequence[Line]:
        title: Line = ((f"  {clean(row.actor, longest=40)}: ", "head"), (_summary(row, view), "plain"))
        return BLANK, cut(title, width), cut(((f"  {undo_words(row)}", "dim"),), width)

    def open(self, row: AuditRow) -> None:
        self.app.push_screen(AuditRowScreen(row))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("undo", "why_not"):
            row = self.row if self.is_mounted else None
            return row is not None and may_undo(row) is (action == "undo") and self.may_act
        if action == "undo_last":
            return False
        return super().check_action(action, parameters)

    def action_undo(self) -> None:
        if self.row is not None:
            undo(self, self.row)

    def action_why_not(self) -> None:
        if self.row is not None:
            say_why_not(self, self.row)


class AuditRowScreen(Record, Acting):
    """One act in full."""

    first_keys = ("undo this",)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u", "undo", "undo this"),
        Binding("u", "why_not", "why it cannot be undone", show=False),
    ]

    def __init__(self, row: AuditRow) -> None:
        super().__init__()
        self._row = row

    @property
    def heading(self) -> str:
        return f"audit › {self._row.audit_id}"

    def lines(self, view: View, width: int) -> Sequence[Line]:
        row = self._row
        tone = "bad" if row.outcome == "refused" else "plain"
        ago = age_rough(view.now - row.at)
        fields: list[Field | None] = [
            None,
            ("act", row.action, "head"),
            ("on", _subject(row, view)),
            *([("its id", row.subject, "dim")] if row.names else []),
            ("outcome", row.outcome, tone),
            ("summary", _summary(row, view)),
            None,
            ("who", row.actor),
            ("via", row.via),
            ("when", f"{stamp(row.at, view.zone)}, {ago} ago"),
            None,
            *(("before → after" if at == 0 else "", line) for at, line in enumerate(changes(row) or [_NO_CHANGE])),
            None,
            ("undo", undo_words(row)),
            ("number", str(row.audit_id)),
        ]
        return field_lines(fields, width)

    def action_reload(self) -> None:
        self.run_worker(self._read(), group="reading", exclusive=True, exit_on_error=False)

    async def _read(self) -> None:
        """The row as it is by now: somebody may have undone it."""
        rows = await self.rows(ListAudit(cursor=str(self._row.audit_id + 1), limit=1))
        if rows and rows[0].audit_id == self._row.audit_id:
            self._row = rows[0]
            self.show(self.view)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("undo", "why_not"):
            return may_undo(self._row) is (action == "undo") and self.may_act
        if action == "undo_last":
            return False
        return super().check_action(action, parameters)

    def action_undo(self) -> None:
        undo(self, self._row)

    def action_why_not(self) -> None:
        say_why_not(self, self._row)


def undo(screen: Acting, row: AuditRow) -> None:
    """Ask as the act that leads back asks, with what it would do, and which act it undoes."""
    who = "you" if row.actor == screen.actor else clean(row.actor, longest=40)
    when = moment(row.at, screen.view.now, screen.view.zone)
    undoes = f"It undoes what {who} did at {when}, and is refused if that changed again since."
    query = undo_preview(row)

    async def effect() -> str:
        told = "; ".join(changes(row, back=True))
        if query is not None and (rows := await screen.rows(query)):
            told = undo_effect(query, rows, screen.view)
        return f"{told}. {undoes}" if told else undoes

    command = UndoAction(audit_id=row.audit_id, action=row.action, at=row.at, actor=screen.actor)
    screen.confirm_effect(undo_question(row, screen.view), command, effect)


def say_why_not(screen: Acting, row: AuditRow) -> None:
    """Say which row cannot be undone, why, and which is the newest that can."""

    async def say() -> None:
        try:
            found = [each for each in await screen.rows(ListAudit(undoable=True, limit=1)) if may_undo(each)]
        except HuntazeError:  # no link: what is known is said
            found = []
        newest = f" The newest that can be is {_called(found[0], screen.view)}." if found else ""
        screen.refuse(f"{row.audit_id}, {row.action}, {undo_words(row)}.{newest}")

    screen.run_worker(say(), group="commands", exit_on_error=False)


def _called(row: AuditRow, view: View) -> str:
    """`17, pause-campaign on spring-ppv, 14:20`."""
    subject = _subject(row, view)
    what = f"{clean(row.action, longest=60)}{f' on {subject}' if subject else ''}"
    return f"{row.audit_id}, {what}, {moment(row.at, view.now, view.zone)}"


def may_undo(row: AuditRow) -> bool:
    return row.undoable and row.undone_by is None


def undo_words(row: AuditRow) -> str:
    """Whether it can be put back, or why not."""
    if row.undone_by is not None:
        return f"undone by {row.undone_by}"
    if row.undoable:
        return "u undoes it"
    return f"cannot be undone: {clean(row.why_not, longest=200)}" if row.why_not else "cannot be undone"


def changes(row: AuditRow, *, back: bool = False) -> list[str]:
    """`limit_usd: 50 → 30` for each thing that is another now; `back`: the other way round."""
    before, after = facts(row.before), facts(row.after)
    if back:
        before, after = after, before
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return [f"{_called_fact(name)}: {_said(name, before)} → {_said(name, after)}" for name in names]


def _called_fact(name: str) -> str:
    return clean(name.removesuffix("_usd").replace("_", " "), longest=40)


def _said(name: str, of: Facts) -> str:
    said = _word(of.get(name))
    return f"${said}" if name.endswith("_usd") and said != "none" else said


def _word(value: Any) -> str:
    if value is None or value == "":
        return "none"
    return clean(value if isinstance(value, str) else orjson.dumps(value).decode(), longest=120)


def _subject(row: AuditRow, view: View) -> str:
    """What it was done to, by the names that the engine, or else the snapshot, has for its ids."""
    return clean(_named(row.subject, row, view), longest=200)


def _summary(row: AuditRow, view: View) -> str:
    return clean(row.summary.replace(row.subject, _named(row.subject, row, view)), longest=400)


def _named(subject: str, row: AuditRow, view: View) -> str:
    def name(part: re.Match[str]) -> str:
        return row.names.get(part[0]) or account_name(view, part[0])

    return re.sub("[^:/]+", name, subject)


def _number(row: AuditRow, _view: View) -> Span:
    return str(row.audit_id), "dim"


def _on(row: AuditRow, view: View) -> Span:
    return _subject(row, view), "plain"


def _when(row: AuditRow, view: View) -> Span:
    return moment(row.at, view.now, view.zone), "dim"


def _act(row: AuditRow, _view: View) -> Span:
    name = clean(row.action, longest=60)
    return (f"✖ {name}", "bad") if row.outcome == "refused" else (name, "strong")


def _change(row: AuditRow, _view: View) -> Span:
    return ("; ".join(changes(row)), "plain") if row.outcome == "done" else (clean(row.summary, longest=200), "dim")


def _undone(row: AuditRow, _view: View) -> Span:
    if row.undone_by is not None:
        return "undone", "warn"
    return ("u undoes", "dim") if row.undoable else ("", "plain")
