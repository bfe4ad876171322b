"""What a drafted campaign would do, as lines: who gets it and who not, what it costs, when it is through, the texts."""

from __future__ import annotations

from collections.abc import Sequence

from engine.surface.commands import CampaignDraft
from engine.surface.effects import MessageRow
from engine.surface.rows import EstimateRow
from screens.drawing import BLANK, Line, cell, cut
from screens.formatting import clean, clean_lines, count, moment, plural, wrap, zone_name
from screens.review import risk_span
from screens.steering import cost_range
from screens.view import View

_REASONS = 4  # shown, of those that leave fans out
_TEXT_LINES = 5  # of one fan's message
_PROMPTED = "The model writes each text after the start; this is what it is asked for each fan. Trying it costs money."


def plan_lines(
    estimate: EstimateRow, messages: Sequence[MessageRow], draft: CampaignDraft, view: View, width: int
) -> list[Line]:
    """The facts, what is amiss, and below them a few fans' messages."""
    lines = [*_facts(estimate, view), *_warnings(estimate, width)]
    if messages:
        lines += [BLANK, _heading(messages)]
        if draft.prompt:
            lines += [((f"  {text}", "dim"),) for text in wrap(_PROMPTED, width - 4)]
        for message in messages:
            lines += _message(message, width)
    return [cut(line, width) for line in lines]


def _facts(estimate: EstimateRow, view: View) -> list[Line]:
    through = moment(estimate.finish_at, view.now, view.zone)
    out = sorted(estimate.left_out.items(), key=lambda each: -each[1])
    rest = sum(number for _, number in out[_REASONS:])
    return [
        _fact("fans", plural(estimate.fans, "fan"), "strong"),
        *(
            _fact("" if at else "left out", f"{count(number)} {clean(reason, longest=80)}", "warn")
            for at, (reason, number) in enumerate(out[:_REASONS])
        ),
        *([_fact("", f"{count(rest)} for {plural(len(out) - _REASONS, 'other reason')}", "warn")] if rest else []),
        _fact("cost", cost_range(estimate), "warn" if estimate.unpriced else "strong"),
        _fact("written by", f"{clean(estimate.provider)} {clean(estimate.model)}".strip() or "the template", "plain"),
        _fact("starts", moment(estimate.starts_at, view.now, view.zone), "plain"),
        _fact("through", f"{through} {zone_name(estimate.finish_at, view.zone)}, at the account's limit", "strong"),
    ]


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
