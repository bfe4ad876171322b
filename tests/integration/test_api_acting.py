"""What an act would do, thresholds, and why a message was not sent, over HTTP; checked against the OpenAPI document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.kernel.errors import CommandRefused, Refusal
from engine.kernel.values import usd
from engine.surface.commands import FlagSetting, ResetThreshold, ScheduleCampaign, SetThreshold, SettleDeliveries
from engine.surface.effects import (
    BudgetEffectRow,
    Fact,
    FlagEffectRow,
    MessageRow,
    RouteEffectRow,
    ShadowEffectRow,
    ThresholdEffectRow,
    ThresholdRow,
    WhyRow,
)
from engine.surface.queries import (
    ExplainDelivery,
    ListThresholds,
    PreviewBreaker,
    PreviewBudget,
    PreviewFlag,
    PreviewMessages,
    PreviewRoute,
    PreviewShadow,
    PreviewThreshold,
)
from tests.fakes import MORNING
from tests.integration.test_api_desk import FakeDesk, Reply, Served, serving

THRESHOLDS = "/api/v2/costs/thresholds"
DAY = ThresholdRow(period="day", limit=usd(30), file_limit=usd(50), spent=usd("18.42"), set_by="ada", set_at=MORNING)
MONTH = ThresholdRow(period="month", limit=None, file_limit=usd(1000), spent=usd(311), set_by="ada", set_at=MORNING)
ROUTE = RouteEffectRow(
    tool="message",
    before="openai/gpt-4o-mini",
    after="deepseek/deepseek-chat",
    cost_before=usd("0.0011"),
    cost_after=None,
    why="the cheapest",
    order=("deepseek/deepseek-chat",),
)


async def ask(served: Served, method: str, path: str, *, route: str = "", json: Any = None) -> Reply:
    return await served.client.request(method, path, route=route, token=True, json=json)


async def test_thresholds_are_shown_with_what_the_file_says(tmp_path: Path) -> None:
    async with serving(tmp_path, FakeDesk(answers={ListThresholds: (DAY, MONTH)})) as served:
        reply = await served.client.get(THRESHOLDS)

    day, month = reply.json()["thresholds"]
    assert (day["limit_usd"], day["file_limit_usd"], day["spent_usd"], day["set_by"]) == (
        "30.00", "50.00", "18.42", "ada",
    )  # fmt: skip
    assert month["limit_usd"] is None


@pytest.mark.parametrize(
    ("body", "command"),
    [
        ({"day_usd": "30.00"}, SetThreshold(actor="api", day=usd(30))),
        ({"month_usd": None}, SetThreshold(actor="api", month=0)),
        ({"day_usd": "1", "month_usd": "2"}, SetThreshold(actor="api", day=usd(1), month=usd(2))),
    ],
)
async def test_a_threshold_that_is_left_out_stays_and_null_gives_none(
    tmp_path: Path, body: Any, command: SetThreshold
) -> None:
    async with serving(tmp_path, FakeDesk(answers={ListThresholds: (DAY, MONTH)})) as served:
        reply = await ask(served, "PUT", THRESHOLDS, json=body)

    assert reply.status == 200
    assert served.desk.submitted == [command]


@pytest.mark.parametrize(("body", "field"), [({}, "day_usd"), ({"day_usd": "-1"}, "day_usd"), ({"dai": 1}, "dai")])
async def test_a_threshold_that_means_nothing_is_refused(tmp_path: Path, body: Any, field: str) -> None:
    async with serving(tmp_path) as served:
        reply = await ask(served, "PUT", THRESHOLDS, json=body)

    assert (reply.status, reply.json()["field"]) == (400, field)
    assert served.desk.submitted == []


async def test_a_dry_run_of_a_threshold_changes_nothing(tmp_path: Path) -> None:
    effect = ThresholdEffectRow(
        period="day", before=usd(50), after=usd(10), spent=usd(18), severity_before="", severity_after="critical"
    )
    desk = FakeDesk(answers={ListThresholds: (DAY, MONTH), PreviewThreshold: (effect,)})
    async with serving(tmp_path, desk) as served:
        reply = await ask(served, "PUT", THRESHOLDS, json={"day_usd": "10", "dry_run": True})

    (told,) = reply.json()["effects"]
    assert (told["after_usd"], told["severity_after"]) == ("10.00", "critical")
    assert served.desk.submitted == []


async def test_the_file_decides_over_thresholds_again(tmp_path: Path) -> None:
    async with serving(tmp_path, FakeDesk(answers={ListThresholds: (DAY, MONTH)})) as served:
        assert (await ask(served, "DELETE", THRESHOLDS)).status == 200

    assert served.desk.submitted == [ResetThreshold(actor="api")]


async def test_a_campaign_is_scheduled_and_its_uncertain_sends_settled(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        where = "/api/v2/campaigns/{campaign_id}"
        body = {"schedule_at": "2026-11-21T18:30:00+00:00"}
        first = await ask(served, "POST", "/api/v2/campaigns/cmp_1/schedule", route=f"{where}/schedule", json=body)
        second = await ask(
            served, "POST", "/api/v2/campaigns/cmp_1/settle", route=f"{where}/settle", json={"outcome": "sent"}
        )

    assert (first.status, second.status) == (200, 200)
    scheduled, settled = served.desk.submitted
    assert isinstance(scheduled, ScheduleCampaign)
    assert scheduled.starts_at is not None
    assert settled == SettleDeliveries(actor="api", campaign_id="cmp_1", outcome="sent")


async def test_a_message_says_why_it_was_not_sent(tmp_path: Path) -> None:
    row = WhyRow(
        delivery_id="dlv_1",
        answer="It was not sent yet: the account is paused.",
        helps="Resume it.",
        facts=(Fact(name="account", verdict="waits", text="paused"),),
    )
    async with serving(tmp_path, FakeDesk(answers={ExplainDelivery: (row,)})) as served:
        reply = await served.client.get("/api/v2/deliveries/dlv_1/why", route="/api/v2/deliveries/{delivery_id}/why")

    assert reply.json()["answer"] == row.answer
    assert reply.json()["facts"] == [{"name": "account", "verdict": "waits", "text": "paused"}]


async def test_a_delivery_nobody_knows_is_not_found(tmp_path: Path) -> None:
    refusal = CommandRefused(Refusal.NOT_FOUND, "there is no delivery 'x'", field="delivery_id")
    async with serving(tmp_path, FakeDesk(answers={ExplainDelivery: refusal})) as served:
        reply = await served.client.get("/api/v2/deliveries/x/why", route="/api/v2/deliveries/{delivery_id}/why")

    assert reply.status == 404


async def test_limits_routes_and_breakers_are_previewed_without_a_command(tmp_path: Path) -> None:
    budget = BudgetEffectRow(
        scope="global", key="", window="day", before=usd(50), after=usd(30), spent=usd(18), held=0, left=usd(12),
        resets_at=MORNING, pauses=("spring",), goes_on=(), actions=("stop",),
    )  # fmt: skip
    desk = FakeDesk(answers={PreviewBudget: (budget,), PreviewRoute: (ROUTE,), PreviewBreaker: (ROUTE,)})
    async with serving(tmp_path, desk) as served:
        first = await ask(
            served, "POST", "/api/v2/budgets/preview", json={"scope": "global", "window": "day", "limit_usd": "30"}
        )
        second = await ask(
            served,
            "POST",
            "/api/v2/routes/message/preview",
            route="/api/v2/routes/{tool}/preview",
            json={"chain": ["deepseek/deepseek-chat"]},
        )
        third = await ask(
            served,
            "POST",
            "/api/v2/breakers/openai/gpt-4o-mini/preview",
            route="/api/v2/breakers/{provider}/{model}/preview",
            json={"state": "open"},
        )

    assert (first.json()["left_usd"], first.json()["pauses"]) == ("12.00", ["spring"])
    assert second.json()["effects"][0]["after"] == "deepseek/deepseek-chat"
    assert third.json()["effects"][0]["cost_after_usd"] is None
    assert served.desk.submitted == []


async def test_flags_and_trials_are_previewed_without_a_command(tmp_path: Path) -> None:
    flag = FlagEffectRow(
        name="use_kept_answers", users=40, before=40, after=10, described_before="on", described_after="25 %"
    )
    trial = ShadowEffectRow(tool="message", target="x/y", tasks=900, tried=9, cost=usd("0.12"), budget=usd("1.50"))
    desk = FakeDesk(answers={PreviewFlag: (flag,), PreviewShadow: (trial,)})
    async with serving(tmp_path, desk) as served:
        first = await ask(
            served,
            "POST",
            "/api/admin/feature-flags/preview",
            json={"flags": {"use_kept_answers": {"percentage": 25}, "use_hybrid_orchestrator": {"enabled": False}}},
        )
        second = await ask(
            served,
            "POST",
            "/api/v2/shadow/message/preview",
            route="/api/v2/shadow/{tool}/preview",
            json={"target": "x/y", "percentage": 1.0, "budget_usd": "1.50"},
        )

    assert [(row["before"], row["after"]) for row in first.json()["flags"]] == [(40, 10), (40, 10)]
    assert (second.json()["tried"], second.json()["cost_usd"], second.json()["budget_usd"]) == (9, "0.12", "1.50")
    assert desk.asked == [
        PreviewFlag(flag=FlagSetting(name="use_kept_answers", percentage=25)),
        PreviewFlag(flag=FlagSetting(name="use_hybrid_orchestrator", enabled=False)),
        PreviewShadow(tool="message", target="x/y", percentage=1.0, budget=usd("1.50")),
    ]
    assert served.desk.submitted == []


async def test_a_drafts_messages_are_shown_a_page_at_a_time(tmp_path: Path) -> None:
    message = MessageRow(
        number=4, fans=9, fan_id="f3", fan_name="Zoë", kind="text", text="Hello Zoë", blocked="", risk="none",
        risk_reason="",
    )  # fmt: skip
    draft = {"name": "x", "account_id": "anna", "audience": {"all": True}, "template": "Hello {{name}}"}
    async with serving(tmp_path, FakeDesk(answers={PreviewMessages: (message,)})) as served:
        reply = await ask(served, "POST", "/api/v2/campaigns/messages", json={**draft, "skip": 3, "limit": 1})

    assert reply.json()["messages"][0]["text"] == "Hello Zoë"
    (asked,) = served.desk.asked
    assert isinstance(asked, PreviewMessages)
    assert (asked.skip, asked.limit) == (3, 1)
