"""From a campaign to its messages: audience, texts, and the sending of them."""

from __future__ import annotations

from dataclasses import dataclass

from engine.campaigns import Dispatch, Estimator, Feeding, Progress, Writer, campaign_graph, take_up
from engine.content import screen
from engine.messaging import FanBook, Holds, Sender, SlotSource
from huntaze_console.bootstrap.answering import Answering
from huntaze_console.bootstrap.start import Start
from huntaze_console.bootstrap.stores import Stores
from huntaze_console.bootstrap.view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaigns:
    """What plans, writes and sends."""

    progress: Progress
    fans: FanBook
    dispatch: Dispatch
    feeding: Feeding
    writer: Writer
    source: SlotSource
    sender: Sender


async def open_campaigns(start: Start, stores: Stores, view: View, answering: Answering) -> Campaigns:
    """Take up the workflows that a killed process left, and join what carries them on."""
    settings, database, jobs, clock = start.settings.sending, stores.database, stores.jobs, start.clock
    progress = Progress(campaign_graph(settings))
    if not start.idle:
        await database.write(lambda tx: take_up(tx, jobs, progress, settings, clock.now()))
    fans = FanBook(stores.platform, database, clock)
    dispatch = _dispatch(start, stores, view, answering, fans, progress)
    feeding = Feeding(database, clock, dispatch.go_on)
    stores.bus.observe(feeding.observe)
    writer = Writer(
        database,
        jobs,
        answering.orchestrator,
        progress,
        start.name_of,
        clock,
        start.chance,
        start.settings.content,
        settings,
    )
    holds = Holds()
    await holds.load(database)
    stores.bus.observe(holds.observe)
    source = SlotSource(jobs, stores.limiter, holds)
    sender = Sender(
        database,
        jobs,
        stores.limiter,
        source,
        stores.platform,
        fans,
        progress,
        screen,
        clock,
        start.chance,
        settings,
    )
    return Campaigns(
        progress=progress,
        fans=fans,
        dispatch=dispatch,
        feeding=feeding,
        writer=writer,
        source=source,
        sender=sender,
    )


def _dispatch(
    start: Start, stores: Stores, view: View, answering: Answering, fans: FanBook, progress: Progress
) -> Dispatch:
    estimator = Estimator(answering.orchestrator, stores.pricer, view.snapshot, start.name_of, start.clock)
    return Dispatch(
        stores.database,
        stores.jobs,
        stores.ledger,
        answering.orchestrator,
        fans,
        stores.limiter.see,
        estimator,
        progress,
        start.clock,
        start.chance,
        start.settings.sending,
    )
