"""A notice in words: subject, plain text, and the same as HTML. Pure, for any channel that carries text.

Summaries quote what strangers wrote. Every field is cleaned again here, so that nothing can break a header or move a
line, and escaped in HTML, so that nothing is markup.
"""

from __future__ import annotations

from html import escape

from engine.alerts.channel import Kind, Line, Notice
from engine.kernel.text import clean
from engine.kernel.values import to_datetime

_SUBJECT = 150  # characters; longer ones are cut by mail programs at a place of their own choice
_SUMMARY = 600  # characters
_FIELD = 200  # characters
_WORDS = {
    Kind.OPENED: "new",
    Kind.ESCALATED: "became worse",
    Kind.REMINDER: "still open",
    Kind.RESOLVED: "resolved",
}
_COLOURS = {"info": "#1f6feb", "warning": "#9a6700", "critical": "#b42318"}
_ADVICE = "Acknowledge an alert in the console (alerts, a) or with: huntaze alerts ack ALERT"


def subject_of(notice: Notice) -> str:
    """One line that says the worst first."""
    first = notice.lines[0]
    mark = "resolved" if first.kind is Kind.RESOLVED else first.severity.value
    more = f" (+{len(notice.lines) - 1} more)" if len(notice.lines) > 1 else ""
    head = f"Huntaze {mark}{more}: "
    return clean(head + clean(first.summary), limit=_SUBJECT)


def plain_of(notice: Notice) -> str:
    """The notice as plain text; each field keeps to its own line."""
    return "\n\n".join([*(_plain(line) for line in notice.lines), _ADVICE]) + "\n"


def html_of(notice: Notice) -> str:
    """The notice as HTML without images, links or style sheets."""
    parts = "".join(_html(line) for line in notice.lines)
    return f'<!doctype html><html><body style="font-family:sans-serif">{parts}<p>{escape(_ADVICE)}</p></body></html>\n'


def _plain(line: Line) -> str:
    return f"[{_mark(line)}] {clean(line.summary, limit=_SUMMARY)}\n{_about(line)}"


def _html(line: Line) -> str:
    colour = _COLOURS["info" if line.kind is Kind.RESOLVED else line.severity.value]
    summary = escape(clean(line.summary, limit=_SUMMARY))
    return (
        f'<p><strong style="color:{colour}">{escape(_mark(line))}</strong> {summary}<br>'
        f"<small>{escape(_about(line))}</small></p>"
    )


def _mark(line: Line) -> str:
    return f"{line.severity.value}, {_WORDS[line.kind]}"


def _about(line: Line) -> str:
    subject = f" {clean(line.subject, limit=_FIELD)}" if line.subject else ""
    opened = f"{to_datetime(line.opened_at):%Y-%m-%d %H:%M} UTC"
    return f"{clean(line.rule, limit=_FIELD)}{subject}, open since {opened}, alert {clean(line.alert_id, limit=_FIELD)}"
