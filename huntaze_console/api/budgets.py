"""Hard limits over HTTP: what each has left, setting and removing them."""

from __future__ import annotations

from typing import Annotated, Literal

from aiohttp import web
from pydantic import BeforeValidator, Field, StringConstraints

from engine.surface.commands import RemoveBudget, SetBudget
from engine.surface.queries import ListBudgets
from engine.surface.rows import BudgetRow
from huntaze_console.api.call import ACTOR, Call, answer
from huntaze_console.api.fields import BudgetUsd, TimeOrNull, Usd
from huntaze_console.api.problems import invalid
from huntaze_console.api.shapes import AnswerShape, Outcome, RequestShape

ScopeName = Literal["global", "tenant", "campaign", "account", "user", "provider"]
WindowName = Literal["hour", "day", "month", "total"]
ActionName = Literal["clamp", "downgrade", "throttle", "stop"]
_Key = Annotated[str, StringConstraints(max_length=200)]


def _flag(value: object) -> object:
    """A yes or no in a query string."""
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


class BudgetListing(RequestShape):
    campaigns: Annotated[bool, BeforeValidator(_flag)] = False
    """With those that campaigns brought along."""


class BudgetRequest(RequestShape):
    """A limit to give or to change. Actions and zone that are left out of a change stay as they were."""

    scope: ScopeName
    key: _Key = ""
    """The id within the scope; none for global."""
    window: WindowName = "total"
    limit_usd: BudgetUsd
    actions: Annotated[tuple[ActionName, ...], Field(min_length=1, max_length=4)] | None = None
    """For a call that does not fit what is left, in this order; of a new one stop."""
    time_zone: Annotated[str, StringConstraints(max_length=100)] | None = None
    """Cuts the windows; empty: the costs' own."""


class BudgetNamed(RequestShape):
    scope: ScopeName
    key: _Key = ""
    window: WindowName = "total"


class BudgetStanding(AnswerShape):
    """A limit and where it stands in its window."""

    scope: str
    key: str
    window: str
    limit_usd: Usd
    spent_usd: Usd
    held_usd: Usd
    """What calls under way may yet cost."""
    left_usd: Usd
    percent: int
    """The highest of 50, 80 and 100 that was told in this window; 0 before the first."""
    began_at: TimeOrNull
    resets_at: TimeOrNull
    """Null for a total, which never does."""
    actions: list[str]
    time_zone: str
    origin: str
    """Who set it: a campaign, a command, or the file."""


class BudgetList(AnswerShape):
    as_of: str
    budgets: list[BudgetStanding]


async def listing(call: Call) -> web.Response:
    wanted = call.query(BudgetListing)
    page = await call.desk.query(ListBudgets(campaigns=wanted.campaigns))
    return answer(BudgetList(as_of=page.as_of, budgets=[_standing(row) for row in page.rows]))


async def change(call: Call) -> web.Response:
    wanted = await call.body(BudgetRequest)
    if wanted.limit_usd is None:
        raise invalid("a budget needs a limit; DELETE takes it away", field="limit_usd")
    done = await call.desk.submit(
        SetBudget(
            actor=ACTOR,
            scope=wanted.scope,
            key=wanted.key,
            window=wanted.window,
            limit=wanted.limit_usd,
            actions=wanted.actions,
            time_zone=wanted.time_zone,
        )
    )
    return answer(Outcome(summary=done.summary))


async def remove(call: Call) -> web.Response:
    wanted = call.query(BudgetNamed)
    done = await call.desk.submit(RemoveBudget(actor=ACTOR, scope=wanted.scope, key=wanted.key, window=wanted.window))
    return answer(Outcome(summary=done.summary))


def _standing(row: BudgetRow) -> BudgetStanding:
    return BudgetStanding(
        scope=row.scope,
        key=row.key,
        window=row.window,
        limit_usd=row.limit,
        spent_usd=row.spent,
        held_usd=row.held,
        left_usd=max(0, row.limit - row.spent),
        percent=row.percent,
        began_at=row.began_at,
        resets_at=row.resets_at,
        actions=list(row.actions),
        time_zone=row.time_zone,
        origin=row.origin,
    )
