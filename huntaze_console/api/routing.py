"""Routes over HTTP: how each tool's models are chosen, whom a task would go to now, and changing it while running."""

from __future__ import annotations

from typing import Annotated, Literal

from aiohttp import web
from pydantic import BeforeValidator, Field

from engine.kernel.values import nanos
from engine.surface.commands import ResetRoute, SetRoute
from engine.surface.queries import ExplainRoute, ListRoutes
from engine.surface.rows import CandidateRow, RouteRow
from huntaze_console.api.call import ACTOR, Call, answer
from huntaze_console.api.fields import Id, Name, SecondsOrNull, TimeOrNull, UsdOrNull
from huntaze_console.api.shapes import AnswerShape, NoQuery, Nothing, RequestShape

StrategyName = Literal["fixed", "cheapest", "fastest", "best", "weighted", "least_busy"]
NeedName = Literal["schema", "tools", "images"]
_Weight = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]


def _words(value: object) -> object:
    """A list in a query string: comma-separated."""
    return tuple(part for part in value.split(",") if part) if isinstance(value, str) else value


class RouteRequest(RequestShape):
    """What is left out stays as it is."""

    strategy: StrategyName | None = None
    chain: Annotated[tuple[Name, ...], Field(min_length=1, max_length=20)] | None = None
    """Models as provider/model, first choice first."""
    weights: Annotated[tuple[_Weight, ...], Field(max_length=20)] | None = None
    """One for each model of the chain, for the strategy weighted; empty: all alike."""
    too_slow_seconds: Annotated[float, Field(strict=True, ge=0, le=3_600)] | None = None
    """Expected latency from which a model stands last; 0: nothing is too slow."""


class ExplainRequest(RequestShape):
    needs: Annotated[tuple[NeedName, ...], BeforeValidator(_words)] = ()
    """Comma-separated: schema, tools, images."""
    strategy: StrategyName | None = None
    """Instead of the tool's own."""
    characters: Annotated[int, Field(ge=0, le=4_000_000)] = 1_000
    """Of the prompt."""
    campaign_id: Id | None = None
    account_id: Id | None = None
    tenant_id: Id | None = None
    user_id: Id | None = None


class FileRoute(AnswerShape):
    """What the configuration file says, which holds again after a reset."""

    strategy: str
    chain: list[str]
    weights: list[int]
    too_slow_seconds: SecondsOrNull


class ToolRoute(AnswerShape):
    tool: str
    strategy: str
    chain: list[str]
    weights: list[int]
    """One for each of the chain, or none: all alike."""
    too_slow_seconds: SecondsOrNull
    set_by: str
    """Who set it over the file; empty: it is the file's."""
    set_at: TimeOrNull
    file: FileRoute


class ToolRoutes(AnswerShape):
    routes: list[ToolRoute]
    as_of: str


class RouteChanged(AnswerShape):
    summary: str
    route: ToolRoute


class Candidate(AnswerShape):
    position: int
    """From 1, in the order they would be asked; 0 for one passed over."""
    provider: str
    model: str
    verdict: str
    """taken, stands_in, or the reason it was passed over."""
    flaw: str
    """The reason against one that is in line all the same; empty for none."""
    why: str
    worst_cost_usd: UsdOrNull
    latency_seconds: SecondsOrNull
    in_flight: int
    quality: float
    """0 to 1, as measured."""
    budget_left_usd: UsdOrNull
    """In the tightest budget that covers the call; null where none does."""


class Explanation(AnswerShape):
    tool: str
    candidates: list[Candidate]
    as_of: str


async def listing(call: Call) -> web.Response:
    call.query(NoQuery)
    page = await call.desk.query(ListRoutes())
    return answer(ToolRoutes(routes=[_route(row) for row in page.rows], as_of=page.as_of))


async def find(call: Call) -> web.Response:
    call.query(NoQuery)
    return answer(await _found(call))


async def change(call: Call) -> web.Response:
    wanted = await call.body(RouteRequest)
    command = SetRoute(
        actor=ACTOR,
        tool=call.part("tool"),
        strategy=wanted.strategy or "",
        chain=wanted.chain,
        weights=wanted.weights,
        too_slow=None if wanted.too_slow_seconds is None else nanos(wanted.too_slow_seconds),
    )
    done = await call.desk.submit(command)
    return answer(RouteChanged(summary=done.summary, route=await _found(call)))


async def reset(call: Call) -> web.Response:
    await call.body(Nothing)
    done = await call.desk.submit(ResetRoute(actor=ACTOR, tool=call.part("tool")))
    return answer(RouteChanged(summary=done.summary, route=await _found(call)))


async def explain(call: Call) -> web.Response:
    wanted = call.query(ExplainRequest)
    query = ExplainRoute(
        tool=call.part("tool"),
        needs=wanted.needs,
        strategy=wanted.strategy or "",
        characters=wanted.characters,
        campaign_id=wanted.campaign_id or "",
        account_id=wanted.account_id or "",
        tenant_id=wanted.tenant_id or "",
        user_id=wanted.user_id or "",
    )
    page = await call.desk.query(query)
    return answer(Explanation(tool=query.tool, candidates=[_candidate(row) for row in page.rows], as_of=page.as_of))


async def _found(call: Call) -> ToolRoute:
    page = await call.desk.query(ListRoutes(tool=call.part("tool")))
    return _route(page.rows[0])


def _route(row: RouteRow) -> ToolRoute:
    return ToolRoute(
        tool=row.tool,
        strategy=row.strategy,
        chain=list(row.chain),
        weights=list(row.weights),
        too_slow_seconds=row.too_slow,
        set_by=row.set_by,
        set_at=row.set_at,
        file=FileRoute(
            strategy=row.file_strategy,
            chain=list(row.file_chain),
            weights=list(row.file_weights),
            too_slow_seconds=row.file_too_slow,
        ),
    )


def _candidate(row: CandidateRow) -> Candidate:
    return Candidate(
        position=row.position,
        provider=row.provider,
        model=row.model,
        verdict=row.verdict,
        flaw=row.flaw,
        why=row.why,
        worst_cost_usd=row.worst_cost,
        latency_seconds=row.latency,
        in_flight=row.in_flight,
        quality=row.quality,
        budget_left_usd=row.room,
    )
