"""How a screen acts: ask what it would do, say it, ask whether to, tell the engine, and say what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar

from textual.binding import Binding, BindingType

from engine.kernel.errors import CommandRefused, HuntazeError
from engine.surface.commands import Command
from engine.surface.queries import ListAudit, Query
from engine.surface.rows import AuditRow
from screens.facts import by_name
from screens.formatting import clean
from screens.place import Place
from screens.widgets.asking import Ask, Check, Entry, Preview, Values
from screens.widgets.confirm import Confirm


class Acting(Place):
    """A screen that gives commands whose effect is shown before they are confirmed."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("u", "undo_last", "undo")]

    @property
    def actor(self) -> str:
        return self.console.options.actor

    async def rows(self, query: Query) -> tuple[Any, ...]:
        """The rows of a preview."""
        return (await self.console.source.query(query)).rows

    def act(self, command: Command, then: Callable[[], None] | None = None) -> None:
        """Give a command that needs no question."""
        self.send(command, then)

    # ── undoing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "undo_last":
            return self.console.undoable is not None and self.may_act
        return super().check_action(action, parameters)

    async def _send(self, command: Command, then: Callable[[], None] | None) -> None:
        """As every screen does; of what can be undone the notice says so."""
        try:
            done = await self.console.source.submit(command)
        except HuntazeError as error:
            self.console.tell(str(error), severity="error")
            return
        self.console.done_last = await self._way_back()
        said = by_name(done.summary, self.view)
        self.console.tell(f"{said} · u undoes" if self.console.undoable else said)
        if then is not None:
            then()
        self.action_reload()
        self.show_keys()

    async def _way_back(self) -> tuple[str, AuditRow] | None:
        """What was just done, where it can be undone, and in which history."""
        try:
            page = await self.console.source.query(ListAudit(actor=self.actor, limit=1))
        except HuntazeError:  # an older engine, or a link that went: the act stands, only its undoing is not offered
            return None
        epoch = page.as_of.rpartition(":")[0]
        return (epoch, page.rows[0]) if page.rows and page.rows[0].undoable else None

    def action_undo_last(self) -> None:
        """Put back what this console did last."""
        if self.console.undoable is not None:
            from screens.audit import undo

            undo(self, self.console.undoable)

    def confirm(
        self,
        question: str,
        command: Command,
        *,
        detail: str = "",
        typed: str = "",
        then: Callable[[], None] | None = None,
    ) -> None:
        """Ask yes or no, and give the command on a yes."""

        def answered(yes: bool | None) -> None:
            if yes:
                self.send(command, then)

        self.app.push_screen(Confirm(question, detail=detail, typed=typed), answered)

    def confirm_effect(
        self,
        question: str,
        command: Command,
        effect: Callable[[], Awaitable[str]],
        *,
        typed: str = "",
        then: Callable[[], None] | None = None,
    ) -> None:
        """Ask yes or no under what it would do. What the engine refuses is said, and nothing is asked."""

        async def ask() -> None:
            try:
                detail = await effect()
            except CommandRefused as error:
                self.console.tell(str(error), severity="error")
                return
            except HuntazeError as error:
                detail = f"Its effect cannot be told: {error}"
            self.confirm(question, command, detail=detail, typed=typed, then=then)

        self.run_worker(ask(), group="commands", exit_on_error=False)

    def ask(
        self,
        question: str,
        entries: Sequence[Entry],
        make: Callable[[Values], Command],
        *,
        check: Check | None = None,
        preview: Preview | None = None,
        go: str = "do it",
        then: Callable[[], None] | None = None,
    ) -> None:
        """A small form; its values make the command."""

        def answered(values: Values | None) -> None:
            if values is not None:
                self.send(make(values), then)

        form = Ask(question, entries, preview=preview, go=go, **({} if check is None else {"check": check}))
        self.app.push_screen(form, answered)

    def refuse(self, why: str) -> None:
        """Say why nothing is done."""
        self.console.tell(clean(why), severity="warning")
