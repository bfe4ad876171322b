"""From a task to an answer: the orchestrator's stages in their order, each around the one before."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from engine.orchestrator import (
    Cached,
    Coalescer,
    Degraded,
    Downgrading,
    Fallback,
    Flagged,
    Flags,
    Keeping,
    Limited,
    Orchestrator,
    OrchestratorSettings,
    Outlook,
    Router,
    Routes,
    Shadowed,
    Shelf,
)
from huntaze_console.bootstrap.calls import Calls
from huntaze_console.bootstrap.start import Start
from huntaze_console.bootstrap.stores import Stores
from huntaze_console.joints import Prepared, priced_at, spare, trial_cost

Configure = Callable[[OrchestratorSettings], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """The orchestrator, and those of its stages that an operator looks at or turns."""

    prepared: Prepared
    orchestrator: Orchestrator
    router: Router
    downgrading: Downgrading
    keeping: Keeping
    flags: Flags
    shadowed: Shadowed
    routes: Routes


async def open_answering(start: Start, stores: Stores, calls: Calls, stack: AsyncExitStack) -> Answering:
    """Join the stages, and load what operators have set of them."""
    settings, database, clock, chance = start.settings.orchestrator, stores.database, start.clock, start.chance
    metered, guarded = calls.metered, calls.guarded
    limited, router = _choosing(start, stores, calls)
    downgrading = Downgrading(limited, stores.ladder, guarded.admits, lambda target: calls.models.of(*target))
    fallback = Fallback(router, downgrading, guarded, metered.trailing, clock, chance, settings, calls.throttles)
    shelf = Shelf()
    if not start.idle:
        await shelf.load(database, clock.now())
    keeping = Keeping(fallback, shelf, database, clock, settings)
    coalescer = Coalescer(keeping, database, clock, settings)
    stack.push_async_callback(coalescer.drain)
    cached = Cached(coalescer, shelf, database, clock, settings)
    degraded = Degraded(cached, database, clock, chance, settings)
    flags = Flags(database, clock)
    await flags.load()
    flagged = Flagged(degraded, limited, flags, metered.serves, guarded.admits, clock, settings)
    trial = trial_cost(stores.pricer, clock, lambda: router.settings)
    shadowed = Shadowed(flagged, flagged, trial, database, clock, chance, settings)
    await shadowed.load()
    turned: tuple[Configure, ...] = (
        *_turned(calls),
        limited.configure,
        fallback.configure,
        keeping.configure,
        coalescer.configure,
        cached.configure,
        degraded.configure,
        flagged.configure,
        shadowed.configure,
    )
    prepared = Prepared(shadowed, calls.providers.values())
    orchestrator = Orchestrator(prepared, router, metered.serves, settings, turned, degraded.level)
    routes = Routes(database, orchestrator, calls.gauges, clock, frozenset(start.settings.providers))
    await routes.load()
    return Answering(
        prepared=prepared,
        orchestrator=orchestrator,
        router=router,
        downgrading=downgrading,
        keeping=keeping,
        flags=flags,
        shadowed=shadowed,
        routes=routes,
    )


def _choosing(start: Start, stores: Stores, calls: Calls) -> tuple[Limited, Router]:
    """The limits on single models, and the choice among models, which ask each other."""
    settings, clock, gauges, models = start.settings.orchestrator, start.clock, calls.gauges, calls.models
    limited = Limited(
        calls.guarded,
        calls.book,
        clock,
        settings,
        spare=lambda task, target: spare(router, limited, clock, task, target),
    )
    outlook = Outlook(
        admits_at=calls.guarded.admits_at,
        throttled_until=calls.throttles.until,
        opens_at=limited.opens_at,
        worst_cost=priced_at(stores.pricer),
        latency=gauges.latency,
        in_flight=gauges.in_flight,
        quality=gauges.quality,
        room=calls.meter.unspent,
        model=lambda target: models.of(target.provider, target.model),
    )
    router = Router(settings, calls.metered.serves, calls.guarded.admits, clock, start.chance, outlook)
    return limited, router


def _turned(calls: Calls) -> tuple[Configure, ...]:
    """What of a single call takes new settings over."""
    return (
        calls.gauges.configure,
        lambda fresh: calls.models.correct(fresh.models),
        calls.metered.configure,
        calls.guarded.configure,
        calls.book.configure,
    )
