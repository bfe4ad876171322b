"""The form that makes a campaign: a file of fans, what may be typed, the messages of a small terminal, the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.surface import commands
from engine.surface.queries import EstimateCampaign
from tests.screens.harness import Console, console
from tests.screens.scripted import ScriptedSource


async def drafted(running: Console, audience: str = "all", starts: str = "now") -> None:
    """Fill in the form and wait for its estimate."""
    await running.press("c")
    await running.type("spring")
    await running.press("tab", "tab", "ctrl+u")
    await running.type(audience)
    await running.press("tab", "tab", "tab")
    await running.type("say hello")
    await running.press("tab", "tab", "tab", "ctrl+u")
    await running.type(starts)
    await running.pilot.pause(0.6)
    await running.settle()


async def test_a_file_of_fans_is_taken_as_the_command_line_takes_it(tmp_path: Path) -> None:
    file = tmp_path / "fans.csv"
    file.write_text("name,fan_id\nA,f1\nB,f2\n")
    source = ScriptedSource()
    async with console(source) as running:
        await drafted(running, f"file {file}")
        await running.press("ctrl+g", "y")

    asked = [query for query in source.asked if isinstance(query, EstimateCampaign)]
    (made,) = source.submitted
    assert isinstance(made, commands.CreateCampaign)
    assert asked[-1].draft.audience.fan_ids == made.draft.audience.fan_ids == ("f1", "f2")


async def test_every_wrong_line_of_a_file_is_named_in_the_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = Path("fans.csv")
    file.write_text("fan_id\nf1\nf1\n" + "x" * 300 + "\n")
    source = ScriptedSource()
    async with console(source) as running:
        await drafted(running, f"file {file}")
        shown = running.text()
        file.write_text("fan_id\nf1\n")
        await running.press("ctrl+r")
        await running.pilot.pause(0.2)
        await running.settle()
        mended = running.text()

    assert "line 3: the fan of line 2 again" in shown
    assert "line 4: the id is longer than 200 characters" in shown
    assert "$1.90–$3.40" not in shown
    assert "$1.90–$3.40" in mended


async def test_what_has_no_end_is_not_read() -> None:
    async with console() as running:
        await drafted(running, "file /dev/zero")

        assert "it is no ordinary file" in running.text()


async def test_a_path_is_completed(tmp_path: Path) -> None:
    (tmp_path / "fans of march.csv").write_text("f1\n")
    (tmp_path / "fans.txt").write_text("f1\n")
    async with console(size=(200, 60)) as running:
        await running.press("c", "tab", "tab", "ctrl+u")
        await running.type(f"file {tmp_path}/fa")
        await running.pilot.pause(0.2)
        await running.press("right")

        assert running.app.screen.query_one("#audience").value == f"file {tmp_path}/fans of march.csv"  # type: ignore[attr-defined]


async def test_what_may_be_typed_stands_below_the_field_one_is_in() -> None:
    async with console(size=(80, 24)) as running:
        await running.press("c")
        before = running.text()
        await running.press("tab", "tab")
        audience = running.text()
        await running.press(*["tab"] * 6)

        assert "file fans.csv" not in before
        assert "all, or tag vip, or fans id1, id2, or file fans.csv" in audience
        assert "tomorrow 09:00 or 2026-11-21 18:30 (UTC)" in running.text()


async def test_in_a_field_the_keys_are_the_forms_and_all_of_them_work() -> None:
    async with console(size=(80, 24)) as running:
        await drafted(running)
        line = running.lines()[-1]

    assert line.strip() == "^g create and start  ^o create only  page down messages  tab next  esc back"


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_the_messages_can_be_read_and_others_come_after_them(size: tuple[int, int]) -> None:
    async with console(size=size) as running:
        await drafted(running)
        if size == (80, 24):
            assert "ASKED FOR EACH FAN" not in running.text()
            await running.press("pagedown")
            await running.settle()
        assert "fans 1–3 of" in running.text()
        for _ in range(4):
            if "fans 4–6 of" not in running.text():
                await running.press("pagedown")
                await running.settle()
        assert "fans 4–6 of" in running.text()
        for _ in range(4):
            await running.press("pageup")
            await running.settle()

        assert "WHAT IT WILL DO" in running.text()


async def test_a_start_is_told_with_its_zone_and_kept_by_a_draft() -> None:
    source = ScriptedSource()
    async with console(source) as running:
        await drafted(running, starts="tomorrow 09:00")
        await running.press("ctrl+g")
        assert "It starts 09:00 UTC tomorrow" in running.text()
        await running.press("n", "ctrl+o")
        await running.settle()

        assert any("once started, it begins at 09:00 UTC tomorrow" in told for told in running.notices)
    (made,) = source.submitted
    assert isinstance(made, commands.CreateCampaign)
    assert not made.start
    assert made.draft.starts_at is not None
