"""What runs: the workers of both queues, and the services that keep, watch and tidy."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from engine.campaigns import QUEUE as WORKFLOW_QUEUE
from engine.campaigns import run_schedule
from engine.messaging import QUEUE as SENDING_QUEUE
from engine.orchestrator import Tuner
from engine.queue import Lease, Outcome, Worker
from engine.runtime import (
    HOUSEKEEP_EVERY,
    KEYFRAMES_LOOK,
    MEND_EVERY,
    SAMPLE_EVERY,
    Depths,
    EngineDesk,
    Housekeeper,
    Sampler,
    Service,
    every,
)
from huntaze_console.bootstrap.answering import Answering
from huntaze_console.bootstrap.calls import Calls
from huntaze_console.bootstrap.campaigns import Campaigns
from huntaze_console.bootstrap.desk import Office
from huntaze_console.bootstrap.start import Start
from huntaze_console.bootstrap.stores import Stores
from huntaze_console.bootstrap.view import View
from huntaze_console.joints import ready_in, route_jobs
from huntaze_console.worlds import World

Handle = Callable[[Lease], Awaitable[Outcome]]

_SENDS_AT_ONCE = 64  # over all accounts; each has its own limit far below


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The workers, what turns them, and every service in the order in which they begin."""

    workflow: Worker
    sending: Worker
    tuner: Tuner
    services: Sequence[Service]

    def parked(self) -> int:
        """Jobs that were handed back unfinished."""
        return self.workflow.handed_back + self.sending.handed_back


async def open_work(
    start: Start, stores: Stores, view: View, calls: Calls, answering: Answering, campaigns: Campaigns, office: Office
) -> Work:
    """Hire the workers. Nothing runs before the engine does."""
    traffic: Mapping[str, Handle] = {}
    demand: Sequence[Service] = ()
    if start.world is not None and not start.idle:
        traffic, demand = await _traffic(start, stores, answering, office.desk, start.world)
    workflow = Worker(
        stores.jobs,
        stores.database,
        start.clock,
        start.chance,
        queue=WORKFLOW_QUEUE,
        handler=route_jobs({"write": campaigns.writer.handle, **traffic}),
        concurrency=start.settings.orchestrator.concurrency,
        lease_for=start.clock.allowance(start.settings.sending.lease),
    )
    sending = Worker(
        stores.jobs,
        stores.database,
        start.clock,
        start.chance,
        queue=SENDING_QUEUE,
        handler=campaigns.sender.handle,
        concurrency=_SENDS_AT_ONCE,
        lease_for=start.clock.allowance(start.settings.sending.lease),
        source=campaigns.source,
    )
    tuner = _tuner(start, stores, view, calls, workflow)
    services = (
        *demand,
        Service("providers", lambda stop: _prepare(answering, stop)),
        Service("writing", workflow.run),
        Service("sending", sending.run),
        *_campaign_services(start, campaigns),
        *_keeping_services(start, stores, view, calls, answering),
        Service("balancing", lambda stop: every(tuner.every, stop, tuner.look)),
        Service("alerts", office.alerts.run),
        Service("monitoring", office.monitor.run),
        Service("load tests", office.tests.run),
        *await _ledger_sync(start, stores),
    )
    return Work(workflow=workflow, sending=sending, tuner=tuner, services=services)


async def _prepare(answering: Answering, stop: asyncio.Event) -> None:
    """Load the providers' SDKs while the engine already shows itself; they take the better part of a second each."""
    if not stop.is_set():
        await answering.prepared.open()


async def _traffic(
    start: Start, stores: Stores, answering: Answering, desk: EngineDesk, world: World
) -> tuple[Mapping[str, Handle], Sequence[Service]]:
    """What a simulated world asks of its engine: who handles it, and who brings it."""
    from engine.simulation import read_trace
    from engine.simulation.traffic import Traffic, run_campaigns

    trace = await asyncio.to_thread(read_trace, world.trace) if world.trace else ()
    traffic = Traffic(
        stores.database,
        stores.jobs,
        answering.orchestrator,
        start.clock,
        start.chance,
        queue=WORKFLOW_QUEUE,
        demand=world.demand,
        trace=trace,
        epoch=world.epoch,
    )
    services = (
        Service("traffic", traffic.run_trace if trace else traffic.run_tasks),
        Service("demand", lambda stop: run_campaigns(world.demand, desk, start.clock, world.epoch, stop)),
    )
    return {"task": traffic.handle, "trace": traffic.handle}, services


def _tuner(start: Start, stores: Stores, view: View, calls: Calls, workflow: Worker) -> Tuner:
    return Tuner(
        "writing",
        stores.database,
        start.clock,
        calls.gauges.load,
        running=lambda: workflow.running,
        waiting=lambda: ready_in(view.snapshot(), WORKFLOW_QUEUE),
        apply=lambda tasks: setattr(workflow, "concurrency", tasks),
        settings=start.settings.orchestrator,
    )


def _campaign_services(start: Start, campaigns: Campaigns) -> Sequence[Service]:
    fans, oldest = campaigns.fans, start.settings.sending.consent_max_age
    return (
        Service("consent", lambda stop: fans.run(stop, max_age=oldest)),
        Service("schedule", lambda stop: run_schedule(campaigns.dispatch, campaigns.feeding, start.clock, stop)),
    )


def _keeping_services(
    start: Start, stores: Stores, view: View, calls: Calls, answering: Answering
) -> Sequence[Service]:
    """What is looked at again and again, so that it is settled, kept or let go."""
    database, jobs, clock = stores.database, stores.jobs, start.clock
    depths = Depths(database, view.projector, clock)
    sampler = Sampler(database, jobs, view.projector, clock, (WORKFLOW_QUEUE, SENDING_QUEUE))
    housekeeper = Housekeeper(database, jobs, stores.ledger, clock)
    return (
        Service("settling", lambda stop: every(MEND_EVERY, stop, calls.metered.trailing.mend)),
        Service("keyframes", lambda stop: every(KEYFRAMES_LOOK, stop, view.keyframes.look)),
        Service("sampling", lambda stop: every(SAMPLE_EVERY, stop, sampler.sample)),
        Service("queue history", lambda stop: every(SAMPLE_EVERY, stop, depths.look)),
        Service("shadows", answering.shadowed.run),
        Service("kept answers", lambda stop: every(HOUSEKEEP_EVERY, stop, answering.keeping.tidy)),
        Service("housekeeping", lambda stop: every(HOUSEKEEP_EVERY, stop, housekeeper.tidy)),
    )


async def _ledger_sync(start: Start, stores: Stores) -> Sequence[Service]:
    if start.idle or start.settings.backends.ledger_sync != "dynamodb":
        return ()
    return (await asyncio.to_thread(_dynamodb_sync, start, stores),)


def _dynamodb_sync(start: Start, stores: Stores) -> Service:
    """AWS's SDK takes a quarter of a second to import, so only those who sync pay for it, in a thread."""
    from engine.costs.dynamodb import LedgerSync
    from engine.storage.aws import AwsSettings

    settings = start.settings
    aws = AwsSettings(region=settings.dynamodb.region, endpoint_url=settings.dynamodb.endpoint)
    return Service("ledger sync", LedgerSync(stores.database, settings.sync, aws, start.clock, start.chance).run)
