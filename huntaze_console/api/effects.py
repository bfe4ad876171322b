"""What an act would do, over HTTP: nothing is changed by asking. And why a message was not sent."""

from __future__ import annotations

from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field

from engine.kernel.values import nanos
from engine.surface.commands import ScheduleCampaign, SettleDeliveries
from engine.surface.effects import BudgetEffectRow, RouteEffectRow
from engine.surface.queries import (
    ExplainDelivery,
    PreviewBreaker,
    PreviewBudget,
    PreviewFlag,
    PreviewMessages,
    PreviewRoute,
    PreviewShadow,
)
from huntaze_console.api.budgets import ScopeName, WindowName
from huntaze_console.api.call import ACTOR, Call, answer
from huntaze_console.api.fields import BudgetUsd, FutureTime, Id, TimeOrNull, Usd, UsdOrNull
from huntaze_console.api.middleware import FlagsRequest, ShadowRequest
from huntaze_console.api.resilience import BreakerRequest
from huntaze_console.api.routing import RouteRequest
from huntaze_console.api.shapes import AnswerShape, CampaignRequest, NoQuery, Outcome, RequestShape


class ScheduleRequest(RequestShape):
    schedule_at: FutureTime = None
    """When to begin; null: as soon as it can."""


class SettleManyRequest(RequestShape):
    outcome: Literal["sent", "failed", "again"]
    delivery_ids: Annotated[tuple[Id, ...], Field(max_length=10_000)] = ()
    """None: every uncertain one of the campaign."""


class BudgetPreview(RequestShape):
    scope: ScopeName
    key: Annotated[str, Field(max_length=200)] = ""
    window: WindowName = "total"
    limit_usd: BudgetUsd = None
    """Null: the limit is taken away."""


class RoutePreview(RouteRequest):
    reset: bool = Field(default=False, strict=True)
    """What the file says, instead of a change."""


class MessagesRequest(CampaignRequest):
    """A draft, as for its creation, and the fans whose messages are shown."""

    skip: Annotated[int, Field(strict=True, ge=0)] = 0
    limit: Annotated[int, Field(strict=True, ge=1, le=100)] = 3


class WhyFact(AnswerShape):
    """One thing that was looked at."""

    name: str
    verdict: str
    """ok, waits, stops or unknown"""
    text: str


class Why(AnswerShape):
    delivery_id: str
    answer: str
    """One sentence."""
    helps: str
    """What can be done; empty where nothing has to be."""
    facts: list[WhyFact]


class BudgetEffect(AnswerShape):
    scope: str
    key: str
    window: str
    before_usd: UsdOrNull
    after_usd: UsdOrNull
    spent_usd: Usd
    held_usd: Usd
    left_usd: UsdOrNull
    resets_at: TimeOrNull
    pauses: list[str]
    """Names of campaigns that would find no room for their next text."""
    goes_on: list[str]
    """Of those that wait for it and would find room."""
    actions: list[str]


class RouteEffect(AnswerShape):
    """Whom a tool's tasks go to now and would go to then; the costs are of a text as long as the tool's lately were."""

    tool: str
    before: str
    after: str
    """provider/model; empty: nobody."""
    cost_before_usd: UsdOrNull
    cost_after_usd: UsdOrNull
    why: str
    order: list[str]


class RouteEffects(AnswerShape):
    as_of: str
    effects: list[RouteEffect]


class FlagEffect(AnswerShape):
    """For how many of the users who called in the last 7 days a flag is on now, and would be then."""

    name: str
    users: int
    before: int
    after: int
    described_before: str
    described_after: str


class FlagEffects(AnswerShape):
    as_of: str
    flags: list[FlagEffect]


class ShadowEffect(AnswerShape):
    """What a trial would come to a day, by the tool's tasks of the last 24 hours."""

    tool: str
    target: str
    tasks: int
    tried: int
    cost_usd: UsdOrNull
    """At most, and within the budget; null where no price is known."""
    budget_usd: Usd


class FanMessage(AnswerShape):
    number: int
    fans: int
    fan_id: str
    fan_name: str
    kind: str
    """text: what is sent; prompt: what the model is asked."""
    text: str
    blocked: str
    risk: str
    risk_reason: str


class FanMessages(AnswerShape):
    as_of: str
    messages: list[FanMessage]


async def schedule(call: Call) -> web.Response:
    wanted = await call.body(ScheduleRequest)
    command = ScheduleCampaign(actor=ACTOR, campaign_id=call.part("campaign_id"), starts_at=wanted.schedule_at)
    return answer(Outcome(summary=(await call.desk.submit(command)).summary))


async def settle_many(call: Call) -> web.Response:
    wanted = await call.body(SettleManyRequest)
    command = SettleDeliveries(
        actor=ACTOR, campaign_id=call.part("campaign_id"), outcome=wanted.outcome, delivery_ids=wanted.delivery_ids
    )
    return answer(Outcome(summary=(await call.desk.submit(command)).summary))


async def why(call: Call) -> web.Response:
    call.query(NoQuery)
    (row,) = (await call.desk.query(ExplainDelivery(delivery_id=call.part("delivery_id")))).rows
    facts = [WhyFact.model_validate(fact) for fact in row.facts]
    return answer(Why(delivery_id=row.delivery_id, answer=row.answer, helps=row.helps, facts=facts))


async def messages(call: Call) -> web.Response:
    wanted = await call.body(MessagesRequest)
    page = await call.desk.query(PreviewMessages(draft=wanted.draft(), skip=wanted.skip, limit=wanted.limit))
    return answer(FanMessages(as_of=page.as_of, messages=[FanMessage.model_validate(row) for row in page.rows]))


async def budget(call: Call) -> web.Response:
    wanted = await call.body(BudgetPreview)
    query = PreviewBudget(scope=wanted.scope, key=wanted.key, window=wanted.window, limit=wanted.limit_usd)
    return answer(_budget((await call.desk.query(query)).rows[0]))


async def route(call: Call) -> web.Response:
    wanted = await call.body(RoutePreview)
    query = PreviewRoute(
        tool=call.part("tool"),
        strategy=wanted.strategy or "",
        chain=wanted.chain,
        weights=wanted.weights,
        too_slow=None if wanted.too_slow_seconds is None else nanos(wanted.too_slow_seconds),
        reset=wanted.reset,
    )
    page = await call.desk.query(query)
    return answer(RouteEffects(as_of=page.as_of, effects=[_route(row) for row in page.rows]))


async def breaker(call: Call) -> web.Response:
    wanted = await call.body(BreakerRequest)
    query = PreviewBreaker(provider=call.part("provider"), model=call.part("model"), state=wanted.state)
    page = await call.desk.query(query)
    return answer(RouteEffects(as_of=page.as_of, effects=[_route(row) for row in page.rows]))


async def flags(call: Call) -> web.Response:
    wanted = await call.body(FlagsRequest)
    pages = [await call.desk.query(PreviewFlag(flag=setting)) for setting in wanted.settings()]
    effects = [FlagEffect.model_validate(row) for page in pages for row in page.rows]
    return answer(FlagEffects(as_of=pages[-1].as_of, flags=effects))


async def shadow(call: Call) -> web.Response:
    wanted = await call.body(ShadowRequest)
    query = PreviewShadow(
        tool=call.part("tool"),
        target=wanted.target,
        percentage=wanted.percentage,
        budget=wanted.budget_usd or 0,
    )
    (row,) = (await call.desk.query(query)).rows
    return answer(
        ShadowEffect(
            tool=row.tool,
            target=row.target,
            tasks=row.tasks,
            tried=row.tried,
            cost_usd=row.cost,
            budget_usd=row.budget,
        )
    )


def _budget(row: BudgetEffectRow) -> BudgetEffect:
    return BudgetEffect(
        scope=row.scope,
        key=row.key,
        window=row.window,
        before_usd=row.before,
        after_usd=row.after,
        spent_usd=row.spent,
        held_usd=row.held,
        left_usd=row.left,
        resets_at=row.resets_at,
        pauses=list(row.pauses),
        goes_on=list(row.goes_on),
        actions=list(row.actions),
    )


def _route(row: RouteEffectRow) -> RouteEffect:
    return RouteEffect(
        tool=row.tool,
        before=row.before,
        after=row.after,
        cost_before_usd=row.cost_before,
        cost_after_usd=row.cost_after,
        why=row.why,
        order=list(row.order),
    )
