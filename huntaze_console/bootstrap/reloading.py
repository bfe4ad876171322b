"""New settings for a running engine: what can change while it runs is taken over, the rest waits for a restart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from engine.campaigns import campaign_graph
from huntaze_console.api.gateway import Gateway
from huntaze_console.bootstrap.answering import Answering
from huntaze_console.bootstrap.campaigns import Campaigns
from huntaze_console.bootstrap.services import Work
from huntaze_console.bootstrap.start import Start
from huntaze_console.bootstrap.stores import Stores
from huntaze_console.bootstrap.view import View
from huntaze_console.config import Settings
from huntaze_console.serving import gateway_settings

TAKEN_WHILE_RUNNING = frozenset(
    {"gateway", "orchestrator", "tools", "models", "limiter", "limits", "accounts", "alerts", "campaigns"}
)
"""Sections of the configuration that a reload takes over; the others wait for a restart."""

Reload = Callable[[Settings], Awaitable[Sequence[str]]]


def reloading(
    start: Start,
    stores: Stores,
    view: View,
    answering: Answering,
    campaigns: Campaigns,
    gateway: Gateway,
    work: Work,
) -> Reload:
    """A function that takes new settings over and names the keys that differ from those of the start, dotted."""

    async def reload(fresh: Settings) -> Sequence[str]:
        names = {account_id: account.name or account_id for account_id, account in fresh.accounts.items()}
        answering.routes.configure(fresh.orchestrator)
        stores.quotas.configure(fresh.quotas)
        stores.limiter.configure(fresh.limiter, names)
        await stores.limiter.announce()
        gateway.configure(gateway_settings(fresh))
        campaigns.sender.settings = fresh.sending
        campaigns.progress.graph = campaign_graph(fresh.sending)
        campaigns.writer.content = fresh.content
        work.tuner.configure(fresh.orchestrator)
        view.thresholds.configure(fresh.alert_rules)
        return _changed(start.settings, fresh)

    return reload


def _changed(old: Settings, fresh: Settings) -> Sequence[str]:
    before = {line.key: line.value for line in old.shown}
    return [line.key for line in fresh.shown if before.get(line.key) != line.value]
