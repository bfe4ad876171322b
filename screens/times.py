"""How long answers took and how many failed: the charts that stand below a name, wherever one is chosen. Pure."""

from __future__ import annotations

from engine.kernel.values import SECOND
from engine.surface.rows import MonitorCourseRow
from screens.drawing import Line, Span, beside, cut
from screens.formatting import NONE, age, count
from screens.view import View
from screens.widgets.plot import Course, plot

SPARK = 16  # cells of a course in a row
_CHART_FROM = 22  # rows of the terminal from which courses are drawn
_THREE_FROM = 150  # columns from which calls stand beside times and errors


def chart_rows(rows: int) -> int:
    """The height of a chart below a table, for the terminal's; 0: none fits."""
    return 0 if rows < _CHART_FROM else min(13, max(6, rows // 3 - 2))


def latency(span: int | None) -> str:
    """Nanoseconds as 0.8 ms, 45 ms, 1.25 s."""
    if span is None:
        return NONE
    real = span / SECOND
    if real >= 1:
        return f"{real:,.2f} s"
    return f"{real * 1000:.0f} ms" if real >= 0.01 else f"{real * 1000:.1f} ms"


def times_and_errors(course: MonitorCourseRow | None, view: View, width: int, height: int) -> list[Line]:
    """The 95 % and the errors of each step, side by side; on a wide terminal the calls too."""
    if not height:
        return []
    if course is None:
        return [(("  its course is being read, or nothing of it passed", "dim"),)]
    step = age(course.step)
    slowest = max((each for each in course.p99 if each is not None), default=None)
    times: Line = (("  p95 ", "plain"), (f"in {step} steps · slowest p99 {latency(slowest)}", "dim"))
    failed, calls = sum(course.errors), sum(course.calls)
    share = f"{100 * failed / calls:.1f} %" if calls else NONE
    errors: Line = (("  errors ", "bad" if failed else "plain"), (f"{count(failed)} of {count(calls)}, {share}", "dim"))
    shares = tuple(
        1_000_000 * wrong // all_ if all_ else None for wrong, all_ in zip(course.errors, course.calls, strict=True)
    )
    parts = [
        (times, Course(values=course.p95, start=course.at, step=course.step, unit="time"), "gauge"),
        (errors, Course(values=shares, start=course.at, step=course.step, unit="share"), "bad"),
    ]
    if width >= _THREE_FROM:
        per: Line = (("  calls ", "plain"), (f"{count(calls)} in all", "dim"))
        parts.append((per, Course(values=course.calls, start=course.at, step=course.step), "gauge"))
    room = (width - 2) // len(parts) - 2
    lines: list[Line] = []
    for at, (title, shown, tone) in enumerate(parts):
        block = [cut(title, room), *_chart(shown, room, height - 1, view, tone, line=at == 0)]
        lines = beside(lines, block, (room + 2) * at - 2, 2) if lines else block
    return lines


def _chart(shown: Course, room: int, height: int, view: View, tone: str, *, line: bool) -> list[Line]:
    lead: Span = ("  ", "plain")
    drawn = plot(shown, room - 2, height, view.zone, style="line" if line else "area", tone=tone)
    return [(lead, *each) for each in drawn]
