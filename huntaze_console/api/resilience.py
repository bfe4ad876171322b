"""Failing models over HTTP: their breakers, how fast others took over, and rehearsed outages."""

from __future__ import annotations

from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field

from engine.surface.commands import ForceBreaker, RunDrill
from engine.surface.queries import ListBreakers, PlanDrill
from engine.surface.snapshot import RecoveryView, quantile
from huntaze_console.api.call import ACTOR, Call, answer
from huntaze_console.api.fields import Name, Seconds, SecondsOrNull, TimeOrNull, Usd, UsdOrNull
from huntaze_console.api.shapes import AnswerShape, NoQuery, RequestShape


class BreakerRequest(RequestShape):
    """How a breaker is to stand, across restarts."""

    state: Literal["open", "closed", "auto"]
    """Held open or closed, or left to move by itself."""


class DrillRequest(RequestShape):
    down: Name
    """The provider that counts as down."""
    tools: Annotated[tuple[Name, ...], Field(max_length=100)] = ()
    """Empty: all."""
    dry_run: bool = Field(default=False, strict=True)
    """Ask nobody; say who would be asked, and the most it may cost."""


class Breaker(AnswerShape):
    provider: str
    model: str
    state: str
    """closed, open or half_open"""
    reason: str
    changed_at: TimeOrNull
    retry_at: TimeOrNull
    held_by: str
    """The operator who holds it so; empty while it moves by itself."""
    calls: int
    failed: int
    slow: int


class Breakers(AnswerShape):
    as_of: str
    breakers: list[Breaker]


class Recovery(AnswerShape):
    """How a tool's tasks were answered by another model than the first; from the failure to the answer."""

    tool: str
    count: int
    p50_seconds: SecondsOrNull
    last_seconds: SecondsOrNull
    last_at: TimeOrNull
    failed: str
    target: str
    reason: str


class Recoveries(AnswerShape):
    as_of: str
    recoveries: list[Recovery]


class DrillPart(AnswerShape):
    """How one tool came through: untouched, unaffected, taken_over or unserved. Of a dry run, whom it would ask."""

    tool: str
    part: str
    target: str = ""
    failed: tuple[str, ...] = ()
    took_seconds: Seconds = 0
    cost_usd: Usd = 0
    trace_id: str = ""
    error: str = ""
    models: tuple[str, ...] = ()
    cost_usd_high: UsdOrNull = None


class DrillReport(AnswerShape):
    summary: str
    down: str
    unserved: int
    cost_usd: Usd
    tools: list[DrillPart]


async def breakers(call: Call) -> web.Response:
    call.query(NoQuery)
    page = await call.desk.query(ListBreakers())
    return answer(Breakers(as_of=page.as_of, breakers=[Breaker.model_validate(row) for row in page.rows]))


async def force(call: Call) -> web.Response:
    wanted = await call.body(BreakerRequest)
    target = call.part("provider"), call.part("model")
    await call.desk.submit(ForceBreaker(actor=ACTOR, provider=target[0], model=target[1], state=wanted.state))
    page = await call.desk.query(ListBreakers())
    found = next(row for row in page.rows if (row.provider, row.model) == target)
    return answer(Breaker.model_validate(found))


async def recoveries(call: Call) -> web.Response:
    call.query(NoQuery)
    snapshot = call.desk.snapshot()
    rows = [_recovery(view) for _, view in sorted(snapshot.recoveries.items())]
    return answer(Recoveries(as_of=snapshot.event_id, recoveries=rows))


async def drill(call: Call) -> web.Response:
    wanted = await call.body(DrillRequest)
    if wanted.dry_run:
        return answer(await _plan(call, wanted))
    done = await call.desk.submit(RunDrill(actor=ACTOR, down=wanted.down, tools=wanted.tools))
    parts = [
        DrillPart(
            tool=row["tool"],
            part=row["part"],
            target=row["target"],
            failed=row["failed"],
            took_seconds=row["took"],
            cost_usd=row["cost"],
            trace_id=row["trace_id"],
            error=row["error"],
        )
        for row in done.data["tools"]
    ]
    return answer(
        DrillReport(
            summary=done.summary,
            down=wanted.down,
            unserved=done.data["unserved"],
            cost_usd=done.data["cost"],
            tools=parts,
        )
    )


async def _plan(call: Call, wanted: DrillRequest) -> DrillReport:
    page = await call.desk.query(PlanDrill(down=wanted.down, tools=wanted.tools))
    parts = [
        DrillPart(tool=row.tool, part="planned", models=row.models, cost_usd_high=row.cost_high) for row in page.rows
    ]
    summary = "A dry run: nobody was asked"
    return DrillReport(summary=summary, down=wanted.down, unserved=0, cost_usd=0, tools=parts)


def _recovery(view: RecoveryView) -> Recovery:
    return Recovery(
        tool=view.tool,
        count=view.count,
        p50_seconds=quantile(view.latencies, 0.5),
        last_seconds=view.latencies[-1] if view.latencies else None,
        last_at=view.last_at,
        failed=view.failed,
        target=view.target,
        reason=view.reason,
    )
