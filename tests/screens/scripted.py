"""A source whose every answer is written down here: the same screens, to the character, every time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from engine import events
from engine.events import Recorded, to_fields
from engine.kernel.errors import CommandRefused, EngineUnavailable, Refusal
from engine.kernel.values import DAY, HOUR, MILLISECOND, MINUTE, SECOND, Instant, from_datetime, usd
from engine.surface.commands import Audience, CampaignDraft, Command, Done
from engine.surface.queries import (
    CheckHealth,
    CostBreakdown,
    CostHistory,
    EstimateCampaign,
    ExplainRoute,
    GetCampaign,
    GetDraft,
    GetJob,
    GetTrace,
    GetWorkflow,
    ListAlerts,
    ListBudgets,
    ListCalls,
    ListCampaigns,
    ListDeliveries,
    ListEvents,
    ListGauges,
    ListJobs,
    ListLimits,
    ListLogs,
    ListPriorities,
    ListRoutes,
    Monitor,
    MonitorHistory,
    Page,
    Query,
    QueueHistory,
)
from engine.surface.rows import (
    AlertRow,
    AttemptRow,
    BreakdownRow,
    BudgetRow,
    CallRow,
    CandidateRow,
    CostCourseRow,
    DeliveryRow,
    EstimateRow,
    EventRow,
    GaugeRow,
    JobRow,
    LimitRow,
    LogRow,
    MonitorCourseRow,
    MonitorRow,
    PriorityRow,
    QueueCourseRow,
    RouteRow,
    WorkflowRow,
    WorkflowStep,
)
from engine.surface.snapshot import (
    AccountView,
    AlertView,
    CampaignView,
    EngineView,
    ModelView,
    MoneyView,
    QueueView,
    RecoveryView,
    Snapshot,
    SyncView,
)
from screens.source import Link
from tests.screens import scripted_acts

NOW = from_datetime(datetime(2026, 11, 20, 14, 32, 5, tzinfo=UTC))
STATES = ("normal", "empty", "failing", "huge", "stale")


class ScriptedSource:
    """Answers from a snapshot and from rows made of counters. `submitted` keeps what was commanded."""

    def __init__(self, state: str = "normal") -> None:
        self.state = state
        self.shown = snapshot(state)
        self.linked = Link(attached=state == "stale", up=state != "stale", since=_ago(12 * SECOND), now=NOW, note="")
        if state == "stale":
            self.linked = replace(self.linked, since=_ago(72 * SECOND), note="the engine cannot be reached")
        self.submitted: list[Command] = []
        self.asked: list[Query] = []
        self.refuse: CommandRefused | None = None
        self.rows: dict[type[Query], Callable[[Any], Sequence[Any]]] = dict(_ROWS)
        self.events: tuple[Recorded, ...] = () if state == "empty" else recent()

    def snapshot(self) -> Snapshot:
        return self.shown

    def link(self) -> Link:
        return self.linked

    async def query(self, query: Query) -> Page[Any]:
        self.asked.append(query)
        await asyncio.sleep(0)
        if self.state in ("failing", "stale"):
            raise EngineUnavailable("the database did not answer within 5 s", remedy="It is tried again by itself")
        if self.state == "empty" and not isinstance(query, EstimateCampaign):
            return Page(())
        rows = self.rows[type(query)](query)
        if self.state == "huge" and isinstance(query, ListDeliveries | ListJobs):
            return _page_of(query, 100_000)
        if getattr(query, "offset", None) is not None:
            return _arranged(query, rows, self.shown.event_id)
        return Page(tuple(rows), None, self.shown.event_id)

    async def submit(self, command: Command) -> Done:
        await asyncio.sleep(0)
        if self.refuse is not None:
            raise self.refuse
        self.submitted.append(command)
        return Done(f"{type(command).__name__} done")

    def recent(self, after: int) -> Sequence[Recorded]:
        return tuple(one for one in self.events if one.seq > after)

    def become(self, **changes: Any) -> None:
        """Show a changed snapshot."""
        self.shown = replace(self.shown, seq=self.shown.seq + 1, **changes)


def _ago(span: int) -> Instant:
    return Instant(NOW - span)


# ── snapshots ───────────────────────────────────────────────────────────────────────────────────────────────────────


def snapshot(state: str) -> Snapshot:
    if state == "empty":
        return Snapshot(epoch="e1", seq=1, at=NOW, engine=engine(), money=MoneyView(day="2026-11-20"))
    found = Snapshot(
        epoch="e1",
        seq=4_182,
        at=NOW,
        engine=engine(),
        money=money(),
        models={f"{model.provider}/{model.model}": model for model in models()},
        queues={each.queue: each for each in queues()},
        accounts={account.account_id: account for account in accounts()},
        campaigns={campaign.campaign_id: campaign for campaign in campaigns()},
        alerts={alert.alert_id: alert for alert in alerts()},
        sync=SyncView(state="ok", unsynced=0, oldest_at=None),
        recoveries={"quick-reply": recovery()},
    )
    return huge(found) if state == "huge" else found


def engine() -> EngineView:
    return EngineView(
        node="anna-1",
        version="0.1.0",
        kind="daemon",
        mode="simulated",
        state="running",
        started_at=_ago(5 * HOUR),
        speed=60.0,
        seed=7,
        time_zone="UTC",
    )


def history(scale: int) -> tuple[tuple[int, int], ...]:
    minute = NOW - NOW % MINUTE
    waves = (2, 3, 2, 4, 5, 4, 6, 9, 12, 15, 11, 8, 7, 5, 4, 3, 4, 6, 8, 13)
    return tuple((minute - back * MINUTE, waves[(59 - back) % len(waves)] * scale) for back in range(59, -1, -1))


def money() -> MoneyView:
    return MoneyView(
        day="2026-11-20",
        day_ends=NOW + 9 * HOUR,
        month_ends=NOW + 10 * 24 * HOUR,
        today=usd("18.42"),
        month=usd("311.07"),
        today_calls=12_706,
        today_tokens=9_812_440,
        today_estimated=usd("0.21"),
        today_unpriced=3,
        month_unpriced=3,
        day_threshold=usd(50),
        month_threshold=usd(1000),
        minutes=history(4_800_000),
    )


def models() -> tuple[ModelView, ...]:
    return (
        _model("azure", "gpt-4-turbo", "9.10", 1_204, 2_100, failed=52, breaker="open"),
        _model("openai", "gpt-4o-mini", "5.02", 8_311, 800, failed=0),
        _model("anthropic", "claude-sonnet-4-5", "3.11", 201, 3_000, failed=0),
        _model("deepseek", "deepseek-chat", "0.98", 2_950, 1_200, failed=4, breaker="half_open"),
        _model("xai", "grok-3", "0.21", 40, 2_200, failed=0),
    )


def _model(
    provider: str, name: str, today: str, calls: int, p95: int, *, failed: int, breaker: str = "closed"
) -> ModelView:
    return ModelView(
        provider=provider,
        model=name,
        today=usd(today),
        month=usd(today) * 17,
        calls=calls,
        failed=failed * calls // 100,
        input_tokens=calls * 640,
        output_tokens=calls * 120,
        minutes=history(usd(today) // 400),
        latencies=tuple(p95 * MILLISECOND * (40 + at * 60 // 95) // 100 for at in range(100)),
        outcomes=tuple(at >= failed for at in range(100)),
        breaker=breaker,
        breaker_reason="52 % of 100 calls failed: server_error" if breaker == "open" else "",
        breaker_since=_ago(2 * MINUTE) if breaker != "closed" else 0,
        retry_at=NOW + 20 * SECOND if breaker == "open" else None,
        last_error="server_error" if failed else "",
        last_error_at=_ago(20 * SECOND) if failed else 0,
    )


def queues() -> tuple[QueueView, ...]:
    return (
        QueueView(queue="huntaze-hybrid-workflows", ready=12, leased=8, oldest_at=_ago(SECOND)),
        QueueView(
            queue="huntaze-rate-limiter-queue", ready=418, leased=10, delayed=31, dead=2, oldest_at=_ago(38 * MINUTE)
        ),
        QueueView(queue="huntaze-notifications"),
    )


def accounts() -> tuple[AccountView, ...]:
    return (
        AccountView(
            account_id="acc_anna", name="anna", slots={f"s{at}": NOW + (18 + 9 * at) * SECOND for at in range(3)}
        ),
        AccountView(
            account_id="acc_bella", name="bella", slots={f"s{at}": NOW + (4 + 5 * at) * SECOND for at in range(10)}
        ),
        AccountView(account_id="acc_carla", name="carla"),
        AccountView(account_id="acc_dora", name="dora", paused="the platform answered 401: the token was withdrawn"),
    )


def campaigns() -> tuple[CampaignView, ...]:
    return (
        CampaignView(
            campaign_id="cmp_1",
            name="spring-ppv",
            account_id="acc_anna",
            tool="message",
            state="running",
            created_at=_ago(HOUR),
            budget=usd(5),
            cost=usd("1.23"),
            counts={"sent": 412, "queued": 540, "pending": 40, "skipped": 21, "failed": 5, "uncertain": 3},
        ),
        CampaignView(
            campaign_id="cmp_2",
            name="renewals",
            account_id="acc_bella",
            tool="message",
            state="paused",
            reason="by the operator",
            created_at=_ago(3 * HOUR),
            cost=usd("0.08"),
            counts={"sent": 38, "queued": 182},
        ),
        CampaignView(
            campaign_id="cmp_3",
            name="welcome-fr",
            account_id="acc_carla",
            tool="quick-reply",
            state="awaiting_approval",
            created_at=_ago(20 * MINUTE),
            cost=usd("0.02"),
            counts={"drafted": 25},
        ),
        CampaignView(
            campaign_id="cmp_4",
            name="black-friday",
            account_id="acc_anna",
            tool="message",
            state="draft",
            created_at=_ago(2 * HOUR),
            starts_at=NOW + 3 * HOUR,
            counts={"pending": 800},
        ),
        CampaignView(
            campaign_id="cmp_5",
            name="halloween",
            account_id="acc_bella",
            tool="message",
            state="finished",
            created_at=_ago(20 * 24 * HOUR),
            cost=usd("2.41"),
            counts={"sent": 980, "failed": 12, "skipped": 8},
        ),
    )


def alerts() -> tuple[AlertView, ...]:
    return (
        AlertView(
            alert_id="alr_1",
            rule="breaker-open",
            subject="azure/gpt-4-turbo",
            severity="critical",
            summary="azure gpt-4-turbo: breaker open, 52 % of calls failed",
            opened_at=_ago(2 * MINUTE),
        ),
        AlertView(
            alert_id="alr_2",
            rule="dead-letters",
            subject="huntaze-rate-limiter-queue",
            severity="warning",
            summary="2 dead jobs in rate-limiter-queue",
            opened_at=_ago(21 * MINUTE),
        ),
        AlertView(
            alert_id="alr_3",
            rule="limiter-saturated",
            subject="acc_bella",
            severity="warning",
            summary="bella: window full since 14:20",
            opened_at=_ago(12 * MINUTE),
            acknowledged_by="mia",
        ),
    )


def huge(found: Snapshot) -> Snapshot:
    """Everything a hundredfold."""
    many = {
        f"acc_{at}": AccountView(
            account_id=f"acc_{at}", name=f"creator-{at:03}", slots={f"s{n}": NOW + n * SECOND for n in range(at % 11)}
        )
        for at in range(300)
    }
    live = {
        f"cmp_{at}": replace(
            campaigns()[at % 5],
            campaign_id=f"cmp_{at}",
            name=f"campaign-{at:04}",
            account_id=f"acc_{at % 300}",
            counts={"sent": 61_234 + at, "queued": 38_766 - at},
        )
        for at in range(200)
    }
    open_ = {f"alr_{at}": replace(alerts()[at % 3], alert_id=f"alr_{at}") for at in range(120)}
    rich = replace(found.money, today=usd("48211.07"), month=usd("1311450.2"), today_calls=12_706_112)
    return replace(found, accounts=many, campaigns=live, alerts=open_, money=rich)


def recent() -> tuple[Recorded, ...]:
    """Twenty calls and a few louder events, newest last."""
    calls = [_settled(at) for at in range(20)]
    louder: list[events.Event] = [
        events.BreakerChanged(
            at=_ago(2 * MINUTE),
            provider="azure",
            model="gpt-4-turbo",
            state="open",
            reason="52 % failed",
            retry_at=NOW + 20 * SECOND,
        ),
        events.DeliveryMoved(
            at=_ago(3 * SECOND),
            delivery_id="dlv_9",
            campaign_id="cmp_1",
            account_id="acc_anna",
            fan_id="fan_77",
            before="sending",
            after="sent",
            reason="",
        ),
    ]
    found = sorted([*calls, *louder], key=lambda event: event.at)
    return tuple(Recorded(4_182 - len(found) + 1 + at, event) for at, event in enumerate(found))


def _settled(at: int) -> events.CallSettled:
    return events.CallSettled(
        at=_ago((20 - at) * 7 * SECOND),
        attempt_id=f"att_{at}",
        provider="openai",
        model="gpt-4o-mini",
        tool="message",
        campaign_id="cmp_1",
        account_id="acc_anna",
        tenant_id="",
        user_id="",
        trace_id=f"trc_{at}",
        outcome="ok" if at % 7 else "timeout",
        basis="measured",
        cost=123_456 + at * 1_000,
        input_tokens=600,
        cached_tokens=0,
        output_tokens=90,
        reasoning_tokens=0,
        duration=800 * MILLISECOND,
    )


# ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def breakdown(query: CostBreakdown) -> list[BreakdownRow]:
    groups = [
        ("azure", "gpt-4-turbo", "9.10", 1_204),
        ("openai", "gpt-4o-mini", "5.02", 8_311),
        ("anthropic", "claude-sonnet-4-5", "3.11", 201),
        ("deepseek", "deepseek-chat", "0.98", 2_950),
        ("xai", "grok-3", "0.21", 40),
    ]
    other = {
        "tool": "message",
        "campaign": "cmp_1",
        "account": "acc_anna",
        "day": "2026-11-20",
        "hour": "2026-11-20T14",
    }
    rows = []
    for at, (provider, model, cost, calls) in enumerate(groups):
        values = {"provider": provider, "model": model}
        dimensions = {
            name: values.get(name) or (f"{other.get(name, '')}{'' if at == 0 else f'-{at}'}") for name in query.by
        }
        rows.append(
            BreakdownRow(
                dimensions=dimensions,
                calls=calls,
                input_tokens=calls * 640,
                cached_tokens=calls * 64,
                output_tokens=calls * 120,
                reasoning_tokens=0,
                cost=usd(cost),
                measured=usd(cost) - usd("0.04"),
                estimated=usd("0.04"),
                measured_input_tokens=calls * 630,
                measured_output_tokens=calls * 118,
                unpriced_calls=3 if at == 3 else 0,
                failed_calls=calls // 90,
            )
        )
    return rows


def calls(query: ListCalls) -> list[CallRow]:
    return [
        CallRow(
            attempt_id=f"att_{at:04}",
            at=_ago(at * 9 * SECOND),
            provider=query.where.get("provider", "openai"),
            model=query.where.get("model", "gpt-4o-mini"),
            tool="message",
            campaign_id="cmp_1",
            account_id="acc_anna",
            tenant_id="",
            user_id="",
            trace_id=f"trc_{at}",
            job_id=f"job_{at}",
            outcome="ok" if at % 9 else "timeout",
            basis="measured" if at % 9 else "estimated",
            cost=123_456 * (at + 1) if at % 13 else None,
            input_tokens=612 + at,
            cached_tokens=0,
            output_tokens=91,
            reasoning_tokens=0,
            price_source="genai-prices",
            price_date="2026-11-01",
            duration=(700 + at * 13) * MILLISECOND,
        )
        for at in range(60)
    ]


def job(at: int, queue: str = "huntaze-rate-limiter-queue", state: str = "") -> JobRow:
    kinds = ("ready", "leased", "dead", "delayed", "parked")
    found = state or kinds[at % 5]
    return JobRow(
        job_id=f"job_{at:05}",
        queue=queue or "huntaze-rate-limiter-queue",
        lane=f"acc_{at % 3}",
        batch="cmp_1",
        state=found,
        priority=at % 3,
        attempts=at % 4,
        max_attempts=5,
        put_at=_ago(40 * MINUTE),
        ready_at=_ago(38 * MINUTE - at * SECOND),
        leased_until=NOW + 20 * SECOND if found == "leased" else None,
        cause="platform answered 500 five times" if found == "dead" else "",
        payload='{"delivery_id":"dlv_77","campaign_id":"cmp_1"}',
    )


def delivery(at: int, state: str = "", campaign: str = "cmp_1") -> DeliveryRow:
    kinds = ("drafted", "sent", "uncertain", "failed", "queued", "skipped")
    found = state or kinds[at % 6]
    reasons = {
        "failed": "the platform refused the message",
        "skipped": "opted out",
        "uncertain": "the answer never came",
    }
    return DeliveryRow(
        delivery_id=f"dlv_{at:05}",
        campaign_id=campaign,
        account_id="acc_anna",
        fan_id=f"fan_{at:05}",
        fan_name=f"Fan {at}",
        state=found,
        reason=reasons.get(found, ""),
        text=f"Hey Fan {at}, the new set is up and I thought of you. Want a first look tonight?",
        text_digest=f"sha{at}",
        platform_id="",
        attempts=at % 3,
        cost=91_000 + at,
        changed_at=_ago(at * SECOND),
    )


def alert(at: int) -> AlertRow:
    view = alerts()[at % 3]
    closed = at >= 3
    return AlertRow(
        alert_id=f"alr_{at + 1}",
        rule=view.rule,
        subject=view.subject,
        severity=view.severity,
        summary=view.summary,
        opened_at=view.opened_at - at * HOUR,
        resolved_at=view.opened_at - at * HOUR + 9 * MINUTE if closed else None,
        acknowledged_by=view.acknowledged_by,
        acknowledged_at=_ago(MINUTE) if view.acknowledged_by else None,
        notices=2,
        last_notice_error="",
    )


def estimate(query: EstimateCampaign) -> list[EstimateRow]:
    if query.draft.account_id == "nobody":
        raise CommandRefused(Refusal.NOT_FOUND, "no account nobody", field="account_id")
    return [
        EstimateRow(
            fans=1_000,
            left_out={"opted out": 21, "messaged in the last 24 h": 130},
            cost_low=usd("1.90"),
            cost_high=usd("3.40"),
            unpriced=False,
            provider="openai",
            model="gpt-4o-mini",
            starts_at=NOW,
            finish_at=NOW + 100 * MINUTE + 24 * HOUR,
            previews=("Hey Lena, the new set is up.", "Hey Tom, the new set is up.", "Hey Ida, the new set is up.")
            if query.draft.template
            else (),
            warnings=("The budget covers about 1,400 of the dearest messages.",),
        )
    ]


def _arranged(query: Any, rows: Sequence[Any], event_id: str) -> Page[Any]:
    """As the engine filters and sorts, by words alone."""
    found = [row for row in rows if all(word.split(":")[-1] in str(row).casefold() for word in query.find)]
    if query.order:
        field = {"fan": "fan_name"}.get(query.order.removeprefix("-"), query.order.removeprefix("-"))
        found.sort(key=lambda row: getattr(row, field), reverse=query.order.startswith("-"))
    return Page(tuple(found[query.offset : query.offset + query.limit]), None, event_id, len(found))


def _page_of(query: Any, total: int) -> Page[Any]:
    if getattr(query, "offset", None) is not None:
        rows = tuple(delivery(at) for at in range(query.offset, min(query.offset + query.limit, total)))
        return Page(rows, None, "e1:4182", total)
    start = int(query.cursor or 0)
    end = min(start + query.limit, total)
    make = delivery if isinstance(query, ListDeliveries) else job
    return Page(tuple(make(at) for at in range(start, end)), str(end) if end < total else None, "e1:4182")


def windows(query: ListLimits) -> Sequence[LimitRow]:
    """Three providers' windows, one of them slowed, and two users'."""
    rows = (
        ("global", "", "requests", "minute", 212, 600, 600),
        ("provider", "openai", "requests", "minute", 30, 60, 33),
        ("provider", "openai", "tokens", "hour", 812_000, 2_000_000, 2_000_000),
        ("account", "acc_anna", "requests", "day", 480, 2_000, 2_000),
        ("user_at", "anthropic/user-07", "requests", "minute", 50, 50, 50),
        ("user_at", "openai/user-07", "requests", "day", 9_120, 10_000, 10_000),
    )
    return [
        LimitRow(
            layer=layer,
            key=key,
            measure=measure,
            per=window,
            used=used,
            limit=limit,
            allowed=allowed,
            frees_at=NOW + (at + 1) * 7 * SECOND,
        )
        for at, (layer, key, measure, window, used, limit, allowed) in enumerate(rows)
    ]


def budgets(query: ListBudgets) -> Sequence[BudgetRow]:
    """One of each window: at ease, near its limit, at it, and one that never begins anew."""
    rows = (
        ("global", "", "day", "50", "21.40", "1.35", 0, 9 * HOUR),
        ("account", "acc_anna", "hour", "2.50", "2.08", "0.12", 80, 22 * MINUTE),
        ("provider", "anthropic", "month", "300", "300", "0", 100, 10 * DAY),
        ("campaign", "cmp_1", "total", "5", "1.20", "0", 0, None),
    )
    return [
        BudgetRow(
            scope=scope,
            key=key,
            window=window,
            limit=usd(limit),
            spent=usd(spent),
            held=usd(held),
            percent=told,
            began_at=None if left is None else NOW - HOUR,
            resets_at=None if left is None else NOW + left,
            actions=("clamp", "downgrade", "stop") if at == 0 else ("stop",),
            time_zone="Europe/Paris",
            origin="file" if at == 0 else "command",
        )
        for at, (scope, key, window, limit, spent, held, told, left) in enumerate(rows)
    ]


def gauges(query: ListGauges) -> Sequence[GaugeRow]:
    """Every model with a call today, one of them not measured lately, and one that only stands in a chain."""
    figures: tuple[tuple[str, str, int | None, int, float], ...]
    figures = (("azure", "gpt-4-turbo", None, 0, 0.61), ("openai", "gpt-4o-mini", 820, 3, 0.98))
    figures += (("anthropic", "claude-sonnet-4-5", 2_950, 1, 0.96), ("deepseek", "deepseek-chat", 1_180, 2, 0.93))
    figures += (("xai", "grok-3", 2_140, 0, 0.91), ("gemini", "gemini-2.5-flash", None, 0, 0.9))
    return [
        GaugeRow(
            provider=provider,
            model=model,
            latency=None if latency is None else latency * MILLISECOND,
            in_flight=in_flight,
            quality=quality,
            tools=("message", "quick-reply") if provider != "xai" else (),
        )
        for provider, model, latency, in_flight, quality in figures
    ]


def recovery() -> RecoveryView:
    return RecoveryView(
        tool="quick-reply",
        count=3,
        last_at=_ago(HOUR),
        failed="openai/gpt-4o-mini",
        target="deepseek/deepseek-chat",
        reason="rate_limit",
        latencies=(SECOND, 2 * SECOND, 4 * SECOND),
    )


def routes(query: ListRoutes) -> Sequence[RouteRow]:
    file = ("openai/gpt-4o-mini", "deepseek/deepseek-chat", "anthropic/claude-sonnet-4-5")
    plain = RouteRow(
        tool="message",
        strategy="fixed",
        chain=file,
        weights=(),
        too_slow=None,
        set_by="",
        set_at=None,
        file_strategy="fixed",
        file_chain=file,
        file_weights=(),
        file_too_slow=None,
    )
    set_ = replace(plain, tool="quick-reply", strategy="weighted", chain=file[:2], weights=(3, 1), too_slow=5 * SECOND)
    return [plain, replace(plain, tool="content-plan"), replace(set_, set_by="ada", set_at=_ago(3 * HOUR))]


def candidates(query: ExplainRoute) -> Sequence[CandidateRow]:
    taken = CandidateRow(
        position=1,
        provider="openai",
        model="gpt-4o-mini",
        verdict="taken",
        flaw="",
        why="costs at most 0.0003258 USD" if query.strategy == "cheapest" else "number 1 of its chain",
        worst_cost=usd("0.0003258"),
        latency=820 * MILLISECOND,
        in_flight=3,
        quality=0.98,
        room=usd("31.58"),
    )
    slow = replace(taken, position=2, provider="anthropic", model="claude-sonnet-4-5", verdict="stands_in")
    slow = replace(slow, flaw="too_slow", why="8.1 s expected where 5.0 s is the most, so it stands last")
    slow = replace(slow, worst_cost=usd("0.009432"), latency=8_100 * MILLISECOND, quality=0.96)
    shut = replace(taken, position=0, provider="azure", model="gpt-4-turbo", verdict="breaker_open", latency=None)
    shut = replace(shut, why="its breaker is open and tries a call in 20.0 s", worst_cost=None, room=None)
    return [taken, slow, shut]


def workflow(query: GetWorkflow) -> Sequence[WorkflowRow]:
    """A campaign in the middle: some texts written, some waiting for a yes, nothing sent yet."""
    plain = WorkflowStep(
        step="plan",
        state="done",
        waits_for="",
        entered=1_000,
        open=0,
        passed=979,
        outcomes={"chosen": 979, "left out": 21},
        tries=1,
        retries=0,
        cause="",
        caused_at=None,
        started_at=_ago(HOUR),
        ended_at=_ago(HOUR),
    )
    begun = replace(plain, state="running", started_at=_ago(50 * MINUTE), ended_at=None)
    return [
        WorkflowRow(
            workflow_id="wf_1",
            campaign_id=query.workflow_id,
            name="spring-ppv",
            graph="campaign",
            state="running",
            created_at=_ago(HOUR),
            ended_at=None,
            steps=(
                plain,
                replace(
                    begun,
                    step="generate",
                    waits_for="engine",
                    entered=979,
                    open=567,
                    passed=412,
                    outcomes={"written": 412},
                    tries=6,
                    retries=3,
                    cause="openai/gpt-4o-mini answered 500",
                    caused_at=_ago(4 * MINUTE),
                ),
                replace(begun, step="moderate", entered=412, passed=410, outcomes={"passed": 410, "blocked": 2}),
                replace(
                    begun,
                    step="approve",
                    state="waiting",
                    waits_for="person",
                    entered=410,
                    open=410,
                    passed=0,
                    outcomes={},
                ),
                replace(
                    begun,
                    step="send",
                    state="waiting",
                    waits_for="engine",
                    entered=0,
                    passed=0,
                    outcomes={},
                    tries=12,
                    started_at=None,
                ),
            ),
            edges=(),
        )
    ]


def passed(query: Monitor) -> Sequence[MonitorRow]:
    names = {
        "tool": ("message", "quick-reply"),
        "model": ("openai/gpt-4o-mini", "azure/gpt-4-turbo"),
        "provider": ("openai", "azure"),
        "endpoint": ("GET /api/v2/snapshot", "POST /api/v2/query"),
    }
    return [
        MonitorRow(
            kind=query.kind,
            name=name,
            at=_ago(HOUR),
            calls=1_204 // (at + 1),
            errors=at * 31,
            refused=3,
            fallbacks=at * 12,
            error_rate=at * 0.052,
            fallback_rate=None if query.kind == "endpoint" else at * 0.02,
            per_minute=20.07 / (at + 1),
            p50=640 * MILLISECOND,
            p95=1_850 * MILLISECOND,
            p99=4_120 * MILLISECOND,
            first_p50=None,
            first_p95=None,
            rating=4.4 - at if query.kind != "endpoint" else None,
            ratings=17 if query.kind != "endpoint" else 0,
        )
        for at, name in enumerate(names[query.kind])
    ]


def earlier(query: ListEvents) -> Sequence[EventRow]:
    """What the log holds from before the live events, and the first of those."""
    event = _settled(0)
    return [
        EventRow(event_id=f"e1:{4_100 + at}", at=_ago((30 - at) * MINUTE), kind="CallSettled", fields=to_fields(event))
        for at in range(3)
    ]


def records(query: ListLogs) -> Sequence[LogRow]:
    """The engine's log: as many records as fill a screen, of every level."""
    said = (
        ("info", "engine.bus.mqtt", "connected to the MQTT broker at 127.0.0.1:8883", ""),
        ("debug", "engine.queue.worker", "leased 8 jobs", ""),
        ("warning", "engine.messaging.sender", "anna waits: cannot ask the platform who opted out: no answer", ""),
        ("error", "engine.runtime.services", "consent broke and begins again: no answer", "TimeoutError at fans.py:88"),
    )
    least = ("", "debug", "info", "warning", "error", "critical").index(query.level)
    rows = [
        LogRow(
            seq=at + 1,
            at=_ago((60 - at) * MINUTE),
            level=said[at % 4][0],
            area=said[at % 4][1],
            message=said[at % 4][2],
            fields={"job": f"write_dlv_{at}"} if at % 4 == 1 else {},
            error=said[at % 4][3],
            trace=("services.py:74 in _supervise", "fans.py:88 in read", "TimeoutError") if said[at % 4][3] else (),
        )
        for at in range(60)
    ]
    order = ("", "debug", "info", "warning", "error", "critical")
    found = [row for row in rows if order.index(row.level) >= least]
    return [row for row in found if row.seq > query.after] if query.after is not None else found[-query.limit :]


def cost_courses(query: CostHistory) -> Sequence[CostCourseRow]:
    """Each group's spend in 60 steps, in waves; the whole first."""
    span = query.span if query.from_ is None else NOW - query.from_
    step = max(SECOND, span // 60)
    waves = (2, 3, 2, 4, 5, 4, 6, 9, 12, 15, 11, 8, 7, 5, 4, 3, 4, 6, 8, 13)
    groups = [{}, *(row.dimensions for row in breakdown(CostBreakdown(by=query.by)))] if query.by else [{}]
    return [
        CostCourseRow(
            dimensions=dimensions,
            at=_ago(60 * step) + SECOND,
            step=step,
            cost=tuple(waves[(each + at) % 20] * 4_800_000 // (at or 1) for each in range(60)),
            calls=tuple(waves[(each + at) % 20] for each in range(60)),
            failed=(0,) * 60,
        )
        for at, dimensions in enumerate(groups)
    ]


def queue_courses(query: QueueHistory) -> Sequence[QueueCourseRow]:
    """A queue that filled and is being worked off; nobody looked in the first steps."""
    depth = (*(None,) * 6, *(at * 20 for at in range(27)), *(540 - at * 5 for at in range(27)))
    nothing = (*(None,) * 6, *(0,) * 54)
    return [
        QueueCourseRow(
            queue=queue.queue,
            at=_ago(59 * MINUTE) - 5 * SECOND,
            step=max(MINUTE, query.span // 60),
            ready=depth if queue.ready else nothing,
            delayed=nothing,
            leased=tuple(None if one is None else min(one, 10) for one in depth),
            parked=nothing,
            dead=nothing,
            waited=tuple(None if one is None else one * 4 * SECOND for one in depth),
        )
        for queue in queues()
        if not query.queue or queue.queue == query.queue
    ]


def monitor_courses(query: MonitorHistory) -> Sequence[MonitorCourseRow]:
    waves = (2, 3, 2, 4, 5, 4, 6, 9, 12, 15, 11, 8, 7, 5, 4, 3, 4, 6, 8, 13)
    names = [f"{model.provider}/{model.model}" for model in models()] if query.kind == "model" else None
    return [
        MonitorCourseRow(
            kind=query.kind,
            name=name,
            at=_ago(59 * MINUTE) - 5 * SECOND,
            step=max(MINUTE, query.span // 60),
            calls=tuple(waves[(each + at) % 20] for each in range(60)),
            errors=tuple(at % 2 for _ in range(60)),
            p50=tuple(None if each < 4 else 600 * MILLISECOND + waves[each % 20] * MILLISECOND for each in range(60)),
            p95=tuple(None if each < 4 else 1_500 * MILLISECOND + waves[each % 20] * 40_000_000 for each in range(60)),
            p99=tuple(None if each < 4 else 4 * SECOND for each in range(60)),
        )
        for at, name in enumerate(names or [row.name for row in passed(Monitor(kind=query.kind))])
    ]


def priorities(query: ListPriorities) -> Sequence[PriorityRow]:
    figures = (("high", 12, 0, 2, 40), ("normal", 300, 30, 8, 2_280), ("bulk", 106, 1, 0, 900))
    return [
        PriorityRow(
            queue=query.queue or queues()[1].queue,
            priority=name,
            ready=ready,
            delayed=delayed,
            leased=leased,
            oldest_at=_ago(waited * SECOND),
        )
        for name, ready, delayed, leased, waited in figures
    ]


def attempts(query: GetTrace) -> Sequence[AttemptRow]:
    """A model that timed out, its second try, the one that took over, and one that is still asked."""
    first = AttemptRow(
        attempt_id="att_0000",
        began_at=_ago(20 * SECOND),
        ended_at=_ago(12 * SECOND),
        provider="azure",
        model="gpt-4-turbo",
        tool="message",
        outcome="timeout",
        basis="estimated",
        cost=1_200_000,
        held=None,
        held_by=(),
        input_tokens=612,
        cached_tokens=0,
        output_tokens=0,
        rating=None,
        shared_by=0,
    )
    again = replace(first, attempt_id="att_0000b", began_at=_ago(11 * SECOND), ended_at=_ago(9 * SECOND))
    other = replace(first, attempt_id="att_0001", began_at=_ago(9 * SECOND), ended_at=_ago(8 * SECOND), rating=4.0)
    other = replace(other, provider="openai", model="gpt-4o-mini", outcome="ok", basis="measured", output_tokens=91)
    held = replace(first, attempt_id="att_0002", began_at=_ago(SECOND), ended_at=None, outcome="", basis="", cost=None)
    held = replace(held, provider="xai", model="grok-3", held=9_000_000, held_by=("campaign:cmp_1 total",))
    return [first, again, other, held]


_ROWS: dict[type[Query], Callable[[Any], Sequence[Any]]] = {
    CostBreakdown: breakdown,
    ListCalls: calls,
    ListJobs: lambda query: [job(at, query.queue, query.state) for at in range(30)],
    GetJob: lambda query: [job(2)],
    ListCampaigns: lambda query: list(campaigns()),
    GetCampaign: lambda query: [one for one in campaigns() if one.campaign_id == query.campaign_id],
    GetDraft: lambda query: [
        CampaignDraft(name="spring-ppv", account_id="acc_anna", audience=Audience(all=True), prompt="Say hello")
    ],
    ListDeliveries: lambda query: [delivery(at, query.state, query.campaign_id) for at in range(40)],
    ListLimits: windows,
    ListBudgets: budgets,
    ListAlerts: lambda query: [alert(at) for at in range(3 if query.open_only else 12)],
    EstimateCampaign: estimate,
    ListGauges: gauges,
    ListRoutes: routes,
    GetWorkflow: workflow,
    Monitor: passed,
    ExplainRoute: candidates,
    CheckHealth: lambda query: [],
    ListEvents: earlier,
    ListLogs: records,
    CostHistory: cost_courses,
    QueueHistory: queue_courses,
    MonitorHistory: monitor_courses,
    ListPriorities: priorities,
    GetTrace: attempts,
    **scripted_acts.rows(NOW),
}
