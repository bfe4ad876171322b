"""What an operator asks and is told: the desk, and each part of the house that answers at it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from engine.accounts import Keyring
from engine.alerts import AlertService, Channel
from engine.alerts.channels.smtp import SmtpChannel
from engine.orchestrator import Drill, LoadTests
from engine.runtime import (
    Chronicle,
    EngineDesk,
    Explaining,
    Health,
    Limits,
    Logs,
    MiddlewareDesk,
    Past,
    Previews,
    Purse,
    Resilience,
    Silencing,
    Watch,
    WorkflowShelf,
)
from engine.surface.commands import CreateKey, RevokeKey
from engine.surface.queries import ListKeys, ListLimits
from engine.telemetry import LogBook, Monitor
from huntaze_console.bootstrap.answering import Answering
from huntaze_console.bootstrap.calls import Calls
from huntaze_console.bootstrap.campaigns import Campaigns
from huntaze_console.bootstrap.start import Start
from huntaze_console.bootstrap.stores import Stores
from huntaze_console.bootstrap.view import View
from huntaze_console.config import Settings
from huntaze_console.joints import key_budget, teach, tool_bound, worst_cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """The desk, and behind it those who also work by themselves."""

    desk: EngineDesk
    monitor: Monitor
    tests: LoadTests
    keyring: Keyring
    alerts: AlertService


async def open_desk(
    start: Start,
    stores: Stores,
    view: View,
    calls: Calls,
    answering: Answering,
    campaigns: Campaigns,
    log_book: LogBook | None,
) -> Office:
    """Seat everybody who answers. What a part keeps in memory is loaded."""
    desk = _desk(start, stores, view, answering, campaigns)
    desk.extend({}, Logs(log_book).queries)
    _seat_models(desk, start, stores, calls, answering)
    monitor, tests = _seat_watch(desk, start, stores, calls, answering)
    _seat_history(desk, start, stores, view, campaigns, monitor)
    _seat_money(desk, start, stores, answering)
    keyring = Keyring(stores.database, start.clock, start.chance, key_budget(stores.ledger))
    await keyring.load()
    desk.extend({CreateKey: keyring.create, RevokeKey: keyring.revoke}, {ListKeys: keyring.listing})
    alerts = _seat_alerts(desk, start, stores, view)
    return Office(desk=desk, monitor=monitor, tests=tests, keyring=keyring, alerts=alerts)


def _desk(start: Start, stores: Stores, view: View, answering: Answering, campaigns: Campaigns) -> EngineDesk:
    orchestrator = answering.orchestrator
    health = Health(
        stores.database,
        view.projector,
        start.clock,
        platform_url=lambda: start.settings.platform.url,
        idle_tools=lambda: [tool for tool in orchestrator.settings.tools if not orchestrator.targets(tool)],
    )
    return EngineDesk(
        stores.database,
        stores.bus,
        view.projector,
        stores.jobs,
        campaigns.dispatch,
        campaigns.source.holds,
        health,
        start.clock,
        orchestrator.tool_name,
    )


def _seat_models(desk: EngineDesk, start: Start, stores: Stores, calls: Calls, answering: Answering) -> None:
    """Routes, quotas, breakers, and what stands between a task and a model."""
    database, clock, orchestrator = stores.database, start.clock, answering.orchestrator
    desk.extend({}, {ListLimits: Limits(stores.quotas).listing})
    desk.extend(answering.routes.commands, answering.routes.queries)
    drill = Drill(
        orchestrator,
        answering.router,
        answering.downgrading,
        calls.guarded,
        calls.throttles,
        calls.metered.trailing,
        worst_cost(stores.pricer, clock),
        clock,
        start.chance,
    )
    resilience = Resilience(
        orchestrator, calls.guarded, None if start.idle else drill, calls.metered.trailing, database, clock
    )
    desk.extend(resilience.commands, resilience.queries)
    middleware = MiddlewareDesk(
        database,
        answering.keeping,
        answering.flags,
        answering.shadowed,
        orchestrator,
        clock,
        start.settings.costs.time_zone,
    )
    desk.extend(middleware.commands, middleware.queries)


def _seat_watch(
    desk: EngineDesk, start: Start, stores: Stores, calls: Calls, answering: Answering
) -> tuple[Monitor, LoadTests]:
    """Rates, errors and latencies, operators' ratings, and load tests."""
    monitor = Monitor(stores.database, start.clock, random.SystemRandom())
    stores.bus.observe(monitor.observe)
    bound = tool_bound(answering.orchestrator, stores.pricer, start.clock)
    tests = LoadTests(answering.orchestrator, bound, calls.metered.drain, start.clock, start.chance)
    stores.bus.observe(tests.observe)
    watch = Watch(stores.database, monitor, tests, start.clock, teach(calls.gauges))
    desk.extend(watch.commands, watch.queries)
    return monitor, tests


def _seat_history(
    desk: EngineDesk, start: Start, stores: Stores, view: View, campaigns: Campaigns, monitor: Monitor
) -> None:
    """How things went, how they stood, and why."""
    database, clock = stores.database, start.clock
    desk.extend({}, WorkflowShelf(database).queries)
    desk.extend({}, Chronicle(database, monitor, stores.jobs, clock).queries)
    desk.extend({}, Past(database, stores.epoch).queries)
    desk.extend({}, Explaining(database, stores.jobs, campaigns.fans, view.snapshot, clock).queries)


def _seat_money(desk: EngineDesk, start: Start, stores: Stores, answering: Answering) -> None:
    """Budgets, and what a change would have meant."""
    database, clock, zone = stores.database, start.clock, start.settings.costs.time_zone
    purse = Purse(database, stores.ledger, clock, zone)
    desk.extend(purse.commands, purse.queries)
    previews = Previews(database, answering.orchestrator, answering.routes, answering.flags, stores.pricer, clock, zone)
    desk.extend({}, previews.queries)


def _seat_alerts(desk: EngineDesk, start: Start, stores: Stores, view: View) -> AlertService:
    """Thresholds, silences, and the alerts that follow them."""
    silencing = Silencing(stores.database, start.clock, start.chance)
    desk.extend(silencing.commands, silencing.queries)
    thresholds = view.thresholds
    desk.extend(thresholds.commands, thresholds.queries)
    alerts = AlertService(
        stores.database,
        stores.bus,
        view.snapshot,
        start.clock,
        start.chance,
        thresholds.settings,
        _channels(start.settings),
    )
    thresholds.join(view.snapshot, alerts.configure)
    return alerts


def _channels(settings: Settings) -> Sequence[Channel]:
    """The channels that are configured; in-app notices need none."""
    return (SmtpChannel(settings.mail),) if settings.mail is not None else ()
