"""Kept answers, feature flags and models on trial, over HTTP."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field, StringConstraints

from engine.surface.commands import ClearCache, FlagSetting, SetFlags, SetShadow
from engine.surface.queries import GetCache, ListFlags, ListShadows
from engine.surface.rows import CacheRow, FlagRow, ShadowRow
from huntaze_console.api.call import ACTOR, Call, answer
from huntaze_console.api.fields import BudgetUsd, Id, Name, SecondsOrNull, TimeOrNull, Usd, UsdOrNull
from huntaze_console.api.shapes import AnswerShape, NoQuery, Outcome, RequestShape

_Percentage = Annotated[int, Field(strict=True, ge=0, le=100)]
_Users = Annotated[tuple[Id, ...], Field(max_length=10_000)]


# ── kept answers ────────────────────────────────────────────────────────────────────────────────────────────────────


class CacheStatus(AnswerShape):
    entries: int
    bytes: int
    max_bytes: int
    day_hits: int
    """Tasks of today (in the costs' time zone) that a kept answer served."""
    day_near_hits: int
    """Of these, by an answer to a question in other words' clothes."""
    day_misses: int
    """Tasks that nothing kept could serve, and whose answers were kept."""
    day_hit_rate: float | None
    """Hits among both; null before the first."""
    day_shared: int
    """Tasks that a call served which another had asked for at the same time."""
    day_saved_usd: Usd
    """What those calls would have cost; calls without a known price are left out."""
    as_of: str


class ClearRequest(RequestShape):
    tenant_id: Annotated[str, StringConstraints(strict=True, max_length=200)] | None = None
    """Whose answers are forgotten: empty for those of no tenant, null for everybody's."""


async def cache(call: Call) -> web.Response:
    call.query(NoQuery)
    page = await call.desk.query(GetCache())
    return answer(_cache(page.rows[0], page.as_of))


async def clear(call: Call) -> web.Response:
    wanted = await call.body(ClearRequest)
    done = await call.desk.submit(ClearCache(actor=ACTOR, tenant_id=wanted.tenant_id))
    return answer(Outcome(summary=done.summary))


def _cache(row: CacheRow, as_of: str) -> CacheStatus:
    asked = row.hits + row.kept
    return CacheStatus(
        entries=row.entries,
        bytes=row.bytes,
        max_bytes=row.most_bytes,
        day_hits=row.hits,
        day_near_hits=row.near,
        day_misses=row.kept,
        day_hit_rate=row.hits / asked if asked else None,
        day_shared=row.shared,
        day_saved_usd=row.saved,
        as_of=as_of,
    )


# ── feature flags ───────────────────────────────────────────────────────────────────────────────────────────────────


class FlagRequest(RequestShape):
    """How a flag is to stand. What is left out stays as it is."""

    enabled: Annotated[bool, Field(strict=True)] | None = None
    """False: off for everybody, whatever else is said."""
    percentage: _Percentage | None = None
    """Of the users. Each stands at a fixed place, so raising it takes the flag from nobody."""
    allow: _Users | None = None
    """Users who have it whatever the percentage."""
    deny: _Users | None = None
    """Users who have it not."""


class FlagsRequest(RequestShape):
    flags: Annotated[dict[Name, FlagRequest], Field(min_length=1, max_length=100)]
    """By name. All are changed, or none."""

    def settings(self) -> tuple[FlagSetting, ...]:
        return tuple(FlagSetting(name=name, **dict(flag)) for name, flag in self.flags.items())


class Flag(AnswerShape):
    enabled: bool
    percentage: int
    allow: list[str]
    deny: list[str]
    about: str
    """What it switches."""
    changed_at: TimeOrNull
    """Null where nobody has changed it."""
    changed_by: str


class Flags(AnswerShape):
    flags: dict[str, Flag]
    as_of: str


async def flags(call: Call) -> web.Response:
    call.query(NoQuery)
    return await _flags(call)


async def set_flags(call: Call) -> web.Response:
    wanted = await call.body(FlagsRequest)
    await call.desk.submit(SetFlags(actor=ACTOR, flags=wanted.settings()))
    return await _flags(call)


async def _flags(call: Call) -> web.Response:
    page = await call.desk.query(ListFlags())
    return answer(Flags(flags={row.name: _flag(row) for row in page.rows}, as_of=page.as_of))


def _flag(row: FlagRow) -> Flag:
    return Flag(
        enabled=row.enabled,
        percentage=row.percentage,
        allow=list(row.allow),
        deny=list(row.deny),
        about=row.about,
        changed_at=row.changed_at or None,
        changed_by=row.changed_by,
    )


# ── models on trial ─────────────────────────────────────────────────────────────────────────────────────────────────


class ShadowRequest(RequestShape):
    """Try a model on a part of a tool's tasks, beside the one that answers."""

    target: Annotated[str, StringConstraints(strict=True, max_length=200)] = ""
    """The model on trial, as provider/model."""
    percentage: Annotated[float, Field(strict=True, ge=0, le=100)]
    """Of the tool's tasks; 0 ends the trial."""
    budget_usd: BudgetUsd = None
    """The most the trial may cost in a UTC day, at the worst. Needed unless it ends."""
    fans: bool = Field(default=False, strict=True)
    """Also send prompts that may hold a person's data to the model on trial."""


class Shadow(AnswerShape):
    """A trial, and the means over the calls it compared in the last 30 days."""

    tool: str
    target: str
    percentage: float
    """0: the trial is over."""
    budget_usd: Usd
    spent_today_usd: Usd
    fans: bool
    compared: int
    failed: int
    """Calls on trial that gave no usable answer."""
    mean_seconds: SecondsOrNull
    """Of the answers that were given; null before the first comparison, as all means."""
    shadow_mean_seconds: SecondsOrNull
    """Of those on trial."""
    mean_cost_usd: UsdOrNull
    shadow_mean_cost_usd: UsdOrNull
    mean_length: float | None
    """In characters."""
    shadow_mean_length: float | None
    mean_likeness: float | None
    """Words in common among all of both, 0 to 1."""


class Shadows(AnswerShape):
    shadows: list[Shadow]
    as_of: str


async def shadows(call: Call) -> web.Response:
    call.query(NoQuery)
    page = await call.desk.query(ListShadows())
    return answer(Shadows(shadows=[_shadow(row) for row in page.rows], as_of=page.as_of))


async def set_shadow(call: Call) -> web.Response:
    wanted = await call.body(ShadowRequest)
    command = SetShadow(
        actor=ACTOR,
        tool=call.part("tool"),
        target=wanted.target,
        percentage=wanted.percentage,
        budget=wanted.budget_usd or 0,
        fans=wanted.fans,
    )
    return answer(Outcome(summary=(await call.desk.submit(command)).summary))


def _shadow(row: ShadowRow) -> Shadow:
    compared, called = row.compared, row.compared + row.failed
    return Shadow(
        tool=row.tool,
        target=row.target,
        percentage=row.percentage,
        budget_usd=row.budget,
        spent_today_usd=row.spent_today,
        fans=row.fans,
        compared=compared,
        failed=row.failed,
        mean_seconds=_mean(row.duration, compared),
        shadow_mean_seconds=_mean(row.shadow_duration, compared),
        mean_cost_usd=_mean(row.cost, compared),
        shadow_mean_cost_usd=_mean(row.shadow_cost, called),
        mean_length=row.length / compared if compared else None,
        shadow_mean_length=row.shadow_length / compared if compared else None,
        mean_likeness=row.likeness / compared / 1000 if compared else None,
    )


def _mean(whole: int, count: int) -> int | None:
    return whole // count if count else None
