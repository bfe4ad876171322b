"""What makes a draft acceptable. Pure; every refusal names the field and what would be right."""

from __future__ import annotations

import re
from collections.abc import Collection

from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.fanlist import MOST_FANS
from engine.kernel.text import clean
from engine.kernel.values import DAY, MINUTE, NANOS_PER_USD, decimal_usd
from engine.surface.commands import CampaignDraft

NAME_LENGTH = 120
PROMPT_LENGTH = 8_000
LARGEST_BUDGET = 1_000_000_000 * NANOS_PER_USD  # a sum of such still fits the database's 64 bits
FURTHEST_START = 3_653 * DAY

_ID = re.compile(r"[A-Za-z0-9._@:-]{1,128}")


def check(draft: CampaignDraft, *, tools: Collection[str], now: int) -> None:
    """Raises CommandRefused(INVALID) for the first thing wrong with a draft."""
    _check_names(draft)
    _check_audience(draft)
    _check_text(draft)
    if draft.tool not in tools:
        raise _wrong("tool", f"there is no tool {draft.tool!r}; the tools are {', '.join(sorted(tools))}")
    _check_figures(draft)
    check_start(draft.starts_at, now)


def check_start(starts_at: int | None, now: int) -> None:
    """Raises CommandRefused(INVALID) for a start in the past or too far ahead."""
    if starts_at is not None and starts_at < now - MINUTE:
        raise _wrong("schedule_at", "the start lies in the past; leave it out to start at once")
    if starts_at is not None and starts_at > now + FURTHEST_START:
        raise _wrong("schedule_at", "the start lies more than ten years ahead")


def _check_names(draft: CampaignDraft) -> None:
    if not draft.name.strip() or len(draft.name) > NAME_LENGTH:
        raise _wrong("name", f"a name is 1 to {NAME_LENGTH} characters")
    if clean(draft.name) != draft.name:
        raise _wrong("name", "a name is one line, without marks that cannot be seen or pile up")
    if not _ID.fullmatch(draft.account_id):
        raise _wrong("account_id", "an account id is 1 to 128 letters, digits and . _ @ : -")


def _check_audience(draft: CampaignDraft) -> None:
    audience = draft.audience
    if [audience.all, bool(audience.tag), bool(audience.fan_ids)].count(True) != 1:
        raise _wrong("audience", 'an audience is exactly one of {"all": true}, {"tag": …} and {"fan_ids": […]}')
    if len(audience.fan_ids) > MOST_FANS:
        raise _wrong("audience.fan_ids", f"at most {MOST_FANS:,} fans can be listed")
    bad = next((fan_id for fan_id in audience.fan_ids if not _ID.fullmatch(fan_id)), None)
    if bad is not None:
        raise _wrong("audience.fan_ids", f"{bad[:40]!r} is not a fan id: 1 to 128 letters, digits and . _ @ : -")


def _check_figures(draft: CampaignDraft) -> None:
    if draft.budget is not None and draft.budget <= 0:
        raise _wrong("budget_usd", "a budget must be more than nothing; leave it out for none")
    if draft.budget is not None and draft.budget > LARGEST_BUDGET:
        raise _wrong("budget_usd", f"a budget is at most {decimal_usd(LARGEST_BUDGET)} dollars")


def _check_text(draft: CampaignDraft) -> None:
    if bool(draft.prompt.strip()) == bool(draft.template.strip()):
        raise _wrong("prompt", "give either a prompt for the model or a template, not both and not neither")
    if len(draft.prompt) > PROMPT_LENGTH:
        raise _wrong("prompt", f"a prompt has at most {PROMPT_LENGTH:,} characters")


def _wrong(field: str, message: str) -> CommandRefused:
    return CommandRefused(Refusal.INVALID, message, field=field)
