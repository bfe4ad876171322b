"""Every place of the console, in one table: where it is, how it is reached, and what it is for.

A place is added by a line here; modes, number keys, the palette, the command bar and the help follow from it. Its class
is a `screens.place.Place` that is built without arguments, and its module is imported when it is first visited.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from textual.screen import Screen


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One place. Reached by its number where it has one, and by `:` with its name or any of its aliases."""

    name: str
    number: str = ""  # the key; empty for places that only `:` and other screens lead to
    at: str  # module:class
    aliases: tuple[str, ...] = ()
    about: str  # one line, for the command bar, the palette and the help

    def build(self) -> Screen[Any]:
        """A new screen. The first frame does not wait for the code of places not visited."""
        module, name = self.at.split(":")
        screen: Screen[Any] = getattr(import_module(module), name)()
        return screen


REGISTRY: tuple[Entry, ...] = (
    Entry(
        name="overview",
        number="1",
        at="screens.overview:OverviewScreen",
        aliases=("home",),
        about="spend, alerts, providers, queue and campaigns at a glance",
    ),
    Entry(
        name="costs",
        number="2",
        at="screens.costs:CostsScreen",
        aliases=("cost", "spend"),
        about="what was spent, by day, provider, model, tool, campaign and account",
    ),
    Entry(
        name="providers",
        number="3",
        at="screens.providers:ProvidersScreen",
        aliases=("models",),
        about="breakers, latency and errors of every model; its calls",
    ),
    Entry(
        name="queue",
        number="4",
        at="screens.queue:QueueScreen",
        aliases=("queues", "jobs"),
        about="jobs waiting, leased and dead; redrive or discard them",
    ),
    Entry(
        name="limits",
        number="5",
        at="screens.limits:LimitsScreen",
        aliases=("accounts", "tokens"),
        about="the accounts' slots and when each returns; limits on calls",
    ),
    Entry(
        name="campaigns",
        number="6",
        at="screens.campaigns:CampaignsScreen",
        about="progress, approvals and every delivery of every campaign",
    ),
    Entry(
        name="alerts",
        number="7",
        at="screens.alerts:AlertsScreen",
        about="what is open, since when, and what was",
    ),
    Entry(
        name="events",
        number="8",
        at="screens.stream:StreamScreen",
        aliases=("stream", "live"),
        about="what happens as it happens, one line each; pause, filter, one event in full",
    ),
    Entry(
        name="logs",
        number="9",
        at="screens.logs:LogsScreen",
        aliases=("log",),
        about="what the engine says of itself, by level; follow, one record in full",
    ),
    Entry(
        name="budgets",
        at="screens.budgets:BudgetsScreen",
        aliases=("budget",),
        about="every budget, what is left of it, and its course",
    ),
    Entry(
        name="routes",
        at="screens.routes:RoutesScreen",
        aliases=("route",),
        about="which models each tool is routed over, and why",
    ),
    Entry(
        name="thresholds",
        at="screens.thresholds:ThresholdsScreen",
        aliases=("threshold",),
        about="from which sum of a day or a month on an alert is critical",
    ),
    Entry(
        name="silences",
        at="screens.silences:SilencesScreen",
        aliases=("silence",),
        about="what keeps alerts from notifying anybody, and until when",
    ),
    Entry(
        name="flags",
        at="screens.flags:FlagsScreen",
        aliases=("flag",),
        about="switches and the users they are on for",
    ),
    Entry(
        name="trials",
        at="screens.flags:TrialsScreen",
        aliases=("trial", "shadows"),
        about="models tried beside those that answer, and how they compare",
    ),
    Entry(
        name="audit",
        at="screens.audit:AuditScreen",
        aliases=("history", "who"),
        about="who did what, before and after; undo",
    ),
    Entry(
        name="monitoring",
        at="screens.monitoring:MonitoringScreen",
        aliases=("times",),
        about="times and errors by tool, model, provider and endpoint",
    ),
)
NAMES: tuple[str, ...] = tuple(entry.name for entry in REGISTRY)
NUMBERED: tuple[Entry, ...] = tuple(
    sorted((entry for entry in REGISTRY if entry.number), key=lambda entry: entry.number)
)


def entry(word: str) -> Entry | None:
    """The place of a name or an alias."""
    return next((each for each in REGISTRY if word == each.name or word in each.aliases), None)
