"""The scripted source's answers about acts: the audit, silences, thresholds, flags, trials, and what acts would do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.kernel.values import DAY, HOUR, MINUTE, usd
from engine.surface import queries
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
from engine.surface.queries import Query
from engine.surface.rows import AuditRow, FlagRow, ShadowRow, SilenceRow


def rows(now: int) -> Mapping[type[Query], Callable[[Any], Sequence[Any]]]:
    """By query, as seen at an instant."""
    return {
        queries.ListAudit: lambda query: [] if query.actor else _audit(now),
        queries.ListSilences: lambda query: [_silence(now)],
        queries.ExplainDelivery: lambda query: [_why(query.delivery_id)],
        queries.ListThresholds: lambda query: _thresholds(now),
        queries.ListFlags: lambda query: _flags(now),
        queries.ListShadows: lambda query: [_shadow()],
        queries.PreviewMessages: lambda query: _messages(query.skip, query.limit),
        queries.PreviewBudget: lambda query: [_budget(query)],
        queries.PreviewRoute: lambda query: [_route(query.tool)],
        queries.PreviewBreaker: lambda query: [_route("message")],
        queries.PreviewThreshold: lambda query: [_threshold(query)],
        queries.PreviewFlag: lambda query: [_flag(query.flag.name)],
        queries.PreviewShadow: lambda query: [_trial(query)],
    }


def _audit(now: int) -> list[AuditRow]:
    acts = (
        ("mia", "set-budget", "global::day", '{"limit_usd":"50"}', '{"limit_usd":"30"}', "done", True),
        ("tom", "pause-campaign", "cmp_1", '{"state":"running"}', '{"state":"paused"}', "done", True),
        ("mia", "purge-jobs", "huntaze-hybrid-workflows", "", "", "done", False),
        ("eve", "resume-account", "acc_nobody", "", "", "refused", False),
    )
    return [
        AuditRow(
            audit_id=100 - at,
            at=now - (at + 1) * 7 * MINUTE,
            actor=actor,
            via="console",
            action=action,
            subject=subject,
            summary=f"{action.replace('-', ' ').capitalize()} {subject}",
            before=before,
            after=after,
            outcome=outcome,
            undoable=undoable,
            undone_by=None,
            why_not="" if undoable else "deleted jobs are gone",
            names={"cmp_1": "spring-ppv"} if subject == "cmp_1" else {},
        )
        for at, (actor, action, subject, before, after, outcome, undoable) in enumerate(acts)
    ]


def _silence(now: int) -> SilenceRow:
    return SilenceRow(
        silence_id="sil_1",
        rule="breaker_open",
        subject="azure*",
        severity="",
        reason="known, being worked on",
        actor="mia",
        created_at=now - HOUR,
        ends_at=now + 3 * HOUR,
        ended_at=None,
        matched=1,
    )


def _why(delivery_id: str) -> WhyRow:
    return WhyRow(
        delivery_id=delivery_id,
        answer="It was not sent yet: full until 14:32:40 (10 messages in 60 s), 412 messages stand before this one.",
        helps="Nothing: the next slot frees by itself.",
        facts=(
            Fact(name="campaign", verdict="ok", text="running"),
            Fact(name="consent", verdict="unknown", text="the platform is asked again right before the send"),
            Fact(name="window", verdict="waits", text="full until 14:32:40 (10 messages in 60 s)"),
        ),
    )


def _thresholds(now: int) -> list[ThresholdRow]:
    day = ThresholdRow(period="day", limit=usd(50), file_limit=usd(50), spent=usd("18.42"), set_by="", set_at=None)
    month = ThresholdRow(
        period="month", limit=usd(900), file_limit=usd(1000), spent=usd("311.07"), set_by="mia", set_at=now - DAY
    )
    return [day, month]


def _threshold(query: queries.PreviewThreshold) -> ThresholdEffectRow:
    return ThresholdEffectRow(
        period="day" if query.day is not None else "month",
        before=usd(50),
        after=query.day or query.month,
        spent=usd("18.42"),
        severity_before="",
        severity_after="warning",
    )


def _flags(now: int) -> list[FlagRow]:
    names = ("use_hybrid_orchestrator", "use_kept_answers")
    return [
        FlagRow(
            name=name, about="what it switches", enabled=True, percentage=100, allow=(), deny=(), changed_at=now,
            changed_by="mia",
        )
        for name in names
    ]  # fmt: skip


def _flag(name: str) -> FlagEffectRow:
    return FlagEffectRow(
        name=name,
        users=12,
        before=12,
        after=3,
        described_before="on, 100 %, 0 allowed, 0 denied",
        described_after="on, 25 %, 0 allowed, 0 denied",
    )


def _shadow() -> ShadowRow:
    return ShadowRow(
        tool="message",
        target="deepseek/deepseek-chat",
        percentage=5.0,
        budget=usd(1),
        spent_today=usd("0.12"),
        fans=False,
        compared=40,
        failed=1,
        duration=40_000_000_000,
        shadow_duration=60_000_000_000,
        cost=usd("0.04"),
        shadow_cost=usd("0.01"),
        length=4_000,
        shadow_length=4_400,
        likeness=32_000,
    )


def _trial(query: queries.PreviewShadow) -> ShadowEffectRow:
    return ShadowEffectRow(
        tool=query.tool, target=query.target, tasks=1_200, tried=60, cost=usd("0.03"), budget=query.budget
    )


def _messages(skip: int, limit: int) -> list[MessageRow]:
    return [
        MessageRow(
            number=at + 1,
            fans=812,
            fan_id=f"fan_{at}",
            fan_name=f"Fan {at}",
            kind="text",
            text=f"Hello Fan {at}, something new waits for you.",
            blocked="",
            risk="none",
            risk_reason="",
        )
        for at in range(skip, min(812, skip + limit))
    ]


def _budget(query: queries.PreviewBudget) -> BudgetEffectRow:
    return BudgetEffectRow(
        scope=query.scope,
        key=query.key,
        window=query.window,
        before=usd(50),
        after=query.limit,
        spent=usd("18.42"),
        held=0,
        left=None if query.limit is None else max(0, query.limit - usd("18.42")),
        resets_at=None,
        pauses=("spring-ppv", "renewals"),
        goes_on=(),
        actions=("stop",),
    )


def _route(tool: str) -> RouteEffectRow:
    return RouteEffectRow(
        tool=tool,
        before="openai/gpt-4o-mini",
        after="deepseek/deepseek-chat",
        cost_before=usd("0.0011"),
        cost_after=usd("0.0003"),
        why="the cheapest for this task",
        order=("deepseek/deepseek-chat", "openai/gpt-4o-mini"),
    )
