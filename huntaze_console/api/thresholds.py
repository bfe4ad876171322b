"""Thresholds over HTTP: from which sum of a day and of a month on an alert is critical, and changing them."""

from __future__ import annotations

from typing import Literal

from aiohttp import web
from pydantic import Field

from engine.surface.commands import ResetThreshold, SetThreshold
from engine.surface.effects import ThresholdEffectRow
from engine.surface.queries import ListThresholds, PreviewThreshold
from huntaze_console.api.call import ACTOR, Call, answer
from huntaze_console.api.fields import BudgetUsd, TimeOrNull, Usd, UsdOrNull
from huntaze_console.api.problems import invalid
from huntaze_console.api.shapes import AnswerShape, NoQuery, Nothing, RequestShape

Period = Literal["day", "month"]


class ThresholdRequest(RequestShape):
    """What is left out stays as it is; null gives no such alert."""

    day_usd: BudgetUsd = None
    month_usd: BudgetUsd = None
    dry_run: bool = Field(default=False, strict=True)
    """Change nothing; say what would become of the alerts."""


class Threshold(AnswerShape):
    period: Period
    limit_usd: UsdOrNull
    """Null: there is no such alert."""
    file_limit_usd: UsdOrNull
    """What the configuration file says."""
    spent_usd: Usd
    set_by: str
    """Who set it over the file; empty: it is the file's."""
    set_at: TimeOrNull


class ThresholdList(AnswerShape):
    as_of: str
    thresholds: list[Threshold]


class ThresholdEffect(AnswerShape):
    period: Period
    before_usd: UsdOrNull
    after_usd: UsdOrNull
    spent_usd: Usd
    severity_before: str
    """Of the alert that is open for it; empty: none is."""
    severity_after: str


class ThresholdsChanged(AnswerShape):
    """`effects` of a dry run; `thresholds` as they stand after the answer."""

    summary: str
    thresholds: list[Threshold]
    effects: list[ThresholdEffect] = Field(default_factory=list)


async def listing(call: Call) -> web.Response:
    call.query(NoQuery)
    return answer(await _all(call))


async def change(call: Call) -> web.Response:
    wanted = await call.body(ThresholdRequest)
    day, month = (_wanted(wanted, name) for name in ("day_usd", "month_usd"))
    if day is None and month is None:
        raise invalid("name day_usd, month_usd or both; DELETE lets the file decide", field="day_usd")
    if wanted.dry_run:
        rows = (await call.desk.query(PreviewThreshold(day=day, month=month))).rows
        effects, summary = [_effect(row) for row in rows], "Nothing was changed"
    else:
        done = await call.desk.submit(SetThreshold(actor=ACTOR, day=day, month=month))
        effects, summary = [], done.summary
    return answer(ThresholdsChanged(summary=summary, thresholds=(await _all(call)).thresholds, effects=effects))


async def reset(call: Call) -> web.Response:
    await call.body(Nothing)
    done = await call.desk.submit(ResetThreshold(actor=ACTOR))
    return answer(ThresholdsChanged(summary=done.summary, thresholds=(await _all(call)).thresholds))


def _wanted(request: ThresholdRequest, name: str) -> int | None:
    """None where it was left out; 0 where null says that there is to be none."""
    return (getattr(request, name) or 0) if name in request.model_fields_set else None


async def _all(call: Call) -> ThresholdList:
    page = await call.desk.query(ListThresholds())
    rows = [
        Threshold(
            period=row.period,
            limit_usd=row.limit,
            file_limit_usd=row.file_limit,
            spent_usd=row.spent,
            set_by=row.set_by,
            set_at=row.set_at,
        )
        for row in page.rows
    ]
    return ThresholdList(as_of=page.as_of, thresholds=rows)


def _effect(row: ThresholdEffectRow) -> ThresholdEffect:
    return ThresholdEffect.model_validate(
        {
            "period": row.period,
            "before_usd": row.before,
            "after_usd": row.after,
            "spent_usd": row.spent,
            "severity_before": row.severity_before,
            "severity_after": row.severity_after,
        }
    )
