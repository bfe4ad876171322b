"""The queues: how deep, how old and since when, the jobs in them, one job in full; another chance for dead jobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from engine.surface.commands import PurgeJobs, RedriveJobs
from engine.surface.queries import GetJob, ListJobs, ListPriorities, QueueHistory
from engine.surface.rows import JobRow, PriorityRow, QueueCourseRow
from engine.surface.snapshot import QueueView
from screens.aside import Aside
from screens.depths import depth_charts, priority_lines, until_now
from screens.drawing import BLANK, Line, Span, cut, state
from screens.facts import account_name
from screens.formatting import NONE, age, age_rough, clean, clock, count, plural, stamp
from screens.listing import Listing, number, plain
from screens.place import Place, as_of
from screens.record import Field, Record, field_lines
from screens.spanned import Spanned
from screens.spans import HOURLY, SLIDING, choice_line
from screens.times import SPARK, chart_rows
from screens.view import View
from screens.widgets.confirm import Confirm
from screens.widgets.plot import sparkline
from screens.widgets.table import Column

_VIEWS = ("", "ready", "leased", "delayed", "parked", "dead")


def purge(screen: Place, queue: str, job_ids: tuple[str, ...], how_many: int) -> None:
    """Ask, then delete dead jobs. No ids: all of the queue."""
    options = screen.console.options
    name = clean(queue, longest=80)

    def answered(yes: bool | None) -> None:
        if yes:
            screen.send(PurgeJobs(queue=queue, job_ids=job_ids, actor=options.actor))

    typed = name if not job_ids and how_many > options.typed_above else ""
    what = f"Delete {plural(how_many, 'dead job')} of {name} for good?"
    screen.app.push_screen(
        Confirm(what, detail="What they were to do will not be done. It cannot be undone.", typed=typed), answered
    )


def redrive(screen: Place, queue: str, job_ids: tuple[str, ...], how_many: int) -> None:
    """Give dead jobs another chance; all of them are asked about first."""
    command = RedriveJobs(queue=queue, job_ids=job_ids, actor=screen.console.options.actor)
    if job_ids:
        screen.send(command)
        return

    def answered(yes: bool | None) -> None:
        if yes:
            screen.send(command)

    what = f"Give {plural(how_many, 'dead job')} of {clean(queue, longest=80)} another chance?"
    screen.app.push_screen(
        Confirm(what, detail="Each is tried again as if new; what it calls is paid again."), answered
    )


class QueueScreen(Spanned[QueueView]):
    """One row a queue; below, its priorities and how its depth went."""

    title_text = place = "queue"
    stretches = SLIDING[1:]  # depths are written down by the minute
    empty = "nothing was ever put in a queue: starting a campaign does; c makes one"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("R", "redrive_all", "redrive all dead"),
        Binding("X", "purge_all", "purge all dead"),
    ]

    def __init__(self) -> None:
        super().__init__(HOURLY)
        self._courses: Aside[QueueCourseRow] = Aside(self, lambda: QueueHistory(span=self.stretch.width))
        self._priorities: Aside[PriorityRow] = Aside(self, ListPriorities)

    def rows_of(self, view: View) -> Sequence[QueueView]:
        return sorted(view.snapshot.queues.values(), key=lambda each: each.queue)

    def paint(self, view: View) -> None:
        self._courses.keep(view)
        self._priorities.keep(view)
        super().paint(view)

    def head(self, view: View, width: int) -> Sequence[Line]:
        trouble = self._courses.trouble(view) or self._priorities.trouble(view)
        line = (*choice_line("depth over", self.stretches, self.stretch), ("  ", "plain"), *trouble, *as_of(view))
        return (cut(line, width),)

    def columns(self) -> Sequence[Column[QueueView]]:
        return (
            Column(title="queue", width=20, weight=1, paint=plain(lambda row: row.queue), sort=lambda row: row.queue),
            Column(title="ready", width=8, right=True, paint=_many("ready", "strong"), sort=lambda row: row.ready),
            Column(title="leased", width=7, right=True, paint=_many("leased", "plain"), sort=lambda row: row.leased),
            Column(title="delayed", width=8, right=True, paint=_many("delayed", "plain"), sort=lambda row: row.delayed),
            Column(title="parked", width=7, right=True, paint=_many("parked", "warn"), sort=lambda row: row.parked),
            Column(title="dead", width=6, right=True, paint=_many("dead", "badly"), sort=lambda row: row.dead),
            Column(title="oldest", width=7, right=True, paint=_oldest, sort=lambda row: row.oldest_at or self.view.now),
            Column(title="ready, course", width=SPARK, need=96, paint=self._ready_course),
        )

    def key_of(self, row: QueueView) -> str:
        return row.queue

    def words_of(self, row: QueueView) -> str:
        return row.queue

    def _ready_course(self, row: QueueView, _view: View) -> Span:
        course = self._course(row)
        return ("", "dim") if course is None else sparkline(course.ready, SPARK)

    def _course(self, row: QueueView) -> QueueCourseRow | None:
        found = next((each for each in self._courses.rows if each.queue == row.queue), None)
        return until_now(found, row, self.view)

    def foot(self, row: QueueView, view: View, width: int) -> Sequence[Line]:
        if row.oldest_at is None:
            waits = "nothing waits"
        else:
            waits = (
                f"the oldest ready job waits since {clock(row.oldest_at, view.zone)}, {age(view.now - row.oldest_at)}"
            )
        title: Line = ((f"  {clean(row.queue)}", "head"), (f"  {waits} · enter lists its jobs", "dim"))
        levels = [each for each in self._priorities.rows if each.queue == row.queue]
        rows = self.app.size.height
        charts = depth_charts(self._course(row), view, width, chart_rows(rows))
        return (BLANK, title, *priority_lines(levels, view, width), *charts)

    def open(self, row: QueueView) -> None:
        self.app.push_screen(JobsScreen(row.queue))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("redrive_all", "purge_all"):
            row = self.row if self.is_mounted else None
            return bool(row and row.dead) and self.may_act
        return super().check_action(action, parameters)

    def anew(self) -> None:
        self._courses.start_over()
        self.show(self.view)

    def action_redrive_all(self) -> None:
        if self.row is not None:
            redrive(self, self.row.queue, (), self.row.dead)

    def action_purge_all(self) -> None:
        if self.row is not None:
            purge(self, self.row.queue, (), self.row.dead)


class JobsScreen(Listing[JobRow]):
    """The jobs of one queue; `v` goes through the states."""

    place = "queue"
    title_text = "jobs"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "view", "view"),
        Binding("r", "redrive", "redrive"),
        Binding("x", "purge", "purge"),
        Binding("R", "redrive_all", "redrive all dead"),
        Binding("X", "purge_all", "purge all dead"),
    ]

    def __init__(self, queue: str, state: str = "") -> None:
        super().__init__()
        self._queue = queue
        self._state = state

    @property
    def heading(self) -> str:
        return f"queue › {clean(self._queue, longest=60)} › {self._state or 'all'}"

    @property
    def empty(self) -> str:  # type: ignore[override]
        return f"no {self._state} job here; v shows other states" if self._state else "no job is in this queue"

    def question(self) -> ListJobs:
        return ListJobs(queue=self._queue, state=self._state)

    def head(self, view: View, width: int) -> Sequence[Line]:
        found = view.snapshot.queues.get(self._queue, QueueView(queue=self._queue))
        line: list[Span] = []
        for name in _VIEWS:
            number_ = getattr(found, name) if name else sum(getattr(found, each) for each in _VIEWS[1:])
            line += [(f"  {name or 'all'} ", "chosen" if name == self._state else "dim"), (count(number_), "plain")]
        return (cut(tuple(line), width),)

    def columns(self) -> Sequence[Column[JobRow]]:
        return (
            Column(title="state", width=10, paint=_state, sort=lambda row: row.state),
            Column(title="job", width=12, weight=2, paint=plain(lambda row: row.job_id), sort=lambda row: row.job_id),
            Column(
                title="lane",
                width=8,
                weight=1,
                paint=lambda row, view: (account_name(view, row.lane) if row.lane else NONE, "plain"),
                sort=lambda row: row.lane,
            ),
            Column(
                title="batch",
                width=8,
                weight=1,
                need=100,
                paint=plain(lambda row: row.batch, "dim"),
                sort=lambda row: row.batch,
            ),
            Column(
                title="prio", width=5, right=True, paint=number(lambda row: row.priority), sort=lambda row: row.priority
            ),
            Column(
                title="tries",
                width=6,
                right=True,
                paint=lambda row, _: (f"{row.attempts}/{row.max_attempts}", "plain"),
                sort=lambda row: row.attempts,
            ),
            Column(title="waits", width=6, right=True, paint=_waits, sort=lambda row: row.ready_at),
            Column(
                title="cause", width=12, weight=4, paint=plain(lambda row: row.cause, "bad"), sort=lambda row: row.cause
            ),
        )

    def key_of(self, row: JobRow) -> str:
        return row.job_id

    def words_of(self, row: JobRow) -> str:
        return f"{row.job_id} {row.state} {row.lane} {row.batch} {row.cause} {row.payload}"

    def open(self, row: JobRow) -> None:
        self.app.push_screen(JobScreen(row))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("redrive", "purge"):
            row = self.row if self.is_mounted else None
            return row is not None and row.state == "dead" and self.may_act
        if action in ("redrive_all", "purge_all"):
            return self._dead() > 0 and self.may_act
        return super().check_action(action, parameters)

    def _dead(self) -> int:
        found = self.view.snapshot.queues.get(self._queue)
        return found.dead if found else 0

    def action_view(self) -> None:
        self._state = _VIEWS[(_VIEWS.index(self._state) + 1) % len(_VIEWS)]
        self.start_over()

    def action_redrive(self) -> None:
        if self.row is not None:
            redrive(self, self._queue, (self.row.job_id,), 1)

    def action_purge(self) -> None:
        if self.row is not None:
            purge(self, self._queue, (self.row.job_id,), 1)

    def action_redrive_all(self) -> None:
        redrive(self, self._queue, (), self._dead())

    def action_purge_all(self) -> None:
        purge(self, self._queue, (), self._dead())


class JobScreen(Record):
    """One job. Its payload holds ids only."""

    place = "queue"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("r", "redrive", "redrive"), Binding("x", "purge", "purge")]

    def __init__(self, job: JobRow) -> None:
        super().__init__()
        self._job = job

    @property
    def heading(self) -> str:
        return f"queue › {clean(self._job.queue, longest=50)} › job {clean(self._job.job_id, longest=50)}"

    def lines(self, view: View, width: int) -> Sequence[Line]:
        job = self._job
        glyph, tone, word = state(job.state)
        leased = f", leased until {stamp(job.leased_until, view.zone)}" if job.leased_until is not None else ""
        fields: list[Field | None] = [
            None,
            ("state", f"{glyph} {word}{leased}", tone),
            ("cause", job.cause, "bad" if job.cause else "dim"),
            ("tries", f"{job.attempts} of at most {job.max_attempts}"),
            None,
            ("put", f"{stamp(job.put_at, view.zone)}, {age_rough(view.now - job.put_at)} ago"),
            ("ready from", f"{stamp(job.ready_at, view.zone)} {view.snapshot.engine.time_zone}"),
            ("priority", count(job.priority)),
            ("lane", job.lane),
            ("batch", job.batch),
            ("queue", job.queue),
            ("job", job.job_id),
            None,
            ("payload", job.payload),
        ]
        return field_lines(fields, width)

    def action_reload(self) -> None:
        self.run_worker(self._read(), group="reading", exclusive=True, exit_on_error=False)

    async def _read(self) -> None:
        page = await self.console.source.query(GetJob(job_id=self._job.job_id))
        if page.rows:
            self._job = page.rows[0]
            self.show(self.view)
        else:
            self.app.pop_screen()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("redrive", "purge"):
            return self._job.state == "dead" and self.may_act
        return super().check_action(action, parameters)

    def action_redrive(self) -> None:
        redrive(self, self._job.queue, (self._job.job_id,), 1)

    def action_purge(self) -> None:
        purge(self, self._job.queue, (self._job.job_id,), 1)


def _many(name: str, tone: str) -> Callable[[QueueView, View], Span]:
    def paint(row: QueueView, _view: View) -> Span:
        value: int = getattr(row, name)
        return count(value), tone if value else "dim"

    return paint


def _oldest(row: QueueView, view: View) -> Span:
    return (NONE, "dim") if row.oldest_at is None else (age(view.now - row.oldest_at), "plain")


def _state(row: JobRow, _view: View) -> Span:
    glyph, tone, word = state(row.state)
    return f"{glyph} {clean(word, longest=30)}", tone


def _waits(row: JobRow, view: View) -> Span:
    if row.ready_at > view.now:
        return f"-{age_rough(row.ready_at - view.now)}", "dim"
    return age_rough(view.now - row.ready_at), "plain"
