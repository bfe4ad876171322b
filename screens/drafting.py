"""A campaign form's fields as text, what is wrong with each, and the draft they make. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from engine.kernel.values import NANOS_PER_USD, from_datetime, to_datetime
from engine.surface.commands import Audience, CampaignDraft

TOOLS = (
    "message", "quick-reply", "content-plan", "multi-platform", "title-generator",
    "descriptions", "icp-maker", "creator-pack", "lead-magnet",
)  # fmt: skip
_CLOCK = re.compile(r"^(?:(tomorrow)\s+)?(\d{1,2}):(\d{2})$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """Every field as it was typed."""

    name: str = ""
    account: str = ""
    audience: str = "all"
    tool: str = "message"
    kind: str = "prompt"  # prompt or template
    text: str = ""
    approval: str = "required"
    budget: str = ""
    starts: str = "now"


FIELDS = tuple(field.name for field in fields(Form))
HINTS: Mapping[str, str] = {
    "name": "what to know it by",
    "account": "whose fans get it",
    "audience": "all, or tag vip, or fans id1, id2, or file fans.csv",
    "tool": f"one of {', '.join(TOOLS)}",
    "kind": "space changes it",
    "text": "{name} is the fan's name",
    "approval": "space changes it",
    "budget": "the most its AI calls may cost, such as 5.00; empty for no budget",
    "starts": "now, 18:30, tomorrow 09:00 or 2026-11-21 18:30",
}
"""What may be typed, by field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What a file of fans holds, or the problem it has, of many lines where many of its are wrong."""

    file: str  # as it was typed
    fan_ids: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The draft, or None while a field is wrong; `errors` says per field what would be right."""

    draft: CampaignDraft | None
    errors: Mapping[str, str]


def file_named(audience: str) -> str:
    """The file of fans that an audience names; empty for every other audience."""
    word, _, rest = audience.strip().partition(" ")
    return rest.strip() if word == "file" else ""


def check(form: Form, now: int, zone: ZoneInfo, listed: Listed | None = None) -> Checked:
    """Every field at once. `listed` is the file read last, which need not be the one that is named now."""
    errors: dict[str, str] = {}
    if not form.name.strip():
        errors["name"] = "a name, to know it by"
    if not form.account.strip():
        errors["account"] = "the account that sends"
    audience = _audience(form.audience, listed)
    if isinstance(audience, str):
        errors["audience"] = audience
    if form.tool not in TOOLS:
        errors["tool"] = HINTS["tool"]
    if not form.text.strip():
        errors["text"] = "what the model is to write" if form.kind == "prompt" else "the text, with {name} for the fan"
    budget = dollars(form.budget)
    if isinstance(budget, str):
        errors["budget"] = budget
    starts = starts_at(form.starts, now, zone)
    if isinstance(starts, str):
        errors["starts"] = starts
    if errors or isinstance(audience, str) or isinstance(budget, str) or isinstance(starts, str):
        return Checked(draft=None, errors=errors)
    draft = CampaignDraft(
        name=form.name.strip(),
        account_id=form.account.strip(),
        audience=audience,
        tool=form.tool,
        prompt=form.text.strip() if form.kind == "prompt" else "",
        template=form.text.strip() if form.kind == "template" else "",
        approval="automatic" if form.approval == "automatic" else "required",
        budget=budget,
        starts_at=starts,
    )
    return Checked(draft=draft, errors=errors)


def _audience(text: str, listed: Listed | None) -> Audience | str:
    if file := file_named(text):
        if listed is None or listed.file != file:
            return "the file is being read"
        return listed.problem or Audience(fan_ids=listed.fan_ids)
    word, _, rest = text.strip().partition(" ")
    if word == "all" and not rest:
        return Audience(all=True)
    if word == "tag" and rest.strip():
        return Audience(tag=rest.strip())
    ids = tuple(part for part in re.split(r"[,\s]+", rest) if part)
    if word == "fans" and ids:
        return Audience(fan_ids=ids)
    return HINTS["audience"]


def dollars(text: str) -> int | str | None:
    """Nano-dollars, None of an empty text, or as text what would be right."""
    text = text.strip().removeprefix("$")
    if not text:
        return None
    try:
        amount = Decimal(text)
        nanos = amount * NANOS_PER_USD
    except InvalidOperation:
        return "dollars such as 5.00, or empty for no budget"
    if not nanos.is_finite() or nanos <= 0 or nanos != nanos.to_integral_value():
        return "more than nothing, in dollars such as 5.00"
    return int(nanos)


def starts_at(text: str, now: int, zone: ZoneInfo) -> int | str | None:
    """The instant typed, None for now, or as text what would be right."""
    text = text.strip()
    if text in ("", "now"):
        return None
    today = to_datetime(now).astimezone(zone)
    found = _CLOCK.match(text)
    try:
        if found:
            clock = time(int(found[2]), int(found[3]))
            day: date = today.date() + timedelta(days=1 if found[1] else 0)
            moment = datetime.combine(day, clock, zone)
        else:
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    except ValueError:
        return HINTS["starts"]
    if moment <= today:
        return "this time is past"
    return int(from_datetime(moment))
