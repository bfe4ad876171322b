"""What a fan, a provider or a colleague wrote cannot drive the terminal from the screens and forms that act either."""

from __future__ import annotations

from tests.screens.harness import console
from tests.screens.test_hostile_text import ATTACKS, HostileSource, harmless

PLACES = {
    "audit": ("enter", "escape", "u", "escape"),
    "budgets": ("e", "escape", "n", "escape", "x", "n"),
    "thresholds": ("e", "escape", "x", "n"),
    "routes": ("e", "escape", "x", "n"),
    "flags": ("e", "escape", "s", "n"),
    "trials": ("e", "escape", "n", "escape"),
    "silences": ("n", "escape", "x"),
    "campaigns": ("enter", "m", "x", "d", "escape", "a", "n", "enter", "e"),
}


async def test_no_form_and_no_question_shows_it() -> None:
    attack = " ".join(text for name, text in ATTACKS.items() if name != "long")
    async with console(HostileSource(attack), size=(120, 34)) as running:
        for place, keys in PLACES.items():
            await running.app.action_place(place)
            await running.settle()
            harmless(running.lines(), 120)
            for key in keys:
                await running.press(key)
                harmless(running.lines(), 120)
                assert running.app.is_running, (place, key)
