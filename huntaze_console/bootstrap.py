"""From settings to a running engine, in one straight line.

The only place that picks adapters. It is long on purpose: the order in which things are opened, recovered and joined is
the product's, and splitting it would hide that order.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING, cast

from engine.accounts import Keyring
from engine.alerts import AlertService, Channel
from engine.alerts.channels.smtp import SmtpChannel
from engine.bus import Bus
from engine.campaigns import QUEUE as WORKFLOW_QUEUE
from engine.campaigns import Dispatch, Estimator, Feeding, Progress, Writer, campaign_graph, run_schedule, take_up
from engine.content import screen
from engine.costs import Ledger, Pricer, TokenCounter
from engine.events import Event
from engine.kernel.clock import Clock, StoppedClock, SystemClock
from engine.kernel.redaction import Redactor
from engine.kernel.values import Random, new_id
from engine.limiter import Quotas, QuotaStore
from engine.limiter.local import LocalLimiter
from engine.limiter.local_quotas import LocalQuotas
from engine.messaging import QUEUE as SENDING_QUEUE
from engine.messaging import FanBook, Holds, Sender, SlotSource, recover
from engine.messaging.platforms.onlyfans import OnlyFans
from engine.orchestrator import (
    Cached,
    Coalescer,
    Degraded,
    Downgrading,
    Drill,
    Fallback,
    Flagged,
    Flags,
    Gauged,
    Gauges,
    Guarded,
    Keeping,
    Limited,
    LoadTests,
    Metered,
    Orchestrator,
    Outlook,
    Router,
    Routes,
    Shadowed,
    Shelf,
    Throttles,
    Tuner,
)
from engine.providers import Models, Provider, ProviderSettings, open_provider
from engine.queue import Lease, Outcome, Worker
from engine.queue.sqlite import SqliteJobStore
from engine.runtime import (
    HOUSEKEEP_EVERY,
    KEYFRAMES_LOOK,
    MEND_EVERY,
    SAMPLE_EVERY,
    Chronicle,
    Depths,
    Engine,
    EngineDesk,
    Explaining,
    Health,
    Housekeeper,
    Keyframes,
    Limits,
    Logs,
    MiddlewareDesk,
    Past,
    Previews,
    Projector,
    Purse,
    Resilience,
    Sampler,
    Service,
    Silencing,
    Thresholds,
    Watch,
    WorkflowShelf,
    every,
    first_snapshot,
)
from engine.storage import Database, Mode, StateDirectory, Tx, connect, migrate
from engine.surface.commands import CreateKey, RevokeKey
from engine.surface.desk import Desk
from engine.surface.queries import ListKeys, ListLimits
from engine.surface.snapshot import EngineView, Snapshot
from engine.telemetry import LogBook, Monitor
from huntaze_console.api.gateway import Catalogue, Gateway
from huntaze_console.config import Settings, secrets_in
from huntaze_console.joints import (
    LedgerMeter,
    QuotaBook,
    key_budget,
    lessons,
    note,
    priced,
    priced_at,
    ready_in,
    recall_ratings,
    route_jobs,
    spare,
    teach,
    tool_bound,
    trial_cost,
    worst_cost,
)
from huntaze_console.logs import hide
from huntaze_console.serving import gateway_settings
from huntaze_console.worlds import World

if TYPE_CHECKING:  # what a simulation or a shared limiter needs is loaded when there is one
    from engine.bus.mqtt import MqttLink
    from engine.bus.settings import MqttSettings
    from engine.limiter.redis_slots import RedisLimiter
    from engine.storage.redis import RedisClient

VERSION = version_of("huntaze-console")

TAKEN_WHILE_RUNNING = frozenset(
    {"gateway", "orchestrator", "tools", "models", "limiter", "limits", "accounts", "alerts", "campaigns"}
)
"""Sections of the configuration that a reload takes over; the others wait for a restart."""

_SENDS_AT_ONCE = 64  # over all accounts; each has its own limit far below
_LOG_FILE = "engine.log"  # in the state directory, JSON lines


@asynccontextmanager
async def open_engine(
    settings: Settings,
    directory: StateDirectory,
    *,
    kind: str,
    world: World | None = None,
    idle: bool = False,
    stopped: Clock | None = None,
    durable: bool = True,
) -> AsyncIterator[Built]:
    """Everything from the database up, recovered and joined, ready to `run`. The caller owns the directory's lock.

    `idle` builds it to be asked and told only: no provider, no service, nothing recovered; by the `stopped` clock, if
    its time is a simulation's. Not `durable`, commits wait for no disk: for measurements of our own work only.
    """
    async with AsyncExitStack() as stack:
        chance = random.Random(world.seed if world else None)  # noqa: S311 - jitter and ids, no secret
        clock: Clock = world.clock if world else stopped or SystemClock()
        if world is not None:
            settings = settings.for_world(world.url)
        names = {account_id: account.name or account_id for account_id, account in settings.accounts.items()}
        log_book = None if idle else _log_book(settings, directory, clock)
        if log_book is not None:
            stack.enter_context(log_book.listening())

        # what lasts
        database = await stack.enter_async_context(
            Database.open(directory.database_path, synchronous="FULL" if durable else "OFF")
        )
        bus = Bus()
        database.on_commit(bus.publish)
        epoch = await database.write(lambda tx: _epoch(tx, new_id("ep", clock.now(), random.SystemRandom())))
        jobs = SqliteJobStore(database, clock)
        pricer = await asyncio.to_thread(Pricer, settings.costs)
        ladder = {rung: below for rung, below in settings.costs.ladder.items() if _reachable(settings, below)}
        ledger = Ledger(
            database,
            pricer,
            clock,
            outbox=settings.backends.ledger_sync == "dynamodb",
            lease=settings.costs.hold_lease,
            zone=settings.costs.time_zone,
            ladder=ladder,
            least_output=settings.costs.least_output_tokens,
        )
        limiter, counters = await _limits(settings, database, clock, names, stack, shared=not idle)
        own = new_id("lim", clock.now(), random.SystemRandom())
        quotas = Quotas(counters, clock, settings.quotas, lambda event: note(database, event), own)
        platform = OnlyFans(settings.platform, clock)
        stack.push_async_callback(platform.close)

        # what a killed process left behind
        if not idle:
            await jobs.recover(clock.now())
            await ledger.recover(clock.now())
            await ledger.adopt(settings.costs.budgets)
            await database.write(lambda tx: recover(tx, clock.now(), idempotent=platform.idempotent))

        thresholds = Thresholds(database, clock, settings.alert_rules)
        await thresholds.load()

        # the snapshot
        first = await first_snapshot(
            database,
            jobs,
            epoch=epoch,
            engine=EngineView(
                node=socket.gethostname(),
                version=VERSION,
                kind=kind,
                mode="simulated" if world else "real",
                state="stopped" if idle else "starting",
                speed=world.clock.speed if world else 1.0,
                seed=world.seed if world else None,
                time_zone=settings.costs.time_zone,
            ),
            thresholds=thresholds.pair,
            limiter=settings.limiter,
            names=names,
            now=clock.now(),
        )
        projector = Projector(first)
        bus.observe(projector.observe)
        heralds: list[Service] = []
        if settings.mqtt is not None and not idle:
            await asyncio.to_thread(importlib.import_module, "engine.bus.mqtt")
            link = _mqtt_link(settings.mqtt, projector.snapshot, clock, lambda event: note(database, event))
            bus.observe(link.observe)
            heralds.append(Service("mqtt", link.run))
        keyframes = Keyframes(database, lambda: projector.snapshot)
        if not idle:
            await keyframes.keep(first)

        # from a task to an answer
        providers = {} if idle else await _open_providers(settings.ready_providers(), clock, stack)
        unopened = cast(Provider, None)  # an idle engine prices drafts by its providers' names and never calls one
        serving = dict.fromkeys(settings.ready_providers(), unopened) if idle else providers
        counting = settings.costs.count_tokens and not idle and world is None  # a world's models count as they like
        meter = LedgerMeter(ledger, pricer, TokenCounter(counting=counting, models=settings.costs.azure_deployments))
        models = Models(settings.orchestrator.models, settings.costs.azure_deployments)
        metered = Metered(serving, meter, database, clock, chance, settings.orchestrator, models)
        stack.push_async_callback(metered.drain)
        gauges = Gauges(clock, settings.orchestrator.gauges)
        gauged = Gauged(metered, gauges, clock)
        guarded = Guarded(gauged, database, clock, chance, settings.orchestrator.breaker)
        await guarded.load()
        book = QuotaBook(quotas, clock, settings.orchestrator)
        limited = Limited(
            guarded,
            book,
            clock,
            settings.orchestrator,
            spare=lambda task, target: spare(router, limited, clock, task, target),
        )
        throttles = Throttles(chance, settings.orchestrator.retry.backoff)
        outlook = Outlook(
            admits_at=guarded.admits_at,
            throttled_until=throttles.until,
            opens_at=limited.opens_at,
            worst_cost=priced_at(pricer),
            latency=gauges.latency,
            in_flight=gauges.in_flight,
            quality=gauges.quality,
            room=meter.unspent,
            model=lambda target: models.of(target.provider, target.model),
        )
        router = Router(settings.orchestrator, metered.serves, guarded.admits, clock, chance, outlook)
        downgrading = Downgrading(limited, ladder, guarded.admits, lambda target: models.of(*target))
        fallback = Fallback(
            router, downgrading, guarded, metered.trailing, clock, chance, settings.orchestrator, throttles
        )
        shelf = Shelf()
        if not idle:
            await shelf.load(database, clock.now())
        keeping = Keeping(fallback, shelf, database, clock, settings.orchestrator)
        coalescer = Coalescer(keeping, database, clock, settings.orchestrator)
        stack.push_async_callback(coalescer.drain)
        cached = Cached(coalescer, shelf, database, clock, settings.orchestrator)
        degraded = Degraded(cached, database, clock, chance, settings.orchestrator)
        flags = Flags(database, clock)
        await flags.load()
        flagged = Flagged(degraded, limited, flags, metered.serves, guarded.admits, clock, settings.orchestrator)
        trial = trial_cost(pricer, clock, lambda: router.settings)
        shadowed = Shadowed(flagged, flagged, trial, database, clock, chance, settings.orchestrator)
        await shadowed.load()
        orchestrator = Orchestrator(
            shadowed,
            router,
            metered.serves,
            settings.orchestrator,
            (
                gauges.configure,
                lambda fresh: models.correct(fresh.models),
                metered.configure,
                guarded.configure,
                book.configure,
                limited.configure,
                fallback.configure,
                keeping.configure,
                coalescer.configure,
                cached.configure,
                degraded.configure,
                flagged.configure,
                shadowed.configure,
            ),
        )
        gauges.recall(await lessons(database))
        await recall_ratings(database, gauges)
        routes = Routes(database, orchestrator, gauges, clock, frozenset(settings.providers))
        await routes.load()

        # from a campaign to its messages
        progress = Progress(campaign_graph(settings.sending))
        if not idle:
            await database.write(lambda tx: take_up(tx, jobs, progress, settings.sending, clock.now()))
        fans = FanBook(platform, database, clock)
        naming: Callable[[str], str] = lambda account_id: names.get(account_id, account_id)  # noqa: E731
        estimator = Estimator(orchestrator, pricer, lambda: projector.snapshot, naming, clock)
        dispatch = Dispatch(
            database,
            jobs,
            ledger,
            orchestrator,
            fans,
            limiter.see,
            estimator,
            progress,
            clock,
            chance,
            settings.sending,
        )
        feeding = Feeding(database, clock, dispatch.go_on)
        bus.observe(feeding.observe)
        writer = Writer(
            database, jobs, orchestrator, progress, naming, clock, chance, settings.content, settings.sending
        )
        holds = Holds()
        await holds.load(database)
        bus.observe(holds.observe)
        source = SlotSource(jobs, limiter, holds)
        sender = Sender(
            database, jobs, limiter, source, platform, fans, progress, screen, clock, chance, settings.sending
        )

        # what an operator is told
        health = Health(
            database,
            projector,
            clock,
            platform_url=lambda: settings.platform.url,
            idle_tools=lambda: [tool for tool in orchestrator.settings.tools if not orchestrator.targets(tool)],
        )
        desk = EngineDesk(database, bus, projector, jobs, dispatch, health, clock, orchestrator.tool_name)
        desk.extend({}, {ListLimits: Limits(quotas).listing})
        desk.extend({}, Logs(log_book).queries)
        desk.extend(routes.commands, routes.queries)
        silencing = Silencing(database, clock, chance)
        desk.extend(silencing.commands, silencing.queries)
        drill = Drill(
            orchestrator,
            router,
            downgrading,
            guarded,
            throttles,
            metered.trailing,
            worst_cost(pricer, clock),
            clock,
            chance,
        )
        resilience = Resilience(orchestrator, guarded, None if idle else drill, metered.trailing, database, clock)
        desk.extend(resilience.commands, resilience.queries)
        monitor = Monitor(database, clock, random.SystemRandom())
        bus.observe(monitor.observe)
        tests = LoadTests(orchestrator, tool_bound(orchestrator, pricer, clock), metered.drain, clock, chance)
        bus.observe(tests.observe)
        watch = Watch(database, monitor, tests, clock, teach(gauges))
        desk.extend(watch.commands, watch.queries)
        middleware = MiddlewareDesk(database, keeping, flags, shadowed, orchestrator, clock, settings.costs.time_zone)
        desk.extend(middleware.commands, middleware.queries)
        desk.extend({}, WorkflowShelf(database).queries)
        desk.extend({}, Chronicle(database, monitor, jobs, clock).queries)
        desk.extend({}, Past(database, epoch).queries)
        purse = Purse(database, ledger, clock, settings.costs.time_zone)
        desk.extend(purse.commands, purse.queries)
        previews = Previews(database, orchestrator, routes, flags, pricer, clock, settings.costs.time_zone)
        desk.extend({}, previews.queries)
        desk.extend({}, Explaining(database, jobs, fans, lambda: projector.snapshot, clock).queries)
        desk.extend(thresholds.commands, thresholds.queries)
        keyring = Keyring(database, clock, chance, key_budget(ledger))
        await keyring.load()
        desk.extend({CreateKey: keyring.create, RevokeKey: keyring.revoke}, {ListKeys: keyring.listing})
        catalogue = Catalogue(
            orchestrator,
            tuple(serving),
            priced(pricer, clock),
            lambda target: models.of(target.provider, target.model).largest_output,
            settings.model_aliases,
        )
        traces = random.Random(random.SystemRandom().getrandbits(128))  # noqa: S311 - ids; a seed must not repeat them
        gateway = Gateway(orchestrator, keyring, catalogue, gateway_settings(settings), clock, traces)
        alerts = AlertService(
            database, bus, lambda: projector.snapshot, clock, chance, thresholds.settings, _channels(settings)
        )
        thresholds.join(lambda: projector.snapshot, alerts.configure)

        # what runs
        handlers: dict[str, Callable[[Lease], Awaitable[Outcome]]] = {"write": writer.handle}
        services: list[Service] = []
        if world is not None and not idle:
            from engine.simulation import read_trace
            from engine.simulation.traffic import Traffic, run_campaigns

            trace = await asyncio.to_thread(read_trace, world.trace) if world.trace else ()
            traffic = Traffic(
                database,
                jobs,
                orchestrator,
                clock,
                chance,
                queue=WORKFLOW_QUEUE,
                demand=world.demand,
                trace=trace,
                epoch=world.epoch,
            )
            handlers |= {"task": traffic.handle, "trace": traffic.handle}
            services += [
                Service("traffic", traffic.run_trace if trace else traffic.run_tasks),
                Service("demand", lambda stop: run_campaigns(world.demand, desk, clock, world.epoch, stop)),
            ]
        workflow = Worker(
            jobs,
            database,
            clock,
            chance,
            queue=WORKFLOW_QUEUE,
            handler=route_jobs(handlers),
            concurrency=settings.orchestrator.concurrency,
            lease_for=clock.allowance(settings.sending.lease),
        )
        sending = Worker(
            jobs,
            database,
            clock,
            chance,
            queue=SENDING_QUEUE,
            handler=sender.handle,
            concurrency=_SENDS_AT_ONCE,
            lease_for=clock.allowance(settings.sending.lease),
            source=source,
        )
        tuner = Tuner(
            "writing",
            database,
            clock,
            gauges.load,
            running=lambda: workflow.running,
            waiting=lambda: ready_in(projector.snapshot, WORKFLOW_QUEUE),
            apply=lambda tasks: setattr(workflow, "concurrency", tasks),
            settings=settings.orchestrator,
        )
        depths = Depths(database, projector, clock)
        sampler = Sampler(database, jobs, projector, clock, (WORKFLOW_QUEUE, SENDING_QUEUE))
        housekeeper = Housekeeper(database, jobs, ledger, clock)
        services += [
            Service("writing", workflow.run),
            Service("sending", sending.run),
            Service("consent", lambda stop: fans.run(stop, max_age=settings.sending.consent_max_age)),
            Service("schedule", lambda stop: run_schedule(dispatch, feeding, clock, stop)),
            Service("settling", lambda stop: every(MEND_EVERY, stop, metered.trailing.mend)),
            Service("keyframes", lambda stop: every(KEYFRAMES_LOOK, stop, keyframes.look)),
            Service("sampling", lambda stop: every(SAMPLE_EVERY, stop, sampler.sample)),
            Service("queue history", lambda stop: every(SAMPLE_EVERY, stop, depths.look)),
            Service("shadows", shadowed.run),
            Service("kept answers", lambda stop: every(HOUSEKEEP_EVERY, stop, keeping.tidy)),
            Service("housekeeping", lambda stop: every(HOUSEKEEP_EVERY, stop, housekeeper.tidy)),
            Service("balancing", lambda stop: every(tuner.every, stop, tuner.look)),
            Service("alerts", alerts.run),
            Service("monitoring", monitor.run),
            Service("load tests", tests.run),
        ]
        if settings.backends.ledger_sync == "dynamodb" and not idle:
            services.append(await asyncio.to_thread(_ledger_sync, settings, database, clock, chance))
        engine = Engine(
            desk=desk,
            database=database,
            clock=clock,
            chance=chance,
            services=services,
            node=first.engine.node,
            version=VERSION,
            kind=kind,
            mode=first.engine.mode,
            grace=settings.daemon.drain_seconds,
            parked=lambda: workflow.handed_back + sending.handed_back,
            heralds=heralds,
        )

        async def reload(fresh: Settings) -> Sequence[str]:
            """Take over what can change while running; names the sections that differ. The rest waits for a restart."""
            routes.configure(fresh.orchestrator)
            quotas.configure(fresh.quotas)
            limiter.configure(fresh.limiter, {key: account.name or key for key, account in fresh.accounts.items()})
            await limiter.announce()
            gateway.configure(gateway_settings(fresh))
            sender.settings = fresh.sending
            progress.graph = campaign_graph(fresh.sending)
            writer.content = fresh.content
            tuner.configure(fresh.orchestrator)
            thresholds.configure(fresh.alert_rules)
            return _changed(settings, fresh)

        yield Built(
            engine=engine,
            desk=desk,
            orchestrator=orchestrator,
            monitor=monitor,
            gateway=gateway,
            clock=clock,
            settings=settings,
            reload=reload,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An engine ready to run, and how to give it new settings."""

    engine: Engine
    desk: EngineDesk
    orchestrator: Orchestrator
    monitor: Monitor
    gateway: Gateway
    clock: Clock
    settings: Settings
    reload: Callable[[Settings], Awaitable[Sequence[str]]]


@asynccontextmanager
async def open_offline(settings: Settings, path: Path) -> AsyncIterator[Desk]:
    """The desk of a state directory that no engine runs on: it can be read, and told what only changes the files."""
    directory = StateDirectory(path)
    mode = directory.mode()
    directory.acquire(kind="command", mode=mode or Mode.REAL, version=VERSION)
    try:
        stopped = await asyncio.to_thread(_last_moment, directory) if mode is Mode.SIMULATED else None
        async with open_engine(settings, directory, kind="command", idle=True, stopped=stopped) as built:
            yield built.desk
    finally:
        directory.release()


# ── what the straight line leaves to functions ──────────────────────────────────────────────────────────────────────


def _reachable(settings: Settings, reference: str) -> bool:
    return reference.partition("/")[0] in settings.ready_providers()


async def _open_providers(
    rows: Mapping[str, ProviderSettings], clock: Clock, stack: AsyncExitStack
) -> dict[str, Provider]:
    """Every configured provider. Their SDKs take the better part of a second to import, so a thread does it."""
    opened: dict[str, Provider] = {}
    for name, row in rows.items():
        provider = await asyncio.to_thread(open_provider, row, clock)
        stack.push_async_callback(provider.close)
        opened[name] = provider
    return opened


async def _limits(
    settings: Settings, database: Database, clock: Clock, names: dict[str, str], stack: AsyncExitStack, *, shared: bool
) -> tuple[LocalLimiter | RedisLimiter, QuotaStore]:
    """Who counts what goes out. Redis's client takes a sixth of a second to import, so only those who share pay."""
    if settings.backends.limiter == "redis" and shared:
        client = await asyncio.to_thread(_redis, settings)
        stack.push_async_callback(client.close)
        return await _shared_limits(client, settings, database, clock, names)
    limiter, counters = LocalLimiter(database, clock, settings.limiter, names), LocalQuotas(database, clock)
    await limiter.load()
    await counters.load()
    return limiter, counters


async def _shared_limits(
    client: RedisClient, settings: Settings, database: Database, clock: Clock, names: dict[str, str]
) -> tuple[RedisLimiter, QuotaStore]:
    from engine.limiter.redis_quotas import RedisQuotas
    from engine.limiter.redis_slots import RedisLimiter

    limiter = RedisLimiter(client, database, clock, settings.limiter, names)
    await limiter.load()
    return limiter, RedisQuotas(client, clock)


def _redis(settings: Settings) -> RedisClient:
    from engine.storage.redis import RedisClient

    return RedisClient(settings.backends.redis_url, settings.backends.redis_timeout_seconds)


def _ledger_sync(settings: Settings, database: Database, clock: Clock, chance: Random) -> Service:
    """The sync to DynamoDB; AWS's SDK takes a quarter of a second to import, so only those who sync pay for it."""
    from engine.costs.dynamodb import LedgerSync
    from engine.storage.aws import AwsSettings

    aws = AwsSettings(region=settings.dynamodb.region, endpoint_url=settings.dynamodb.endpoint)
    return Service("ledger sync", LedgerSync(database, settings.sync, aws, clock, chance).run)


def _log_book(settings: Settings, directory: StateDirectory, clock: Clock) -> LogBook:
    """The engine's log, in memory and in a file; from now on no line of this process shows a secret of the settings."""
    known = tuple(secrets_in(settings))
    hide(known)
    return LogBook(clock, Redactor(known), kept=settings.logging.kept, file=directory.path / _LOG_FILE)


def _mqtt_link(mqtt: MqttSettings, snapshot: Snapshot, clock: Clock, tell: Callable[[Event], None]) -> MqttLink:
    """The link to the broker. Its client takes a tenth of a second to import: a thread has done it by now."""
    from engine.bus.mqtt import MqttEngine, MqttLink

    engine = MqttEngine(
        version=snapshot.engine.version,
        kind=snapshot.engine.kind,
        mode=snapshot.engine.mode,
        epoch=snapshot.epoch,
        started_at=clock.now(),
    )
    return MqttLink(mqtt, engine, clock, random.SystemRandom(), tell, seq=snapshot.seq)


def _last_moment(directory: StateDirectory) -> Clock:
    """Where the time of a simulated directory stopped: at its newest event."""
    if not directory.database_path.exists():
        return SystemClock()
    with contextlib.closing(connect(directory.database_path)) as connection:
        migrate(connection)
        newest = connection.execute("SELECT max(at) FROM events").fetchone()[0]
    return SystemClock() if newest is None else StoppedClock(newest)


def _epoch(tx: Tx, fresh: str) -> str:
    """The database's epoch: made once, so that an event id of another database is known to be another's."""
    tx.execute("INSERT OR IGNORE INTO meta VALUES ('epoch', ?)", (fresh,))
    found: str = tx.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()[0]
    return found


def _channels(settings: Settings) -> Sequence[Channel]:
    """The channels that are configured; in-app notices need none."""
    return (SmtpChannel(settings.mail),) if settings.mail is not None else ()


def _changed(old: Settings, fresh: Settings) -> Sequence[str]:
    """The keys whose values differ, dotted."""
    before = {line.key: line.value for line in old.shown}
    return [line.key for line in fresh.shown if before.get(line.key) != line.value]
