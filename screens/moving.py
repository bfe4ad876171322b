"""Moving about: from place to place and back, and what the `:` line leads to."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from screens import theme as themes
from screens.commandbar import CommandBar
from screens.formatting import clean
from screens.inorder import GOING
from screens.keys import spelled
from screens.listing import Listing
from screens.onterminal import TerminalConsole
from screens.place import Place, why_none_acts
from screens.vocabulary import Act, Do, Offer, Show, Step, Unknown, Visit, meaning, offers

_REMEMBERED = 50  # lines of the command bar


class MovingConsole(TerminalConsole):
    """A console one moves about in.

    `came_from` are the places that `:` led away from, the last at the end, each once. What `:` opened over a place, and
    all that was opened from there, is an excursion: the next one takes its turn, so that screens never pile up.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.came_from: tuple[str, ...] = ()
        self._said: tuple[str, ...] = ()

    # ── places ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def action_place(self, place: str) -> None:
        """Go to a numbered place, as it was left but for an excursion; there already, to its first screen."""
        self.came_from = ()
        if self.current_mode != place:
            await self.switch_mode(place)
            await self._end_excursion()
            return
        while len(self.screen_stack) > 1:
            await self.pop_screen()

    async def action_return(self) -> None:
        """Go back to where `:` was typed."""
        if self.came_from:
            *before, last = self.came_from
            self.came_from = tuple(before)
            await self.switch_mode(last)

    async def visit(self, step: Visit) -> None:
        """Go to a place's first screen, so that esc leads back here."""
        if self.current_mode != step.place:
            here = self.current_mode
            before = (*(place for place in self.came_from if place not in (here, step.place)), here)
            await self.switch_mode(step.place)
            self.came_from = before
        while len(self.screen_stack) > 1:
            await self.pop_screen()
        screen = self.screen
        if isinstance(screen, Listing):
            screen.look_for(step.filter, step.row)
        if isinstance(screen, Place):
            screen.show_keys()
        if step.action:
            await self._do(step.action)

    # ── the command bar ─────────────────────────────────────────────────────────────────────────────────────────────

    def action_command(self) -> None:
        acts = self.acts()

        def offered(typed: str) -> list[Offer]:
            return offers(typed, self.feed.view, acts)

        def flaw(line: str) -> str:
            step = meaning(line, self.feed.view, acts)
            return step.why if isinstance(step, Unknown) else ""

        def entered(said: str | None) -> None:
            if said:
                self._said = (*(each for each in self._said if each != said), said)[-_REMEMBERED:]
                self.run_worker(self.carry_out(meaning(said, self.feed.view, acts)), group=GOING, exit_on_error=False)

        self.push_screen(CommandBar(offered, flaw, self._said), entered)

    def acts(self) -> tuple[Act, ...]:
        """What can be done here and now, moving about left out."""
        found: dict[str, Act] = {}
        for key, active in self.screen.active_bindings.items():
            binding = active.binding
            name = binding.id or ""
            own = name and active.enabled and "(" not in binding.action and name not in ("command", "back")
            if own and binding.description[:1].islower():
                found.setdefault(binding.action.rpartition(".")[2], Act(name, binding.description, spelled(key)))
        return tuple(found.values())

    async def carry_out(self, step: Step) -> None:
        """Do what a line means."""
        match step:
            case Visit():
                await self.visit(step)
            case Show():
                await self._open(step)
            case Do(action):
                await self._do(action)
            case Unknown(why):
                self.tell(why, severity="warning")

    async def _do(self, action: str) -> None:
        """An action of the screen in sight, of its focused part, or of the console; only where its key would work."""
        name = action.partition("(")[0]
        for node in (self.screen.focused, self.screen, self):
            if node is not None and hasattr(node, f"action_{name}"):
                if not node.check_action(name, ()):
                    link = self.feed.view.link
                    why = "" if link.up and not link.read_only else f". {why_none_acts(link)}."
                    self.tell(f"{clean(name).replace('_', ' ')} cannot be done here, now{why}", severity="warning")
                    return
                await self.run_action(action, node)
                return
        self.tell(f"{clean(name).replace('_', ' ')} is nothing that can be done here", severity="warning")

    def action_theme(self, name: str) -> None:
        if name in themes.NAMES:
            self.theme = f"huntaze-{name}"
        else:
            self.tell(f"There is no theme {clean(name, longest=40)}: {', '.join(themes.NAMES)}", severity="warning")

    async def _open(self, step: Show) -> None:
        """Open one thing over what is shown, or in place of the excursion that is: esc leads back to the very row."""
        screen = _screen(step, self)
        if screen is None:
            self.tell(f"{clean(step.key, longest=60)} is not there any more", severity="warning")
            return
        screen.begins_way = True
        with self.batch_update():
            await self._end_excursion()
            await self.push_screen(screen)

    async def _end_excursion(self) -> None:
        """Close what `:` opened over this place, with all that was opened from there."""
        while any(getattr(screen, "begins_way", False) for screen in self.screen_stack):
            await self.pop_screen()


def _screen(step: Show, app: MovingConsole) -> Place | None:
    snapshot = app.feed.view.snapshot
    made: Any
    match step.what:
        case "campaign":
            campaign = snapshot.campaigns.get(step.key)
            made = campaign and import_module("screens.campaigns").CampaignScreen(campaign)
        case "provider":
            made = import_module("screens.providers").ProvidersScreen(step.key)
        case "model":
            provider, _, model = step.key.partition("/")
            where = {"provider": provider, "model": model}
            title = f"{clean(provider, longest=40)} {clean(model, longest=60)}"
            made = import_module("screens.calls").CallsScreen(where, "providers", title)
        case "jobs":
            made = import_module("screens.queue").JobsScreen(step.key, step.more)
        case _:
            made = import_module("screens.fan").FanScreen(step.key)
    screen: Place | None = made
    return screen
