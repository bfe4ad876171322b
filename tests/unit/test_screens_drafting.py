"""What a campaign form makes of what was typed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from engine.kernel.values import HOUR, MINUTE, from_datetime, usd
from engine.surface.commands import Audience, CampaignDraft
from screens.drafting import Checked, Form, check

_NOW = from_datetime(datetime(2026, 11, 20, 14, 32, tzinfo=UTC))
_GOOD = Form(name="spring", account="acc_anna", text="say hello")


def checked(**changes: str) -> Checked:
    return check(replace(_GOOD, **changes), _NOW, ZoneInfo("UTC"))


def test_a_good_form_is_a_draft_that_waits_for_approval() -> None:
    assert checked().draft == CampaignDraft(
        name="spring", account_id="acc_anna", audience=Audience(all=True), prompt="say hello", approval="required"
    )


def test_a_template_is_not_a_prompt() -> None:
    draft = checked(kind="template", text="Hi {name}").draft

    assert draft is not None
    assert (draft.prompt, draft.template) == ("", "Hi {name}")


@pytest.mark.parametrize(
    ("text", "audience"),
    [
        ("all", Audience(all=True)),
        ("tag vip", Audience(tag="vip")),
        ("fans f1, f2 f3", Audience(fan_ids=("f1", "f2", "f3"))),
    ],
)
def test_the_audience_is_all_a_tag_or_a_list(text: str, audience: Audience) -> None:
    draft = checked(audience=text).draft

    assert draft is not None
    assert draft.audience == audience


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("now", None),
        ("18:32", _NOW + 4 * HOUR),
        ("tomorrow 14:32", _NOW + 24 * HOUR),
        ("2026-11-20 15:00", _NOW + 28 * MINUTE),
    ],
)
def test_a_start_is_written_as_one_says_it(text: str, instant: int | None) -> None:
    draft = checked(starts=text).draft

    assert draft is not None
    assert draft.starts_at == instant


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("name", " "), ("account", ""), ("audience", "everyone"), ("audience", "tag"), ("tool", "hammer"), ("text", ""),
        ("budget", "five"), ("budget", "0"), ("budget", "NaN"), ("budget", "0.0000000001"),
        ("starts", "soon"), ("starts", "13:00"), ("starts", "25:00"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_the_only_one_named(field: str, text: str) -> None:
    found = checked(**{field: text})

    assert found.draft is None
    assert list(found.errors) == [field]


def test_a_budget_is_exact() -> None:
    draft = checked(budget="$5.000000001").draft

    assert draft is not None
    assert draft.budget == usd("5.000000001")
