"""Every binding of every screen, pressed: it does something, and what costs money or cannot be undone asks first.

The bindings are read from the screens themselves. A new screen fails here until it says how it is reached, a new key
until it was seen to do something.
"""

from __future__ import annotations

from textual.screen import ModalScreen

from engine.surface.queries import ListAudit
from screens import keys
from screens.listing import FilterInput
from tests.screens.harness import Console, console
from tests.screens.scripted import ScriptedSource

# How each screen is reached, in as many ways as its keys need: a place to go to, then keys.
WAYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "overview": (("overview",),),
    "costs": (("costs",),),
    "calls": (("costs", "enter"),),
    "call": (("costs", "enter", "enter"),),
    "providers": (("providers",), ("providers", "enter")),
    "queue": (("queue", "end"),),
    "jobs": (("queue", "end", "enter", "down", "down"),) * 2,  # the first time the view is turned
    "job": (("queue", "end", "enter", "down", "down", "enter"),),
    "limits": (("limits",),),
    "windows": (("limits", "v"),),
    "campaigns": (("campaigns",), ("campaigns", "down"), ("campaigns", "down", "down"), ("campaigns", "end", "up")),
    "campaign": (
        ("campaigns", "enter"),
        ("campaigns", "down", "enter", "down", "down"),
        ("campaigns", "down", "down", "enter"),
        ("campaigns", "end", "up", "enter"),
    ),
    "review": (("campaigns", "enter", "m"), ("campaigns", "enter", "m", "space")),
    "delivery": (("campaigns", "enter", "enter"), ("campaigns", "down", "enter", "down", "down", "enter")),
    "workflow": (("campaigns", "down", "enter", "w"),),
    "fan": (),  # only `:fan` leads there; it has a table's keys and no others
    "compose": (("campaigns", "c"),),
    "alerts": (("alerts",),),
    "stream": (("events",),),
    "event": (("events", "enter"),),
    "logs": (("logs",),),
    "log row": (("logs", "enter"),),
    "budgets": (("budgets",),),
    "routes": (("routes",),),
    "decision": (("routes", "down", "enter", "s"),),
    "thresholds": (("thresholds",),),
    "silences": (("silences",),),
    "flags": (("flags",),),
    "trials": (("trials",),),
    "audit": (("audit",),),
    "audit row": (("audit", "enter"),),
    "monitoring": (("monitoring",),),
}
# Done without a question, and why that is right.
AT_ONCE: dict[str, str] = {
    "pause": "nothing is lost by pausing, and haste may matter",
    "acknowledge": "it says who looks, and can be undone",
    "redrive": "one job gets another chance",
    "end": "alerts that were silenced are heard again",
}
ASKS = frozenset(
    {"start", "resume", "cancel", "approve", "approve_all", "reject", "settle", "purge", "purge_all", "redrive_all"}
)
READS = frozenset({"pause"})  # of the stream: it holds what is shown
# Pressed in a test of its own, for it needs more than a way there.
ELSEWHERE: dict[tuple[str, str], str] = {
    ("overview", "panel"): "test_one_panel_at_a_time_where_there_is_room_for_one",
    ("compose", "undo_last"): "nowhere: letters belong to the fields there",
    ("compose", "create_and_start"): "test_the_form_checks_estimates_and_asks_before_it_starts",
    ("compose", "create_only"): "test_the_form_checks_estimates_and_asks_before_it_starts",
    ("compose", "fans_before"): "tests/screens/test_composing.py",
    ("compose", "other_fans"): "tests/screens/test_composing.py",
}
SIZE = (80, 24)
ALIKE = frozenset({"back", "filter", "reload"})  # the same on every screen
MOVING = frozenset({"up", "down", "a_page_up", "a_page_down", "first_row", "last_row", "order", "reverse"})


def own(running: Console) -> dict[str, str]:
    """The keys of the screen in sight that work now, without those that only move the cursor: key → name."""
    active = running.app.screen.active_bindings
    return {
        key: one.binding.id
        for key, one in active.items()
        if one.enabled and one.node is not running.app and one.binding.id and one.binding.id not in MOVING
    }


def look(running: Console, source: ScriptedSource) -> tuple[object, ...]:
    app = running.app
    return (
        tuple(running.lines()), tuple(running.notices), len(source.submitted), len(source.asked),
        tuple(type(screen) for screen in app.screen_stack), app.current_mode, app.focused, app.clipboard,
    )  # fmt: skip


async def reach(running: Console, way: tuple[str, ...]) -> None:
    place, *pressed = way
    for _ in range(2):  # the second time to its first screen
        await running.app.run_action(f"place('{place}')")
    await running.settle()
    await running.press("home", *pressed)


async def press(running: Console, source: ScriptedSource, key: str) -> str:
    """What came of a key: nothing, shown, asks, at once. Whatever it opened is closed again."""
    depth, before = len(running.app.screen_stack), look(running, source)
    await running.press(key)
    after, modal = look(running, source), isinstance(running.app.screen, ModalScreen)
    if len(running.app.screen_stack) > depth:
        while len(running.app.screen_stack) > depth:
            running.app.pop_screen()
        await running.settle()
    if isinstance(running.app.focused, FilterInput):
        await running.press("escape")
    if after[2] != before[2]:
        return "at once"
    return "asks" if modal else "shown" if after != before else "nothing"


async def test_every_key_does_something_and_what_weighs_asks() -> None:
    """One console for all: it is left where every key leads back to."""
    done: dict[str, dict[str, str]] = {name: {} for name in WAYS}
    source = ScriptedSource()
    (undone, *_) = (await source.query(ListAudit())).rows
    async with console(source, size=SIZE) as running:
        for name, ways in WAYS.items():
            for way in ways:
                await reach(running, way)
                running.app.done_last = (source.snapshot().epoch, undone)
                running.app.screen.show(running.app.screen.view)  # type: ignore[attr-defined]
                assert keys.spoken(type(running.app.screen)) == name, way
                for key, action in own(running).items():
                    tried = done[name].get(action, "nothing") != "nothing" or (action in ALIKE and name != "campaigns")
                    if not tried and key in own(running):
                        done[name][action] = await press(running, source, key)

    found = {(screen, action): what for screen, actions in done.items() for action, what in actions.items()}
    assert [each for each, what in found.items() if what == "nothing" and each not in ELSEWHERE] == []
    assert {action for (_, action), what in found.items() if what == "at once"} <= set(AT_ONCE)
    assert {action for (_, action), what in found.items() if what == "asks"} >= ASKS
    assert [each for each in _all() if each not in found and each not in ELSEWHERE] == []


async def test_one_panel_at_a_time_where_there_is_room_for_one() -> None:
    async with console(size=(58, 15)) as running:
        before = running.lines()[1:-1]
        await running.press("tab")

        assert running.lines()[1:-1] != before


def _all() -> list[tuple[str, str]]:
    """Every action of every screen that leads somewhere or changes something."""
    return [
        (scope.name, binding.id)
        for scope in keys.scopes()[1:]
        for binding in scope.bindings
        if binding.id and binding.id not in MOVING | ALIKE | {"choose"}
    ]


def test_every_screen_is_reached() -> None:
    assert {scope.name for scope in keys.scopes()[1:]} - set(WAYS) == set()


async def test_looking_only_offers_nothing_that_would_be_asked_or_done() -> None:
    """What the operator may not do is not offered, wherever it would be."""
    source = ScriptedSource()
    async with console(source, size=SIZE, read_only=True) as running:
        for name, ways in WAYS.items():
            if name == "compose" or not ways:
                continue
            await reach(running, ways[0])
            offered = set(own(running).values())
            assert offered & (set(AT_ONCE) | ASKS) - READS == set(), name
            for key in sorted(set("parxXesu") - set(own(running))):
                running.app.simulate_key(key)
            await running.settle()

    assert source.submitted == []
