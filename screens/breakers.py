"""Holding a model's breaker open or closed, or letting it go, from any screen that shows the model."""

from __future__ import annotations

from typing import Literal, cast

from engine.surface.commands import ForceBreaker
from engine.surface.queries import PreviewBreaker
from screens.acting import Acting
from screens.effects import breaker_effect
from screens.formatting import clean
from screens.widgets.confirm import Choose

State = Literal["open", "closed", "auto"]
_ASKED = {
    "open": "Hold the breaker of {} open? Nobody asks it until it is let go.",
    "closed": "Hold the breaker of {} closed? It is asked whatever it does until it is let go.",
    "auto": "Let the breaker of {} move by itself again?",
}


def turn_breaker(screen: Acting, provider: str, model: str, held_by: str = "") -> None:
    """Choose how it is to stand, then say what that would move, and ask."""
    name = f"{clean(provider, longest=40)}/{clean(model, longest=80)}"
    answers = [("o", "open", "hold it open: nobody asks the model"), ("c", "closed", "hold it closed: ask it always")]
    if held_by:
        answers.append(("l", "auto", f"let it go: {clean(held_by, longest=40)} holds it now"))

    def chosen(state: str | None) -> None:
        if not state:
            return
        wanted = cast("State", state)

        async def effect() -> str:
            return breaker_effect(await screen.rows(PreviewBreaker(provider=provider, model=model, state=wanted)))

        command = ForceBreaker(provider=provider, model=model, state=wanted, actor=screen.actor)
        screen.confirm_effect(_ASKED[wanted].format(name), command, effect)

    screen.app.push_screen(Choose(f"How is the breaker of {name} to stand?", answers), chosen)
