"""The engine itself over HTTP: limits, queues, alerts, health, the emergency stop, and the surface by name."""

from __future__ import annotations

from dataclasses import asdict

from aiohttp import web

from engine.kernel.errors import CommandRefused, HuntazeError, Refusal
from engine.surface import wire
from engine.surface.commands import AcknowledgeAlert, HaltSending, ResumeSending
from engine.surface.queries import MOST_ROWS, CheckHealth, ListAlerts, ListLimits, Paged
from engine.surface.rows import DependencyRow
from engine.surface.snapshot import AccountView, QueueView, Snapshot
from huntaze_console.api.call import ACTOR, Call, answer, answer_bytes
from huntaze_console.api.shapes import (
    AccountLimit,
    Alert,
    AlertListing,
    AlertPage,
    CallLimit,
    Dependency,
    Health,
    HealthDetails,
    Limits,
    NoQuery,
    Nothing,
    Outcome,
    QueueDepth,
    Queues,
    Welcome,
)

_CATCH_UP = frozenset({"dynamodb"})


async def welcome(call: Call) -> web.Response:
    return answer(
        Welcome(
            name="Huntaze Console",
            api="/api/v2",
            openapi="/openapi.json",
            health="/api/health/hybrid-orchestrator",
        )
    )


async def openapi(call: Call) -> web.Response:
    return answer_bytes(call.office.document())


async def health(call: Call) -> web.Response:
    """200 while the engine runs and has what it cannot do without. Who has no token learns only that."""
    call.query(NoQuery)
    trusted = call.office.gate.knows(call.request)
    dependencies = await _dependencies(call)
    snapshot = call.desk.snapshot()
    down = snapshot.engine.state != "running" or not able(dependencies)
    shape = Health(
        status="unavailable" if down else "ok", details=_details(snapshot, dependencies) if trusted else None
    )
    return answer_bytes(shape.model_dump_json(exclude_none=not trusted).encode(), 503 if down else 200)


def able(dependencies: tuple[DependencyRow, ...]) -> bool:
    """The engine can work. A model (its name is provider/model) has substitutes until all are down; what only copies
    the ledger catches up by itself; anything else must not be down.
    """
    models = [row for row in dependencies if "/" in row.name]
    needed = [row for row in dependencies if row not in models and row.name not in _CATCH_UP]
    answering = not models or any(row.state != "down" for row in models)
    return answering and all(row.state != "down" for row in needed)


async def limits(call: Call) -> web.Response:
    call.query(NoQuery)
    snapshot, now = call.desk.snapshot(), call.office.clock.now()
    accounts = [_account(view, now) for _, view in sorted(snapshot.accounts.items())]
    calls, unknown = await _call_limits(call)
    shape = Limits(
        as_of=snapshot.event_id,
        now=now,
        halted_by=snapshot.engine.halted_by,
        accounts=accounts,
        calls=calls,
        calls_unknown=unknown,
    )
    return answer(shape)


async def _call_limits(call: Call) -> tuple[list[CallLimit], str]:
    """The windows of calls, or why they are not known: the messages' are shown all the same."""
    try:
        found = await call.desk.query(ListLimits(limit=1000))
    except CommandRefused as error:
        return [], str(error)
    return [CallLimit(**asdict(row)) for row in found.rows], ""


async def queue(call: Call) -> web.Response:
    call.query(NoQuery)
    snapshot, now = call.desk.snapshot(), call.office.clock.now()
    return answer(Queues(as_of=snapshot.event_id, queues=[_queue(view, now) for view in snapshot.queues.values()]))


async def alerts(call: Call) -> web.Response:
    wanted = call.query(AlertListing)
    found = await call.desk.query(ListAlerts(open_only=wanted.open_only, limit=wanted.limit, cursor=wanted.cursor))
    rows = [Alert.model_validate(row) for row in found.rows]
    return answer(AlertPage(alerts=rows, next=found.next, as_of=found.as_of))


async def acknowledge(call: Call) -> web.Response:
    await call.body(Nothing)
    done = await call.desk.submit(AcknowledgeAlert(actor=ACTOR, alert_id=call.part("alert_id")))
    return answer(Outcome(summary=done.summary))


async def stop(call: Call) -> web.Response:
    await call.body(Nothing)
    return answer(Outcome(summary=(await call.desk.submit(HaltSending(actor=ACTOR))).summary))


async def resume(call: Call) -> web.Response:
    await call.body(Nothing)
    return answer(Outcome(summary=(await call.desk.submit(ResumeSending(actor=ACTOR))).summary))


async def query(call: Call) -> web.Response:
    wanted = wire.load_query(await call.raw_body())
    if isinstance(wanted, Paged) and not 1 <= wanted.limit <= MOST_ROWS:
        raise CommandRefused(Refusal.INVALID, f"limit must be 1 to {MOST_ROWS}", field="limit")
    return answer_bytes(wire.dump(await call.desk.query(wanted)))


async def command(call: Call) -> web.Response:
    wanted = wire.load_command(await call.raw_body())
    return answer_bytes(wire.dump(await call.desk.submit(wanted)))


async def _dependencies(call: Call) -> tuple[DependencyRow, ...]:
    """Each dependency's state; the engine's own failure to say so is one that is down."""
    try:
        return (await call.desk.query(CheckHealth())).rows
    except HuntazeError as error:
        now = call.office.clock.now()
        return (DependencyRow(name="engine", state="down", latency=None, error=error.message, checked_at=now),)


def _details(snapshot: Snapshot, dependencies: tuple[DependencyRow, ...]) -> HealthDetails:
    return HealthDetails(
        engine=snapshot.engine.state,
        version=snapshot.engine.version,
        mode=snapshot.engine.mode,
        halted_by=snapshot.engine.halted_by,
        dependencies=[Dependency.model_validate(row) for row in dependencies],
    )


def _account(view: AccountView, now: int) -> AccountLimit:
    return AccountLimit(
        account_id=view.account_id,
        name=view.name,
        limit=view.limit,
        allowed=view.allowed(now),
        window_seconds=view.window,
        free=view.free(now),
        next_free_at=view.next_free_at(now),
        taken_until=sorted(until for until in view.slots.values() if until > now),
        paused=view.paused,
    )


def _queue(view: QueueView, now: int) -> QueueDepth:
    age = None if view.oldest_at is None else max(0, now - view.oldest_at)
    return QueueDepth(**asdict(view), oldest_age_seconds=age)
