"""What a drafted campaign would do, as lines: who gets it and who not, what it costs, when it is through, the texts."""

from __future__ import annotations

from collections.abc import Sequence

from engine.surface.commands import CampaignDraft
from engine.surface.effects import MessageRow
from engine.surface.rows import EstimateRow
from screens.cells import most_cells
from screens.drawing import BLANK, Line, cell, cut
from screens.formatting import clean, clean_lines, count, moment_there, plural, wrap
from screens.review import risk_span
from screens.steering import cost_range
from screens.view import View

_REASONS = 4  # shown, of those that leave fans out
_TEXT_LINES = 5  # of one fan's message
_PROMPTED = "The model writes each text after the start; this is what it is asked for each fan. Trying it costs money."


def facts_lines(estimate: EstimateRow, view: View, width: int) -> list[Line]:
    """The facts, and what is amiss."""
    return [cut(line, width) for line in (*_facts(estimate, view, width), *_warnings(estimate, width))]


def message_lines(messages: Sequence[MessageRow], draft: CampaignDraft, width: int) -> list[Line]:
    """A few fans' messages below their heading."""
    if not messages:
        return []
    lines = [_heading(messages)]
    if draft.prompt:
        lines += [((f"  {text}", "dim"),) for text in wrap(_PROMPTED, width - 4)]
    for message in messages:
        lines += _message(message, width)
    return [cut(line, width) for line in lines]


def _facts(estimate: EstimateRow, view: View, width: int) -> list[Line]:
    through = moment_there(estimate.finish_at, view.now, view.zone)
    return [
        *_whom(estimate, width),
        _fact("cost", cost_range(estimate), "warn" if estimate.unpriced else "strong"),
        _fact("written by", f"{clean(estimate.provider)} {clean(estimate.model)}".strip() or "the template", "plain"),
        _fact("starts", moment_there(estimate.starts_at, view.now, view.zone), "plain"),
        _fact("through", f"{through}, at the account's limit", "strong"),
    ]


def _whom(estimate: EstimateRow, width: int) -> list[Line]:
    """492 of 500 fans, 8 opted out: as many lines as the reasons need."""
    out = sorted(estimate.left_out.items(), key=lambda each: -each[1])
    if not out:
        return [_fact("fans", plural(estimate.fans, "fan"), "strong")]
    every = estimate.fans + sum(estimate.left_out.values())
    parts = [f"{count(number)} {clean(reason, longest=80)}" for reason, number in out[:_REASONS]]
    if rest := out[_REASONS:]:
        parts.append(f"{count(sum(number for _, number in rest))} for {plural(len(rest), 'other reason')}")
    lines = [f"{count(estimate.fans)} of {plural(every, 'fan')}"]
    for part in parts:
        joined = f"{lines[-1]}, {part}"
        lines[-1:] = [joined] if most_cells(joined) <= width - 15 else [f"{lines[-1]},", part]
    return [_fact("" if at else "fans", text, "warn" if at else "strong") for at, text in enumerate(lines)]


def _warnings(estimate: EstimateRow, width: int) -> list[Line]:
    lines: list[Line] = []
    for warning in estimate.warnings[:3]:
        for at, text in enumerate(clean_lines(warning, width - 5)):
            lines.append(((f"  {'●' if at == 0 else ' '} {text}", "warn"),))
    return lines


def _heading(messages: Sequence[MessageRow]) -> Line:
    first, last = messages[0], messages[-1]
    where = f" fans {count(first.number)}–{count(last.number)} of {count(first.fans)} · PgDn PgUp for others"
    return ((" ASKED FOR EACH FAN" if first.kind == "prompt" else " EACH FAN'S MESSAGE", "head"), (where, "dim"))


def _message(message: MessageRow, width: int) -> list[Line]:
    name = clean(message.fan_name or message.fan_id, longest=40)
    risk: Line = ()
    if message.blocked:
        risk = ((f"  ✖ never sent: {clean(message.blocked, longest=200)}", "bad"),)
    elif message.risk not in ("", "none"):
        word, tone = risk_span(message.risk)
        risk = ((f"  {word}: the text {clean(message.risk_reason, longest=200)}", tone),)
    texts = clean_lines(message.text, max(10, width - 4))
    shown = [*texts[:_TEXT_LINES], *(["…"] if len(texts) > _TEXT_LINES else [])]
    return [((f"  to {name}", "accent"), *risk), *(((f"  {text}", "plain"),) for text in shown), BLANK]


def _fact(name: str, value: str, tone: str) -> Line:
    return (cell(name, 12, "dim", right=True), (f"  {value}", tone))
