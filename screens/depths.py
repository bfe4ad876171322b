"""How deep a queue is, by priority, and how its depth and its longest wait went. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from engine.surface.rows import PriorityRow, QueueCourseRow
from engine.surface.snapshot import QueueView
from screens.drawing import Line, Span, beside, cell, cut
from screens.formatting import NONE, age, count, count_short
from screens.view import View
from screens.widgets.plot import Course, Unit, plot

_ORDER = ("urgent", "high", "normal", "low", "bulk")


def priority_lines(levels: Sequence[PriorityRow], view: View, width: int) -> list[Line]:
    """One line a priority that holds something, the first to go first; where there is little room, one for all."""
    known = sorted(levels, key=lambda each: _ORDER.index(each.priority) if each.priority in _ORDER else len(_ORDER))
    if not known:
        return []
    head: Line = (
        ("  ", "plain"),
        *(cell(word, room, "dim", right=at > 0) for at, (word, room) in enumerate(_COLUMNS)),
    )
    return [cut(head, width), *(cut(_level(each, view), width) for each in known)]


_COLUMNS = (("priority", 10), ("ready", 9), ("delayed", 9), ("leased", 9), ("oldest", 9))


def _level(each: PriorityRow, view: View) -> Line:
    waited = NONE if each.oldest_at is None else age(view.now - each.oldest_at)
    figures: list[Span] = [cell(each.priority, 10)]
    for number, tone in ((each.ready, "strong"), (each.delayed, "plain"), (each.leased, "plain")):
        figures.append(cell(count(number), 9, tone if number else "dim", right=True))
    return (("  ", "plain"), *figures, cell(waited, 9, "plain" if each.oldest_at else "dim", right=True))


def until_now(course: QueueCourseRow | None, queue: QueueView, view: View) -> QueueCourseRow | None:
    """A course whose newest step, which is written down only when it has ended, shows what the queue holds now."""
    if course is None or not course.ready or course.ready[-1] is not None or view.now < course.at:
        return course
    slot = (view.now - course.at) // course.step
    if slot != len(course.ready) - 1:
        return course
    waited = view.now - queue.oldest_at if queue.oldest_at is not None else 0
    return replace(course, ready=(*course.ready[:-1], queue.ready), waited=(*course.waited[:-1], waited))


def depth_charts(course: QueueCourseRow | None, view: View, width: int, height: int) -> list[Line]:
    """Ready jobs and the longest wait of each step, side by side."""
    if not height:
        return []
    if course is None:
        return [(("  its depth is not known over this time: it is written down by the minute", "dim"),)]
    most = max((each for each in course.ready if each is not None), default=0)
    longest = max((each for each in course.waited if each is not None), default=0)
    step = age(course.step)
    room = (width - 2) // 2 - 2
    left = _chart(f"ready, at most {count_short(most)}", f"highest in each {step}", course, "ready", room, height, view)
    right = _chart(f"longest wait, at most {age(longest)}", "", course, "waited", room, height, view)
    return beside(left, right, room, 2)


def _chart(
    title: str, note: str, course: QueueCourseRow, figure: str, room: int, height: int, view: View
) -> list[Line]:
    unit: Unit = "time" if figure == "waited" else "count"
    shown = Course(values=getattr(course, figure), start=course.at, step=course.step, unit=unit)
    head: Line = ((f"  {title}  ", "plain"), (note, "dim"))
    drawn = plot(shown, room - 2, height - 1, view.zone)
    return [cut(head, room), *((("  ", "plain"), *line) for line in drawn)]
