"""Each endpoint: what it asks of the desk, and what it answers; each answer checked against the OpenAPI document."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.kernel.errors import (
    BudgetRefused,
    CommandRefused,
    CommitUnknown,
    EngineUnavailable,
    PlatformError,
    Refusal,
    StorageError,
)
from engine.kernel.values import HOUR, MINUTE, SECOND, iso, usd
from engine.surface import commands, queries, wire
from engine.surface.commands import Audience, CampaignDraft, CreateCampaign, Done
from engine.surface.queries import (
    CheckHealth,
    CostBreakdown,
    EstimateCampaign,
    GetCampaign,
    ListAlerts,
    ListCampaigns,
    ListDeliveries,
    ListLimits,
    Page,
)
from engine.surface.rows import AlertRow, BreakdownRow, DeliveryRow, DependencyRow, EstimateRow, LimitRow
from engine.surface.snapshot import (
    AccountView,
    CampaignView,
    ModelView,
    MoneyView,
    QueueView,
    Snapshot,
    SyncView,
)
from tests.fakes import MORNING
from tests.integration.test_api_desk import RUNNING, FakeDesk, serving

HYBRID = "/api/v2/campaigns/hybrid"
STATUS = "/api/v2/campaigns/status"
BREAKDOWN = "/api/v2/costs/breakdown"
HEALTH = "/api/health/hybrid-orchestrator"

WANTED: dict[str, Any] = {
    "name": "Friday",
    "account_id": "anna",
    "audience": {"all": True},
    "tool": "message",
    "prompt": "Say hello to {name}",
    "approval": "required",
    "budget_usd": "5.00",
    "schedule_at": None,
    "start": True,
    "dry_run": False,
}
ESTIMATE = EstimateRow(
    fans=120,
    left_out={"opted_out": 3},
    cost_low=usd("0.01"),
    cost_high=usd("0.25"),
    unpriced=False,
    provider="openai",
    model="gpt-4o-mini",
    starts_at=MORNING,
    finish_at=MORNING + 12 * MINUTE,
    previews=(),
    warnings=(),
)
VIEW = CampaignView(
    campaign_id="cmp_01abc",
    name="Friday",
    account_id="anna",
    tool="message",
    state="running",
    created_at=MORNING,
    budget=usd("5"),
    cost=usd("0.123456789"),
    counts={"sent": 7, "queued": 12, "skipped": 1},
)
BUSY = Snapshot(
    epoch="e1",
    seq=42,
    engine=RUNNING,
    money=MoneyView(day_threshold=usd(50), month_threshold=usd(1000)),
    models={"openai/gpt-4o-mini": ModelView(provider="openai", model="gpt-4o-mini", latencies=(SECOND, 2 * SECOND))},
    queues={"q": QueueView(queue="q", ready=3, oldest_at=MORNING - 5 * SECOND)},
    accounts={"anna": AccountView(account_id="anna", name="Anna", slots={"s": MORNING + 9 * SECOND, "old": MORNING})},
    campaigns={"cmp_01abc": VIEW},
    sync=SyncView(state="behind", unsynced=4, oldest_at=MORNING - MINUTE),
)


def created() -> Done:
    data = {"campaign_id": "cmp_01abc", "workflow_id": "wf_01abc", "status": "running"}
    fields = {name: getattr(ESTIMATE, name) for name in EstimateRow.__dataclass_fields__}
    return Done("Created", {**data, "estimate": fields})


def group(**dimensions: str) -> BreakdownRow:
    return BreakdownRow(
        dimensions=dimensions,
        calls=3,
        input_tokens=100,
        cached_tokens=10,
        output_tokens=40,
        reasoning_tokens=5,
        cost=usd("0.30"),
        measured=usd("0.20"),
        estimated=usd("0.10"),
        measured_input_tokens=80,
        measured_output_tokens=30,
        unpriced_calls=1,
        failed_calls=1,
    )


# ── campaigns ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_campaign_is_created_as_it_was_asked_for(tmp_path: Path) -> None:
    desk = FakeDesk(dones={CreateCampaign: created()})

    async with serving(tmp_path, desk) as served:
        reply = await served.client.post(HYBRID, json=WANTED, headers={"Idempotency-Key": "k-1"})

    assert reply.status == 202
    assert reply.json() == {
        "campaign_id": "cmp_01abc",
        "workflow_id": "wf_01abc",
        "status": "running",
        "estimate": {
            "fans": 120,
            "cost_usd_low": "0.01",
            "cost_usd_high": "0.25",
            "finish_at": "2026-11-20T08:12:00.000000000Z",
        },
    }
    draft = CampaignDraft(
        name="Friday",
        account_id="anna",
        audience=Audience(all=True),
        prompt="Say hello to {name}",
        budget=5_000_000_000,
    )
    assert desk.submitted == [CreateCampaign(actor="api", draft=draft, start=True, key="k-1")]


async def test_a_dry_run_creates_nothing(tmp_path: Path) -> None:
    desk = FakeDesk(answers={EstimateCampaign: [replace(ESTIMATE, cost_low=None, cost_high=None)]})

    async with serving(tmp_path, desk) as served:
        reply = await served.client.post(HYBRID, json={**WANTED, "dry_run": True})

    assert reply.status == 200
    assert (reply.json()["campaign_id"], reply.json()["workflow_id"]) == (None, None)
    assert reply.json()["estimate"]["cost_usd_high"] is None
    assert desk.submitted == []


async def test_a_time_with_an_offset_and_each_audience_reach_the_draft(tmp_path: Path) -> None:
    desk = FakeDesk(dones={CreateCampaign: created()})
    audiences = [{"tag": "vip"}, {"fan_ids": ["f1", "f2"]}]

    async with serving(tmp_path, desk) as served:
        for audience in audiences:
            body = {**WANTED, "audience": audience, "schedule_at": "2026-11-20T18:00:00+01:00"}
            assert (await served.client.post(HYBRID, json=body)).status == 202

    drafts = [command.draft for command in desk.submitted if isinstance(command, CreateCampaign)]
    assert [draft.audience for draft in drafts] == [Audience(tag="vip"), Audience(fan_ids=("f1", "f2"))]
    assert {iso(draft.starts_at or 0) for draft in drafts} == {"2026-11-20T17:00:00.000000000Z"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"budget": "5.00"}, "budget"),
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": None}, "name"),
        ({"account_id": "x" * 201}, "account_id"),
        ({"audience": {}}, "audience"),
        ({"audience": {"all": False}}, "audience"),
        ({"audience": {"all": True, "tag": "vip"}}, "audience"),
        ({"audience": {"everyone": True}}, "audience.everyone"),
        ({"audience": {"fan_ids": [7]}}, "audience.fan_ids.0"),
        ({"prompt": ""}, ""),
        ({"template": "Hi"}, ""),
        ({"approval": "maybe"}, "approval"),
        ({"budget_usd": 5}, "budget_usd"),
        ({"budget_usd": 5.0}, "budget_usd"),
        ({"budget_usd": "0"}, "budget_usd"),
        ({"budget_usd": "-1"}, "budget_usd"),
        ({"budget_usd": "1e9"}, "budget_usd"),
        ({"budget_usd": "5,00"}, "budget_usd"),
        ({"budget_usd": "٥"}, "budget_usd"),
        ({"budget_usd": "NaN"}, "budget_usd"),
        ({"budget_usd": "0.0000000001"}, "budget_usd"),
        ({"budget_usd": "9" * 5_000}, "budget_usd"),
        ({"schedule_at": "2026-11-20T18:00:00"}, "schedule_at"),
        ({"schedule_at": "tomorrow"}, "schedule_at"),
        ({"schedule_at": 1_795_161_600}, "schedule_at"),
        ({"schedule_at": "9999-01-01T00:00:00Z"}, "schedule_at"),
        ({"schedule_at": "0001-01-01T00:00:00+14:00"}, "schedule_at"),
        ({"start": "yes"}, "start"),
        ({"dry_run": 1}, "dry_run"),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_happens(tmp_path: Path, change: dict[str, Any], field: str) -> None:
    async with serving(tmp_path) as served:
        reply = await served.client.post(HYBRID, json={**WANTED, **change})

        assert reply.status == 400
        assert reply.json()["field"] == field
        assert reply.json()["reason"] == "invalid"
        assert (served.desk.submitted, served.desk.asked) == ([], [])


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "schlüssel"])
async def test_a_key_that_is_none_is_refused(tmp_path: Path, key: str) -> None:
    async with serving(tmp_path) as served:
        reply = await served.client.post(HYBRID, json=WANTED, headers={"Idempotency-Key": key})

    assert (reply.status, reply.json()["field"]) == (400, "Idempotency-Key")


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (CommandRefused(Refusal.INVALID, "no", field="draft.budget", remedy="do"), 400, "invalid"),
        (CommandRefused(Refusal.NOT_FOUND, "no", field="draft.budget", remedy="do"), 404, "not_found"),
        (CommandRefused(Refusal.CONFLICT, "no", field="draft.budget", remedy="do"), 409, "conflict"),
        (CommandRefused(Refusal.UNAVAILABLE, "no", field="draft.budget", remedy="do"), 503, "unavailable"),
    ],
)
async def test_a_refusal_keeps_its_reason_its_field_and_its_remedy(
    tmp_path: Path, error: CommandRefused, status: int, reason: str
) -> None:
    async with serving(tmp_path, FakeDesk(dones={CreateCampaign: error})) as served:
        reply = await served.client.post(HYBRID, json=WANTED)

    assert reply.status == status
    assert reply.headers["Content-Type"] == "application/problem+json"
    problem = reply.json()
    assert problem.pop("title")
    assert problem == {
        "type": f"urn:huntaze:problem:{reason}",
        "status": status,
        "detail": "no",
        "field": "budget_usd",
        "reason": reason,
        "remedy": "do",
    }


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (EngineUnavailable("gone"), 503),
        (StorageError("disk full"), 503),
        (CommitUnknown("the commit failed"), 503),
        (BudgetRefused("campaign", "no room"), 409),
        (PlatformError("the platform said 500"), 502),
    ],
)
async def test_each_error_of_the_engine_has_its_status(tmp_path: Path, error: Exception, status: int) -> None:
    async with serving(tmp_path, FakeDesk(dones={CreateCampaign: error})) as served:
        reply = await served.client.post(HYBRID, json=WANTED)

    assert reply.status == status
    assert reply.json()["detail"] in str(error)


async def test_an_unexpected_error_shows_a_trace_id_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(tmp_path, FakeDesk(dones={CreateCampaign: RuntimeError("secret words")})) as served:
        reply = await served.client.post(HYBRID, json={**WANTED, "name": "private name"})

    trace_id = reply.json()["instance"].removeprefix("urn:huntaze:trace:")
    assert reply.status == 500
    assert len(trace_id) == 32
    assert b"secret" not in reply.body
    assert b"RuntimeError" not in reply.body
    assert trace_id in caplog.text
    assert "RuntimeError" in caplog.text
    assert "secret words" not in caplog.text
    assert "private name" not in caplog.text


async def test_the_status_of_one_campaign(tmp_path: Path) -> None:
    desk = FakeDesk(state=BUSY, answers={GetCampaign: [VIEW]})

    async with serving(tmp_path, desk) as served:
        reply = await served.client.get(f"{STATUS}?campaign_id=cmp_01abc")

    found = reply.json()
    assert (found["campaign_id"], found["workflow_id"], found["status"]) == ("cmp_01abc", "wf_01abc", "running")
    assert found["counts"] == {"sent": 7, "queued": 12, "skipped": 1}
    assert (found["fans"], found["cost_usd"], found["budget_usd"]) == (20, "0.123456789", "5.00")
    assert found["eta"] == iso(MORNING + MINUTE)  # nine at once, one in 9 s, two a window after the first


@pytest.mark.parametrize(
    ("state", "engine", "account"),
    [
        ("paused", {}, {}),
        ("finished", {}, {}),
        ("running", {"halted_by": "anna"}, {}),
        ("running", {}, {"paused": "401"}),
    ],
)
async def test_there_is_no_eta_while_nothing_moves(
    tmp_path: Path, state: str, engine: dict[str, Any], account: dict[str, Any]
) -> None:
    anna = replace(BUSY.accounts["anna"], **account)
    still = replace(BUSY, engine=replace(RUNNING, **engine), accounts={"anna": anna})

    async with serving(tmp_path, FakeDesk(state=still, answers={GetCampaign: [replace(VIEW, state=state)]})) as served:
        assert (await served.client.get(f"{STATUS}?campaign_id=cmp_01abc")).json()["eta"] is None


async def test_a_scheduled_campaigns_eta_counts_from_its_start(tmp_path: Path) -> None:
    scheduled = replace(VIEW, state="scheduled", starts_at=MORNING + HOUR, counts={"pending": 20})

    async with serving(tmp_path, FakeDesk(state=BUSY, answers={GetCampaign: [scheduled]})) as served:
        found = (await served.client.get(f"{STATUS}?campaign_id=cmp_01abc")).json()

    assert found["eta"] == iso(MORNING + HOUR + MINUTE)


async def test_without_an_id_all_campaigns_come_in_pages(tmp_path: Path) -> None:
    desk = FakeDesk(state=BUSY, answers={ListCampaigns: Page((VIEW,), "next-1", "e1:42")})

    async with serving(tmp_path, desk) as served:
        reply = await served.client.get(f"{STATUS}?state=running&account_id=anna&limit=1&cursor=c")

    assert [row["campaign_id"] for row in reply.json()["campaigns"]] == ["cmp_01abc"]
    assert (reply.json()["next"], reply.json()["as_of"]) == ("next-1", "e1:42")
    assert desk.asked == [ListCampaigns(state="running", account_id="anna", limit=1, cursor="c")]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("Limit=1", "Limit"),
        ("limit=1&limit=2", "limit"),
    ],
)
async def test_a_wrong_parameter_is_named(tmp_path: Path, query: str, field: str) -> None:
    async with serving(tmp_path) as served:
        reply = await served.client.get(f"{STATUS}?{query}")

    assert (reply.status, reply.json()["field"]) == (400, field)


async def test_an_unknown_campaign_is_not_found(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        assert (await served.client.get(f"{STATUS}?campaign_id=cmp_none")).status == 404
        path = "/api/v2/campaigns/cmp_none/deliveries"
        assert (await served.client.get(path, route="/api/v2/campaigns/{campaign_id}/deliveries")).status == 404


@pytest.mark.parametrize(
    ("verb", "command"),
    [
        ("start", commands.StartCampaign),
        ("pause", commands.PauseCampaign),
        ("resume", commands.ResumeCampaign),
        ("cancel", commands.CancelCampaign),
    ],
)
@pytest.mark.parametrize("body", [{}, {"json": {}}])
async def test_a_campaign_is_moved(tmp_path: Path, verb: str, command: Any, body: dict[str, Any]) -> None:
    desk = FakeDesk(answers={GetCampaign: [VIEW]}, dones={command: Done("Moved")})

    async with serving(tmp_path, desk) as served:
        route = f"/api/v2/campaigns/{{campaign_id}}/{verb}"
        reply = await served.client.post(f"/api/v2/campaigns/cmp_01abc/{verb}", route=route, **body)

    assert reply.status == 200
    assert (reply.json()["status"], reply.json()["summary"]) == ("running", "Moved")
    assert desk.submitted == [command(actor="api", campaign_id="cmp_01abc")]


async def test_texts_are_approved_by_what_was_read(tmp_path: Path) -> None:
    digest = "ab" * 32

    async with serving(tmp_path) as served:
        path, route = "/api/v2/campaigns/cmp_1/approve", "/api/v2/campaigns/{campaign_id}/approve"
        approved = await served.client.post(path, route=route, json={"texts": {"dlv_1": digest}})
        missing = await served.client.post(path, route=route, json={})
        short = await served.client.post(path, route=route, json={"texts": {"dlv_1": "abc"}})

    assert [approved.status, missing.status, short.status] == [200, 400, 400]
    assert (missing.json()["field"], short.json()["field"]) == ("texts", "texts.dlv_1")
    expected = commands.ApproveDeliveries(actor="api", campaign_id="cmp_1", texts={"dlv_1": digest})
    assert served.desk.submitted == [expected]


async def test_texts_are_rejected_with_a_reason(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        path, route = "/api/v2/campaigns/cmp_1/reject", "/api/v2/campaigns/{campaign_id}/reject"
        reply = await served.client.post(path, route=route, json={"delivery_ids": ["d1"], "reason": "too long"})

    assert reply.status == 200
    expected = commands.RejectDeliveries(actor="api", campaign_id="cmp_1", delivery_ids=("d1",), reason="too long")
    assert served.desk.submitted == [expected]


async def test_a_campaigns_deliveries(tmp_path: Path) -> None:
    row = DeliveryRow(
        delivery_id="d1",
        campaign_id="cmp_01abc",
        account_id="anna",
        fan_id="f1",
        fan_name="Bo\x1b[31m",
        state="uncertain",
        reason="timeout",
        text="Hi",
        text_digest="",
        platform_id="",
        attempts=1,
        cost=7,
        changed_at=MORNING,
    )
    desk = FakeDesk(answers={GetCampaign: [VIEW], ListDeliveries: [row]})

    async with serving(tmp_path, desk) as served:
        route = "/api/v2/campaigns/{campaign_id}/deliveries"
        reply = await served.client.get("/api/v2/campaigns/cmp_01abc/deliveries?state=uncertain", route=route)

    (found,) = reply.json()["deliveries"]
    assert (found["cost_usd"], found["changed_at"]) == ("0.000000007", iso(MORNING))
    assert desk.asked[-1] == ListDeliveries(campaign_id="cmp_01abc", state="uncertain")


async def test_an_uncertain_send_is_settled(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        path, route = "/api/v2/deliveries/d1/settle", "/api/v2/deliveries/{delivery_id}/settle"
        settled = await served.client.post(path, route=route, json={"outcome": "again"})
        wrong = await served.client.post(path, route=route, json={"outcome": "maybe"})

    assert [settled.status, wrong.status] == [200, 400]
    assert served.desk.submitted == [commands.SettleDelivery(actor="api", delivery_id="d1", outcome="again")]


# ── costs ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_breakdown_has_its_dimensions_beside_its_sums(tmp_path: Path) -> None:
    rows = [group(provider="openai", day="2026-11-20"), group(provider="azure", day="2026-11-20")]
    desk = FakeDesk(answers={CostBreakdown: rows})

    async with serving(tmp_path, desk) as served:
        reply = await served.client.get(BREAKDOWN, params={"by": "provider, day"})

    assert set(reply.json()) == {"total_usd", "rows"}
    assert reply.json()["total_usd"] == "0.60"
    assert reply.json()["rows"][0] == {
        "provider": "openai",
        "day": "2026-11-20",
        "calls": 3,
        "input_tokens": 100,
        "cached_tokens": 10,
        "output_tokens": 40,
        "reasoning_tokens": 5,
        "cost_usd": "0.30",
        "measured_usd": "0.20",
        "estimated_usd": "0.10",
        "measured_input_tokens": 80,
        "measured_output_tokens": 30,
        "unpriced_calls": 1,
    }
    assert desk.asked == [CostBreakdown(by=("provider", "day"))]


async def test_a_date_means_midnight_in_the_costs_time_zone(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        params = {"from": "2026-11-20", "to": "2026-11-21T00:00:00+01:00"}
        assert (await served.client.get(BREAKDOWN, params=params)).status == 200

    (asked,) = served.desk.asked
    assert isinstance(asked, CostBreakdown)
    assert iso(asked.from_ or 0) == "2026-11-19T23:00:00.000000000Z"
    assert (asked.to or 0) - (asked.from_ or 0) == 24 * HOUR


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("by=colour", "by"),
        ("by=", "by"),
        ("by=provider,provider", "by"),
        ("from=yesterday", "from"),
        ("to=2026-13-01", "to"),
        ("from=2026-11-20T08:00:00", "from"),
        ("from=2026-11-20T08:00:00+01:00", "from"),  # an unescaped + is a space
        ("from=2026-11-21&to=2026-11-20", "from"),
        ("from=2026-11-20&to=2026-11-20", "from"),
        ("from=9999-12-31", "from"),
        ("from_=2026-11-20", "from_"),
        ("since=2026-11-20", "since"),
    ],
)
async def test_a_wrong_period_or_dimension_is_named(tmp_path: Path, query: str, field: str) -> None:
    async with serving(tmp_path) as served:
        reply = await served.client.get(f"{BREAKDOWN}?{query}")

        assert (reply.status, reply.json()["field"]) == (400, field)
        assert served.desk.asked == []


async def test_the_stats_never_count_unpriced_calls_as_free(tmp_path: Path) -> None:
    desk = FakeDesk(state=BUSY, answers={CostBreakdown: [group(provider="openai"), group(provider="azure")]})

    async with serving(tmp_path, desk) as served:
        found = (await served.client.get("/api/v2/costs/stats")).json()

    assert (found["day"], found["time_zone"]) == ("2026-11-20", "Europe/Paris")
    assert (found["today"]["calls"], found["today"]["unpriced_calls"]) == (6, 2)
    assert (found["today"]["cost_usd"], found["today"]["average_cost_usd"]) == ("0.60", "0.15")
    assert found["thresholds"] == {"day_usd": "50.00", "month_usd": "1000.00"}
    assert found["sync"] == {"state": "behind", "unsynced": 4, "lag_seconds": 60.0, "error": ""}
    assert [row["provider"] for row in found["by_provider"]] == ["openai", "azure"]
    assert found["by_provider"][0]["latency_p95_seconds"] == 2.0
    starts = [iso(asked.from_ or 0) for asked in desk.asked if isinstance(asked, CostBreakdown)]
    assert starts == ["2026-10-31T23:00:00.000000000Z", "2026-11-19T23:00:00.000000000Z"]


async def test_stats_of_nothing_are_zero_and_averages_null(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        found = (await served.client.get("/api/v2/costs/stats")).json()

    assert (found["month"]["cost_usd"], found["month"]["average_cost_usd"]) == ("0.00", None)


# ── the engine ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("states", "engine", "status"),
    [
        ({"database": "ok", "dynamodb": "off"}, "running", 200),
        ({"database": "ok", "platform": "degraded"}, "running", 200),
        ({"database": "ok", "openai/gpt-4o-mini": "down", "azure/gpt-4o": "ok"}, "running", 200),
        ({"database": "ok", "dynamodb": "down"}, "running", 200),
        ({"database": "down"}, "running", 503),
        ({"database": "ok", "platform": "down"}, "running", 503),
        ({"database": "ok", "openai/gpt-4o-mini": "down", "azure/gpt-4o": "down"}, "running", 503),
        ({"database": "ok"}, "draining", 503),
        ({"database": "ok"}, "starting", 503),
    ],
)
async def test_health_tells_a_stranger_the_status_alone(
    tmp_path: Path, states: dict[str, str], engine: str, status: int
) -> None:
    rows = [
        DependencyRow(name=name, state=state, latency=SECOND // 4, error="why", checked_at=MORNING)
        for name, state in states.items()
    ]
    desk = FakeDesk(state=replace(BUSY, engine=replace(RUNNING, state=engine)), answers={CheckHealth: rows})

    async with serving(tmp_path, desk) as served:
        bare = await served.client.get(HEALTH, token=False)
        full = await served.client.get(HEALTH)
        wrong = await served.client.get(HEALTH, token=False, headers={"Authorization": "Bearer no"})

    assert [bare.status, full.status, wrong.status] == [status, status, 401]
    assert bare.json() == {"status": "ok" if status == 200 else "unavailable"}
    dependencies = full.json()["details"]["dependencies"]
    assert {row["name"]: row["state"] for row in dependencies} == states
    assert dependencies[0]["latency_seconds"] == 0.25


async def test_a_database_that_fails_is_a_health_answer(tmp_path: Path) -> None:
    async with serving(tmp_path, FakeDesk(answers={CheckHealth: StorageError("disk full")})) as served:
        bare = await served.client.get(HEALTH, token=False)
        full = await served.client.get(HEALTH)

    assert (bare.status, bare.json()) == (503, {"status": "unavailable"})
    assert full.json()["details"]["dependencies"][0]["last_error"] == "disk full"


async def test_limits_queues_and_the_time_they_stand_at(tmp_path: Path) -> None:
    window = LimitRow(
        layer="provider",
        key="openai",
        measure="requests",
        per="minute",
        used=30,
        limit=60,
        allowed=33,
        frees_at=MORNING + 9 * SECOND,
    )
    async with serving(tmp_path, FakeDesk(state=BUSY, answers={ListLimits: [window]})) as served:
        limits = (await served.client.get("/api/v2/limits")).json()
        queues = (await served.client.get("/api/v2/queue")).json()

    (anna,) = limits["accounts"]
    assert (anna["limit"], anna["allowed"], anna["free"], anna["window_seconds"]) == (10, 10, 9, 60.0)
    (call,) = limits["calls"]
    assert (call["key"], call["used"], call["allowed"], call["limit"]) == ("openai", 30, 33, 60)
    assert call["frees_at"] == iso(MORNING + 9 * SECOND)
    assert anna["taken_until"] == [anna["next_free_at"]] == [iso(MORNING + 9 * SECOND)]
    assert (queues["as_of"], queues["queues"][0]["oldest_age_seconds"]) == ("e1:42", 5.0)


async def test_the_accounts_are_told_also_while_the_store_of_the_calls_cannot_be_asked(tmp_path: Path) -> None:
    gone = CommandRefused(Refusal.UNAVAILABLE, "Redis: no answer in time")
    async with serving(tmp_path, FakeDesk(state=BUSY, answers={ListLimits: gone})) as served:
        limits = (await served.client.get("/api/v2/limits")).json()

    assert len(limits["accounts"]) == 1
    assert (limits["calls"], limits["calls_unknown"]) == ([], "Redis: no answer in time")


async def test_alerts_are_listed_and_acknowledged(tmp_path: Path) -> None:
    row = AlertRow(
        alert_id="al_1",
        rule="day",
        subject="",
        severity="warning",
        summary="50 USD",
        opened_at=MORNING,
        resolved_at=None,
        acknowledged_by="",
        acknowledged_at=None,
        notices=1,
        last_notice_error="",
    )

    async with serving(tmp_path, FakeDesk(answers={ListAlerts: [row]})) as served:
        found = (await served.client.get("/api/v2/alerts?open_only=false&limit=5")).json()
        path, route = "/api/v2/alerts/al_1/acknowledge", "/api/v2/alerts/{alert_id}/acknowledge"
        done = await served.client.post(path, route=route)

    assert found["alerts"][0]["opened_at"] == iso(MORNING)
    assert served.desk.asked == [ListAlerts(open_only=False, limit=5)]
    assert done.json() == {"summary": "Done"}
    assert served.desk.submitted == [commands.AcknowledgeAlert(actor="api", alert_id="al_1")]


async def test_all_sending_is_stopped_and_resumed(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        assert (await served.client.post("/api/v2/stop")).status == 200
        assert (await served.client.post("/api/v2/resume", json={})).status == 200
        assert (await served.client.post("/api/v2/stop", json={"account": "anna"})).status == 400

    assert served.desk.submitted == [commands.HaltSending(actor="api"), commands.ResumeSending(actor="api")]


async def test_the_snapshot_crosses_whole_with_the_engines_time(tmp_path: Path) -> None:
    async with serving(tmp_path, FakeDesk(state=BUSY)) as served:
        reply = await served.client.get("/api/v2/snapshot")

    assert wire.load_snapshot(reply.body) == BUSY
    assert reply.headers["X-Huntaze-Now"] == str(MORNING)


async def test_queries_and_commands_cross_by_their_names(tmp_path: Path) -> None:
    query = queries.ListCampaigns(state="running")
    desk = FakeDesk(state=BUSY, answers={ListCampaigns: [VIEW]}, dones={CreateCampaign: created()})
    draft = CampaignDraft(name="n", account_id="anna", audience=Audience(all=True), prompt="p", starts_at=MORNING)
    command = CreateCampaign(actor="operator", draft=draft, key="k")

    async with serving(tmp_path, desk) as served:
        typed = {"Content-Type": "application/json"}
        page = await served.client.post("/api/v2/query", data=wire.dump_query(query), headers=typed)
        done = await served.client.post("/api/v2/command", data=wire.dump_command(command), headers=typed)

    assert wire.load_page(query, page.body) == Page((VIEW,), None, "e1:42")
    assert wire.load_done(done.body).data["estimate"]["finish_at"] == ESTIMATE.finish_at
    assert (desk.asked, desk.submitted) == ([query], [command])


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/api/v2/query", {"query": "DropTables"}, "query"),
        ("/api/v2/query", {"query": "ListJobs", "fields": {"limit": 0}}, "limit"),
        ("/api/v2/query", {"query": "ListJobs", "fields": {"limit": 1001}}, "limit"),
        ("/api/v2/query", {"query": "GetJob"}, "job_id"),
        ("/api/v2/query", [], "query"),
        ("/api/v2/command", {"command": "HaltEverything"}, "command"),
        ("/api/v2/command", {"command": "PauseCampaign", "fields": {"campaign_id": 7}}, "campaign_id"),
    ],
)
async def test_a_query_or_command_that_means_nothing_is_named(tmp_path: Path, path: str, body: Any, field: str) -> None:
    async with serving(tmp_path) as served:
        reply = await served.client.post(path, json=body)

        assert (reply.status, reply.json()["field"]) == (400, field)
        assert (served.desk.asked, served.desk.submitted) == ([], [])


async def test_the_front_door_needs_no_token(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        welcome = await served.client.get("/", token=False)

    assert welcome.json()["openapi"] == "/openapi.json"
