"""The command palette's content: every place, every action that is possible here and now, every campaign."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from screens.formatting import clean
from screens.keys import spelled
from screens.registry import REGISTRY
from screens.vocabulary import Show, Visit

if TYPE_CHECKING:
    from screens.moving import MovingConsole

Command = tuple[str, Callable[[], Any]]


class Actions(Provider):
    """Names are cleaned and shown as `Content`, so none of them is ever read as markup."""

    async def discover(self) -> Hits:
        for name, run in self._commands():
            yield DiscoveryHit(Content(name), run, text=name)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for name, run in (*self._commands(), *self._campaigns()):
            score = matcher.match(name)
            if score > 0:
                yield Hit(score, Content(name), run, text=name)

    def _commands(self) -> Iterator[Command]:
        app = cast("MovingConsole", self.app)
        for entry in REGISTRY:
            yield f"go to {entry.name}", partial(app.visit, Visit(entry.name))
        seen: set[str] = set()
        for active in self.screen.active_bindings.values():
            binding = active.binding
            moving = binding.action.startswith(("step", "page", "edge", "choose"))
            skipped = (
                moving
                or not active.enabled
                or not binding.description[:1].islower()
                or binding.action.startswith("place(")
            )
            if skipped or binding.action in seen or "command_palette" in binding.action:
                continue
            seen.add(binding.action)
            yield (
                f"{binding.description} ({spelled(binding.key)})",
                partial(app.run_action, binding.action, active.node),
            )

    def _campaigns(self) -> Iterator[Command]:
        app = cast("MovingConsole", self.app)
        for key, campaign in app.feed.view.snapshot.campaigns.items():
            yield f"campaign {clean(campaign.name, longest=80)}", partial(app.carry_out, Show("campaign", key))
