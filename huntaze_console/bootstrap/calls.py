"""One call to one model: the providers, the books that every call stands in, breakers, quotas, and what is learned."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import cast

from engine.costs import TokenCounter
from engine.orchestrator import Gauged, Gauges, Guarded, Metered, Throttles
from engine.providers import LateProvider, Models, Provider
from huntaze_console.bootstrap.start import Start
from huntaze_console.bootstrap.stores import Stores
from huntaze_console.joints import LedgerMeter, QuotaBook, lessons, recall_ratings


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """The stages under the choice of a model, each of which other parts ask besides."""

    providers: Mapping[str, LateProvider]  # none of an idle engine
    serving: Mapping[str, Provider]  # by name, also those that an idle engine prices drafts by
    meter: LedgerMeter
    models: Models
    metered: Metered
    gauges: Gauges
    guarded: Guarded
    book: QuotaBook
    throttles: Throttles


async def open_calls(start: Start, stores: Stores, stack: AsyncExitStack) -> Calls:
    """Open the providers, dialling nothing, and recall what earlier runs learned of their models."""
    settings, database, clock, chance = start.settings.orchestrator, stores.database, start.clock, start.chance
    providers = {} if start.idle else _open_providers(start, stack)
    unopened = cast(Provider, None)  # an idle engine prices drafts by its providers' names and never calls one
    serving = dict.fromkeys(start.settings.ready_providers(), unopened) if start.idle else providers
    costs = start.settings.costs
    counting = costs.count_tokens and not start.idle and start.world is None  # a world's models count as they like
    meter = LedgerMeter(stores.ledger, stores.pricer, TokenCounter(counting=counting, models=costs.azure_deployments))
    models = Models(settings.models, costs.azure_deployments)
    metered = Metered(serving, meter, database, clock, chance, settings, models)
    stack.push_async_callback(metered.drain)
    gauges = Gauges(clock, settings.gauges)
    guarded = Guarded(Gauged(metered, gauges, clock), database, clock, chance, settings.breaker)
    await guarded.load()
    gauges.recall(await lessons(database))
    await recall_ratings(database, gauges)
    return Calls(
        providers=providers,
        serving=serving,
        meter=meter,
        models=models,
        metered=metered,
        gauges=gauges,
        guarded=guarded,
        book=QuotaBook(stores.quotas, clock, settings),
        throttles=Throttles(chance, settings.retry.backoff),
    )


def _open_providers(start: Start, stack: AsyncExitStack) -> dict[str, LateProvider]:
    opened = {}
    for name, row in start.settings.ready_providers().items():
        opened[name] = LateProvider(row, start.clock)
        stack.push_async_callback(opened[name].close)
    return opened
