"""The engine's core over a real database, fake provider and fake platform: nothing moves unless a test says so."""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.accounts import Keyring
from engine.alerts import AlertSettings
from engine.bus import Bus
from engine.campaigns import QUEUE as WORKFLOW_QUEUE
from engine.campaigns import Dispatch, Estimator, Feeding, Progress, Writer, campaign_graph
from engine.content import ContentSettings
from engine.costs import CostSettings, Ledger, PriceOverride, Pricer
from engine.kernel.clock import Clock
from engine.kernel.redaction import Redactor
from engine.kernel.values import SECOND, usd
from engine.limiter import LimiterSettings, Quotas, QuotaSettings
from engine.limiter.local import LocalLimiter
from engine.limiter.local_quotas import LocalQuotas
from engine.messaging import QUEUE as SENDING_QUEUE
from engine.messaging import Fan, FanBook, Holds, Outgoing, Sender, SendingSettings, SlotSource
from engine.messaging.platform import Outcome as SendOutcome
from engine.messaging.platform import Sent, ThreadMessage
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
    OrchestratorSettings,
    Outlook,
    Router,
    Routes,
    Shadowed,
    Shelf,
    Throttles,
    ToolRoute,
)
from engine.providers import Chunk, Completion, Finish, ModelRequest, Usage
from engine.queue import Bury, Defer, Done, Lease, Outcome, Retry, Settled
from engine.queue.sqlite import SqliteJobStore
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
    Projector,
    Purse,
    Resilience,
    Silencing,
    Thresholds,
    Watch,
    WorkflowShelf,
    first_snapshot,
)
from engine.storage import Database, Tx
from engine.surface.commands import Audience, CampaignDraft, CreateCampaign, CreateKey, RevokeKey
from engine.surface.queries import ListKeys, ListLimits
from engine.surface.snapshot import EngineView, Snapshot
from engine.telemetry import LogBook, Monitor, Rated
from huntaze_console.joints import (
    LedgerMeter,
    QuotaBook,
    key_budget,
    note,
    priced_at,
    spare,
    tool_bound,
    trial_cost,
    worst_cost,
)
from tests.fakes import ManualClock

PRICES = CostSettings(
    overrides=tuple(
        PriceOverride(
            provider=name, model="m", from_day=date(2020, 1, 1), input=Decimal(1), output=Decimal(2), cached=Decimal(1)
        )
        for name in ("one", "two")
    )
)
SETTINGS = OrchestratorSettings(
    tools={"message": ToolRoute(chain=("one/m", "two/m"), max_output_tokens=100)}, total=180 * SECOND
)
LIMITS = QuotaSettings()  # the tests of the limits bring their own
USAGE = Usage(input_tokens=10, output_tokens=5)
LADDER = {"one/m": "two/m"}  # alike in price, so that only a budget of one provider asks for it
COST = 10 * 1_000 + 5 * 2_000  # nano-dollars of one answer


class FakeProvider:
    """Answers what `script` yields next: a Completion, or an error to raise; then "Hello you" for ever."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.script: list[Completion | BaseException | Callable[[ModelRequest], Awaitable[Completion]]] = []
        self.requests: list[ModelRequest] = []

    async def complete(self, model: str, request: ModelRequest) -> Completion:
        self.requests.append(request)
        step = self.script.pop(0) if self.script else answer()
        if isinstance(step, BaseException):
            raise step
        return step if isinstance(step, Completion) else await step(request)

    def stream(self, model: str, request: ModelRequest) -> AsyncIterator[Chunk]:
        raise NotImplementedError

    async def close(self) -> None: ...


def answer(text: str = "Hello you, how was your day?", **changes: Any) -> Completion:
    return replace(Completion(text=text, finish=Finish.STOP, usage=USAGE, model="m"), **changes)


class FakePlatform:
    """Takes every message, unless `script` says otherwise; `audience` maps an account to its fans, or to an error."""

    def __init__(self) -> None:
        self.idempotent = False
        self.script: list[SendOutcome | BaseException | Callable[[Outgoing], Awaitable[SendOutcome]]] = []
        self.sent: list[Outgoing] = []
        self.audience: dict[str, list[Fan] | Exception] = {}
        self.readings = 0
        self.gate: asyncio.Event | None = None  # readings wait for it

    async def send(self, message: Outgoing) -> SendOutcome:
        self.sent.append(message)
        step = self.script.pop(0) if self.script else Sent(f"msg_{len(self.sent)}")
        if isinstance(step, BaseException):
            raise step
        return await step(message) if callable(step) else step

    async def fans(self, account_id: str) -> AsyncIterator[Fan]:
        self.readings += 1
        if self.gate is not None:
            await self.gate.wait()
        found = self.audience.get(account_id, [])
        if isinstance(found, Exception):
            raise found
        for fan in found:
            yield fan

    async def thread(self, account_id: str, fan_id: str) -> AsyncIterator[ThreadMessage]:
        nothing: tuple[ThreadMessage, ...] = ()
        for message in nothing:
            yield message

    async def close(self) -> None: ...


def fans(count: int, **changes: Any) -> list[Fan]:
    return [Fan(fan_id=f"f{number}", name=f"Zoë {number}", **changes) for number in range(count)]


@functools.cache
def _pricer() -> Pricer:
    """The prices never change, and reading them takes longer than most tests."""
    return Pricer(PRICES)


def screened(text: str) -> str:
    return "banned: a word" if "forbidden" in text else ""


@dataclass
class Rig:
    """Everything joined as the bootstrap joins it, without the workers: a test leases and handles by itself."""

    database: Database
    clock: ManualClock
    bus: Bus
    jobs: SqliteJobStore
    ledger: Ledger
    limiter: LocalLimiter
    providers: dict[str, FakeProvider]
    metered: Metered
    guarded: Guarded
    orchestrator: Orchestrator
    shelf: Shelf
    shadowed: Shadowed
    platform: FakePlatform
    fans: FanBook
    progress: Progress
    dispatch: Dispatch
    feeding: Feeding
    writer: Writer
    holds: Holds
    source: SlotSource
    sender: Sender
    projector: Projector
    desk: EngineDesk
    monitor: Monitor
    tests: LoadTests
    keyring: Keyring
    ratings: list[Rated]
    obeyed: list[AlertSettings]  # what the alerts were told to go by, newest last
    first: Callable[[], Awaitable[Snapshot]]
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    async def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """What a table has once every call that ended is settled."""
        await self.metered.drain()
        async with self.database.reader() as reader:
            return [dict(row) for row in await reader.rows(sql, values)]

    async def states(self, campaign_id: str) -> dict[str, int]:
        sql = "SELECT state, count(*) AS n FROM deliveries WHERE campaign_id = ? GROUP BY state"
        return {row["state"]: row["n"] for row in await self.rows(sql, campaign_id)}

    async def state(self, campaign_id: str) -> str:
        (row,) = await self.rows("SELECT state FROM campaigns WHERE campaign_id = ?", campaign_id)
        return str(row["state"])

    async def create(self, *, count: int = 3, start: bool = True, key: str = "", **draft: Any) -> str:
        """A campaign of a template for `count` fans of anna, approved by itself unless `draft` says otherwise."""
        self.platform.audience.setdefault("anna", fans(count))
        fields: dict[str, Any] = {"template": "Hello {{name}}", "approval": "automatic", **draft}
        fields["template"] = "" if fields.get("prompt") else fields["template"]
        made = CampaignDraft(name="spring", account_id="anna", **{"audience": Audience(all=True), **fields})
        done = await self.dispatch.create(CreateCampaign(draft=made, start=start, key=key))
        return str(done.data["campaign_id"])

    async def lease_writing(self, limit: int = 100) -> list[Lease]:
        now = self.clock.now()
        return await self.jobs.lease(WORKFLOW_QUEUE, now=now, until=now + 300 * SECOND, limit=limit)

    async def write(self, limit: int = 100) -> int:
        """Work off what is ready in the workflow queue."""
        leases = await self.lease_writing(limit)
        for lease in leases:
            await self.carry_out(lease, await self.writer.handle(lease))
        return len(leases)

    async def lease_sending(self, limit: int = 100) -> list[Lease]:
        now = self.clock.now()
        leases, _ = await self.source.take(limit, now=now, until=now + 300 * SECOND)
        return list(leases)

    async def send(self, limit: int = 100) -> int:
        """Work off what is ready in the sending queue and has a free slot."""
        leases = await self.lease_sending(limit)
        for lease in leases:
            await self.carry_out(lease, await self.sender.handle(lease))
        return len(leases)

    async def carry_out(self, lease: Lease, outcome: Outcome) -> None:
        """What the worker does with an outcome; a retry comes back after a second."""

        def apply(tx: Tx) -> None:
            match outcome:
                case Done():
                    self.jobs.complete(tx, lease)
                case Retry(cause, at_least):
                    self.jobs.retry(tx, lease, self.clock.now() + max(SECOND, at_least), cause)
                case Defer(ready_at):
                    self.jobs.defer(tx, lease, ready_at)
                case Bury(cause):
                    self.jobs.bury(tx, lease, cause)
                case Settled():
                    pass

        await self.database.write(apply)

    async def queue(self, name: str = SENDING_QUEUE) -> dict[str, int]:
        """How many jobs stand where, zeros left out."""
        depth = await self.jobs.depth(name)
        counts = {key: getattr(depth, key) for key in ("ready", "delayed", "leased", "parked", "dead")}
        return {key: count for key, count in counts.items() if count}


@dataclass(frozen=True)
class Joined:
    """The way from a task to its answer, and those of its stages that have a handle."""

    guarded: Guarded
    orchestrator: Orchestrator
    keeping: Keeping
    flags: Flags
    shadowed: Shadowed
    drill: Drill
    quotas: Quotas


def join_orchestrator(*arguments: Any, **named: Any) -> tuple[Guarded, Orchestrator]:
    """As `join_stages`, for those who want the way alone."""
    joined = join_stages(*arguments, **named)
    return joined.guarded, joined.orchestrator


def join_stages(
    metered: Metered,
    database: Database,
    clock: Clock,
    chance: random.Random,
    shelf: Shelf | None = None,
    settings: OrchestratorSettings = SETTINGS,
    pricer: Pricer | None = None,
    gauges: Gauges | None = None,
    limits: QuotaSettings = LIMITS,
) -> Joined:
    """The way from a task to its answer, over a metered hop."""
    gauges = gauges or Gauges(clock, settings.gauges)
    guarded = Guarded(Gauged(metered, gauges, clock), database, clock, chance, settings.breaker)
    quotas = Quotas(LocalQuotas(database, clock), clock, limits, lambda event: note(database, event))
    book = QuotaBook(quotas, clock, settings)
    limited = Limited(
        guarded, book, clock, settings, spare=lambda task, target: spare(router, limited, clock, task, target)
    )
    throttles = Throttles(chance, settings.retry.backoff)
    outlook = Outlook(
        admits_at=guarded.admits_at,
        throttled_until=throttles.until,
        opens_at=limited.opens_at,
        worst_cost=priced_at(pricer or _pricer()),
        latency=gauges.latency,
        in_flight=gauges.in_flight,
        quality=gauges.quality,
    )
    router = Router(settings, metered.serves, guarded.admits, clock, chance, outlook)
    downgrading = Downgrading(limited, LADDER, guarded.admits)
    fallback = Fallback(router, downgrading, guarded, metered.trailing, clock, chance, settings, throttles)
    shelf = Shelf() if shelf is None else shelf
    keeping = Keeping(fallback, shelf, database, clock, settings)
    coalescer = Coalescer(keeping, database, clock, settings)
    cached = Cached(coalescer, shelf, database, clock, settings)
    degraded = Degraded(cached, database, clock, chance, settings)
    flags = Flags(database, clock)
    flagged = Flagged(degraded, limited, flags, metered.serves, guarded.admits, clock, settings)
    cost = trial_cost(pricer or _pricer(), clock, lambda: router.settings)
    shadowed = Shadowed(flagged, flagged, cost, database, clock, chance, settings)
    orchestrator = Orchestrator(
        shadowed,
        router,
        metered.serves,
        settings,
        (
            metered.configure,
            guarded.configure,
            fallback.configure,
            keeping.configure,
            coalescer.configure,
            cached.configure,
            degraded.configure,
            flagged.configure,
            shadowed.configure,
        ),
        degraded.level,
    )
    price = worst_cost(pricer or _pricer(), clock)
    drill = Drill(orchestrator, router, downgrading, guarded, throttles, metered.trailing, price, clock, chance)
    return Joined(guarded, orchestrator, keeping, flags, shadowed, drill, quotas)


@asynccontextmanager
async def rig(folder: Path, *, clock: ManualClock | None = None, messages: int = 10) -> AsyncIterator[Rig]:
    """A rig on the database of a folder; opened again on the same folder it is the restarted engine."""
    clock = clock or ManualClock()
    async with Database.open(folder / "huntaze.db", readers=2, synchronous="OFF") as database:
        chance = random.Random(7)
        bus = Bus()
        database.on_commit(bus.publish)
        jobs = SqliteJobStore(database, clock)
        pricer = _pricer()
        ledger = Ledger(database, pricer, clock, ladder=LADDER)
        limits = LimiterSettings(messages=messages)
        limiter = LocalLimiter(database, clock, limits, {})
        await limiter.load()
        platform = FakePlatform()

        async def first() -> Snapshot:
            return await first_snapshot(
                database,
                jobs,
                epoch="e",
                engine=EngineView(),
                thresholds=(usd(50), usd(1000)),
                limiter=limits,
                names={},
                now=clock.now(),
            )

        obeyed: list[AlertSettings] = []
        projector = Projector(await first())
        bus.observe(projector.observe)
        providers = {name: FakeProvider(name) for name in ("one", "two")}
        metered = Metered(providers, LedgerMeter(ledger, pricer), database, clock, chance, SETTINGS)
        shelf = Shelf()
        await shelf.load(database, clock.now())
        gauges = Gauges(clock, SETTINGS.gauges)
        joined = join_stages(metered, database, clock, chance, shelf, gauges=gauges)
        guarded, orchestrator = joined.guarded, joined.orchestrator
        await joined.flags.load()
        await joined.shadowed.load()
        progress = Progress(campaign_graph(SendingSettings()))
        book = FanBook(platform, database, clock)
        estimator = Estimator(orchestrator, pricer, lambda: projector.snapshot, lambda name: name, clock)
        sending = SendingSettings()
        dispatch = Dispatch(
            database,
            jobs,
            ledger,
            orchestrator,
            book,
            limiter.see,
            estimator,
            progress,
            clock,
            chance,
            sending,
        )
        feeding = Feeding(database, clock, dispatch.go_on)
        bus.observe(feeding.observe)
        writer = Writer(
            database, jobs, orchestrator, progress, lambda name: name, clock, chance, ContentSettings(), sending
        )
        holds = Holds()
        await holds.load(database)
        bus.observe(holds.observe)
        source = SlotSource(jobs, limiter, holds)
        sender = Sender(database, jobs, limiter, source, platform, book, progress, screened, clock, chance, sending)
        health = Health(database, projector, clock, platform_url=lambda: "http://platform", idle_tools=tuple)
        desk = EngineDesk(database, bus, projector, jobs, dispatch, holds, health, clock, orchestrator.tool_name)
        monitor = Monitor(database, clock, random.SystemRandom())
        bus.observe(monitor.observe)
        ratings: list[Rated] = []
        tests = LoadTests(orchestrator, tool_bound(orchestrator, pricer, clock), metered.drain, clock, chance)
        bus.observe(tests.observe)
        watch = Watch(database, monitor, tests, clock, ratings.append)
        desk.extend(watch.commands, watch.queries)
        resilience = Resilience(orchestrator, guarded, joined.drill, metered.trailing, database, clock)
        desk.extend(resilience.commands, resilience.queries)
        desk.extend({}, WorkflowShelf(database).queries)
        desk.extend({}, Chronicle(database, monitor, jobs, clock).queries)
        desk.extend({}, Past(database, "e").queries)
        routes = Routes(database, orchestrator, gauges, clock, providers)
        desk.extend(routes.commands, routes.queries)
        silencing = Silencing(database, clock, chance)
        desk.extend(silencing.commands, silencing.queries)
        middleware = MiddlewareDesk(database, joined.keeping, joined.flags, joined.shadowed, orchestrator, clock, "UTC")
        desk.extend(middleware.commands, middleware.queries)
        purse = Purse(database, ledger, clock, "UTC")
        desk.extend(purse.commands, purse.queries)
        previews = Previews(database, orchestrator, routes, joined.flags, pricer, clock, "UTC")
        desk.extend({}, previews.queries)
        desk.extend({}, Explaining(database, jobs, book, lambda: projector.snapshot, clock).queries)
        thresholds = Thresholds(database, clock, AlertSettings())
        thresholds.join(lambda: projector.snapshot, obeyed.append)
        desk.extend(thresholds.commands, thresholds.queries)
        desk.extend({}, {ListLimits: Limits(joined.quotas).listing})
        log_book = LogBook(clock, Redactor(), kept=100)
        desk.extend({}, Logs(log_book).queries)
        keyring = Keyring(database, clock, chance, key_budget(ledger))
        await keyring.load()
        desk.extend({CreateKey: keyring.create, RevokeKey: keyring.revoke}, {ListKeys: keyring.listing})
        with log_book.listening():
            yield Rig(
                database=database,
                clock=clock,
                bus=bus,
                jobs=jobs,
                ledger=ledger,
                limiter=limiter,
                providers=providers,
                metered=metered,
                guarded=guarded,
                orchestrator=orchestrator,
                shelf=shelf,
                shadowed=joined.shadowed,
                platform=platform,
                fans=book,
                progress=progress,
                dispatch=dispatch,
                feeding=feeding,
                writer=writer,
                holds=holds,
                source=source,
                sender=sender,
                projector=projector,
                desk=desk,
                monitor=monitor,
                tests=tests,
                keyring=keyring,
                ratings=ratings,
                obeyed=obeyed,
                first=first,
            )
