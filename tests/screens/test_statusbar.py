"""The status line: the way gives way, what is true of the whole stays."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from engine.kernel.values import MINUTE, SECOND, Instant
from screens.drawing import width_of
from screens.view import View
from screens.widgets.statusbar import status_line
from tests.screens.harness import console
from tests.screens.scripted import NOW, ScriptedSource, snapshot

_LONG = ("campaigns", "spring-ppv for the fans of anna", "deliveries", "fan anna_9")


def view(
    *, state: str = "running", halted: bool = False, frozen: bool = False, lost: bool = False, looks: bool = False
) -> View:
    normal = replace(snapshot("normal"), alerts={}, levels={})
    engine = replace(
        normal.engine, state=state, halted_by="mia the operator" if halted else "", halted_at=NOW - 12 * MINUTE
    )
    link = replace(
        ScriptedSource().linked, up=not lost, read_only=looks, since=Instant(NOW - 90 * SECOND), note="reaching again"
    )
    return View(
        snapshot=replace(normal, engine=engine),
        link=link,
        now=NOW,
        frozen_for=12 * MINUTE if frozen else None,
        frozen_events=4_321,
    )


def said(trail: tuple[str, ...], tally: str, shown: View, width: int) -> str:
    line = status_line(trail, tally, shown, width, (("● rec 12.3 MB", "bad"),))
    assert width_of(line) == width
    return "".join(text for text, _ in line)


@pytest.mark.parametrize("width", [60, 72, 80, 100, 120, 200])
def test_what_must_not_be_missed_stands_at_every_width(width: int) -> None:
    for halted, frozen, lost, looks in product((False, True), repeat=4):
        shown = view(halted=halted, frozen=frozen, lost=lost, looks=looks)

        text = said(_LONG, "100,000 of 4,000,000", shown, width)

        words = {"HALTED": halted, "FROZEN": frozen, "LINK LOST": lost, "read-only": looks, "sim": True, "● rec": True}
        assert {word: word in text for word in words} == words, text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_an_engine_that_drains_says_so_beside_the_longest_way(width: int) -> None:
    assert "draining" in said(_LONG, "412", view(state="draining"), width)
    assert "◒" in said(_LONG, "412", view(state="draining"), width)


def test_eighty_columns_say_that_a_token_was_revoked() -> None:
    shown = view(lost=True, looks=True)
    revoked = replace(shown.link, note="this token was revoked. Ask who runs the engine for another")

    line = status_line(("overview",), "", replace(shown, link=revoked), 80)

    text = "".join(text for text, _ in line)
    assert all(words in text for words in ("LINK LOST", "read-only", "sim", "this token was revoked")), text
    assert width_of(line) == 80


def test_the_middle_of_the_way_goes_first_and_where_one_is_last() -> None:
    texts = [said(_LONG, "412", view(), width) for width in (140, 104, 80, 60)]

    assert "campaigns › spring-ppv for the fans of anna › deliveries › fan anna_9  412" in texts[0]
    assert "campaigns › … › deliveries › fan anna_9  412" in texts[1]
    assert "campaigns › … › fan anna_9" in texts[2]
    assert all("fan anna_9" in text for text in texts)


def test_what_is_shortened_takes_what_room_is_left() -> None:
    text = said(("campaigns", "fan anna_9"), "", view(halted=True, frozen=True), 80)

    assert " HALTED " in text
    assert " FROZEN 12 m behind " in text
    assert "sim ×60" in text


@pytest.mark.parametrize("width", [1, 5, 20, 40])
def test_a_line_too_narrow_for_all_is_no_wider_than_it_may_be(width: int) -> None:
    said(_LONG, "412", view(halted=True, frozen=True, lost=True), width)


async def test_a_halt_is_seen_at_sixty_columns_from_deep_down() -> None:
    source = ScriptedSource()
    source.become(engine=replace(source.shown.engine, halted_by="mia", halted_at=NOW))
    async with console(source, size=(60, 20), read_only=True) as running:
        await running.press("6", "down", "enter", "enter")

        assert "HALTED" in running.lines()[0]
        assert "read-only" in running.lines()[0]
        assert "sim" in running.lines()[0]


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_an_engine_that_runs_without_a_model_to_ask_is_not_called_well(width: int) -> None:
    shown = view()
    models = {key: replace(model, breaker="open") for key, model in shown.snapshot.models.items()}

    text = said(("overview",), "", replace(shown, snapshot=replace(shown.snapshot, models=models)), width)

    assert "no model" in text
    assert "engine ok" not in text


def test_an_engine_is_well_only_without_critical_alerts() -> None:
    calm = view()
    alerted = replace(calm, snapshot=replace(calm.snapshot, alerts=snapshot("normal").alerts))

    assert "engine degraded" in said(("overview",), "", alerted, 120)
    assert "engine ok" in said(("overview",), "", calm, 120)
